//! Options that are one of some names.

/// A name that an option may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The name.
    pub name: &'static str,
    /// Lines of help.
    pub help: &'static [&'static str],
}

/// Declares an enum whose variants are the names of an option's values, each with its help:
/// `enum Noise { /// torch's generator Cpu = "cpu", ... }`. It is read and written under the names;
/// the first is the default.
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident {
            $( $(#[doc = $help:literal])+ $variant:ident = $name:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $enum {
            $( $(#[doc = $help])+ #[serde(rename = $name)] $variant, )+
        }

        impl $enum {
            /// All, in the order of the help.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }
        }

        /// The first.
        impl Default for $enum {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl $crate::options::OptionType for $enum {
            const KIND: $crate::options::OptionKind = $crate::options::OptionKind::Choice(&[
                $( $crate::options::Choice { name: $name, help: &[$($help),+] }, )+
            ]);
        }
    };
}
