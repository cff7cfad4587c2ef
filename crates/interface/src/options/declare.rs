//! The macro that makes a struct of options and their descriptions from one declaration.

/// Declares a struct of options.
///
/// ```
/// wayword_interface::options! {
///     /// Draw pictures.
///     pub struct Draw("draw") {
///         "Picture" COMMON {
///             /// Pictures at once
///             batch_size: usize = 1 => flag: "batch", value_name: "N", min: 1.0;
///             /// Seed [default: random]
///             seed: Option<u64> => value_name: "N";
///         }
///     }
/// }
/// let draw: Draw = serde_json::from_str(r#"{"batch": 2}"#)?;
/// assert_eq!((draw.batch_size, draw.seed), (2, None));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// The text behind the struct's name is what stands before its fields in diagnostics. Options stand
/// in sections with a heading; those of a `RARE` section are in the long help only. What follows
/// `=>` are fields of [`OptionSpec`](crate::options::OptionSpec). Without `=` the default is that
/// of the type. `+ base: Base;` at the beginning of a section takes the options of another such
/// struct in.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $about:literal])+
        pub struct $struct:ident($request:literal) {
            $( $group:literal $rare:ident {
                $( + $inner:ident : $inner_type:ty; )*
                $(
                    $(#[doc = $help:literal])+
                    $name:ident : $type:ty $(= $default:expr)? $(=> $($key:ident : $value:expr),+)? ;
                )*
            } )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $struct {
            $(
                $( #[doc = concat!("Options of [`", stringify!($inner_type), "`].")] pub $inner: $inner_type, )*
                $( $(#[doc = $help])+ pub $name: $type, )*
            )+
        }

        impl Default for $struct {
            fn default() -> Self {
                Self {
                    $(
                        $( $inner: Default::default(), )*
                        $( $name: $crate::options!(@default $($default)?), )*
                    )+
                }
            }
        }

        impl $struct {
            /// Descriptions of the options that are not another struct's.
            const OWN: &'static [$crate::options::OptionSpec] = &[
                $( $( {
                    #[allow(clippy::needless_update, unused_imports, reason = "as the option says")]
                    {
                        use $crate::options::{Need, Scope};
                        $crate::options::OptionSpec {
                            $( $($key: $value,)+ )?
                            group: $group,
                            rare: $crate::options::$rare,
                            ..$crate::options::OptionSpec::of::<$type>(
                                stringify!($name),
                                &[$($help),+],
                                || $crate::options::value(&{
                                    let default: $type = $crate::options!(@default $($default)?);
                                    default
                                }),
                            )
                        }
                    }
                }, )* )+
            ];
        }

        impl $crate::options::Options for $struct {
            const REQUEST: &'static str = $request;
            const ABOUT: &'static [&'static str] = &[$($about),+];

            fn describe(into: &mut Vec<&'static $crate::options::OptionSpec>) {
                let mut specs = Self::OWN.iter();
                $(
                    $( <$inner_type as $crate::options::Options>::describe(into); )*
                    into.extend(specs.by_ref().take(<[&str]>::len(&[$(stringify!($name)),*])));
                )+
            }

            fn from_values(values: &$crate::options::Values) -> ::std::result::Result<Self, $crate::Diagnostic> {
                let mut specs = Self::OWN.iter();
                Ok(Self {
                    $(
                        $( $inner: $crate::options::Options::from_values(values)?, )*
                        $( $name: match specs.next().and_then(|spec| Some((spec, values.get(spec.name)?))) {
                            Some((spec, value)) => $crate::options::typed($request, spec, value)?,
                            None => $crate::options!(@default $($default)?),
                        }, )*
                    )+
                })
            }

            fn put_values(&self, into: &mut $crate::options::Values) {
                let mut specs = Self::OWN.iter();
                $(
                    $( self.$inner.put_values(into); )*
                    $( $crate::options::put(specs.next(), &self.$name, into); )*
                )+
            }
        }

        impl ::serde::Serialize for $struct {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                ::serde::Serialize::serialize(&$crate::options::Options::values(self), serializer)
            }
        }

        /// Names and values are checked as in every other form.
        impl<'de> ::serde::Deserialize<'de> for $struct {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let values = <$crate::options::Values as ::serde::Deserialize>::deserialize(deserializer)?;
                let layer = $crate::options::Layer::json::<Self>(&values);
                let read = layer.and_then(|layer| layer.read::<Self>());
                read.map_err(<D::Error as ::serde::de::Error>::custom)
            }
        }

        impl $crate::options::OptionType for $struct {
            const KIND: $crate::options::OptionKind =
                $crate::options::OptionKind::Tables(<Self as $crate::options::Options>::specs);
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}

use super::{OptionSpec, Values};
use crate::Diagnostic;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A default as a value; for [`options!`](crate::options!).
#[doc(hidden)]
pub fn value<T: Serialize>(default: &T) -> Value {
    serde_json::to_value(default).unwrap_or_default()
}

/// A checked value in its type; for [`options!`](crate::options!).
///
/// # Errors
/// If the value does not have the form of the type.
#[doc(hidden)]
pub fn typed<T: DeserializeOwned>(
    request: &str,
    spec: &OptionSpec,
    value: &Value,
) -> Result<T, Diagnostic> {
    T::deserialize(value)
        .map_err(|e| Diagnostic::new(e.to_string()).with_field(format!("{request}.{}", spec.name)))
}

/// Adds a field's value unless it is left out; for [`options!`](crate::options!).
#[doc(hidden)]
pub fn put<T: Serialize>(spec: Option<&'static OptionSpec>, field: &T, into: &mut Values) {
    if let Some(spec) = spec
        && let value = value(field)
        && !value.is_null()
    {
        into.insert(spec.name.into(), value);
    }
}
