//! Layers of options: what one place gave, checked; how layers become one; reading into a struct.
use super::{Need, OptionSpec, Options, Values, is_nothing, nearest};
use crate::Diagnostic;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line, or a field of a form or program.
    Field,
    /// A line of a file.
    Line {
        /// The file's name.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// What another program's option was, such as `max_train_steps = 1600`.
    Foreign(String),
}

/// Options that one place gave, or several that were merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    given: BTreeMap<&'static str, (Value, Origin)>,
}

impl Layer {
    /// What a JSON object gives; null is left out.
    ///
    /// # Errors
    /// If an option is unknown or a value does not fit.
    pub fn json<R: Options>(values: &Values) -> Result<Self, Diagnostic> {
        let mut layer = Self::default();
        for (key, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            layer.set(R::REQUEST, &R::specs(), key, value, Origin::Field)?;
        }
        Ok(layer)
    }

    /// Puts a value under the name, the flag or another name of an option.
    ///
    /// # Errors
    /// If the option is unknown or the value does not fit; field and origin are named.
    pub fn set(
        &mut self,
        request: &str,
        specs: &[&'static OptionSpec],
        key: &str,
        value: &Value,
        origin: Origin,
    ) -> Result<(), Diagnostic> {
        let Some(spec) = specs.iter().find(|spec| spec.is_called(key)) else {
            let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
            let message = format!("`{key}` is not an option of `{request}`");
            let message = match &origin {
                Origin::Line { file, line } => format!("{file}, line {line}: {message}"),
                Origin::Field | Origin::Foreign(_) => message,
            };
            let near = nearest(&key.replace('-', "_"), &known);
            return Err(Diagnostic::new(message)
                .with_hint("see the list of options")
                .with_hint_if(near.map(|near| format!("did you mean `{near}`?"))));
        };
        let value = spec.fit(value).map_err(|unfit| match &origin {
            Origin::Field => Diagnostic::new(unfit.to_string())
                .with_field(format!("{request}.{}", spec.name))
                .with_hint_if(unfit.hint),
            Origin::Line { file, line } => {
                Diagnostic::new(format!("{file}, line {line}: `{key}`: {unfit}"))
                    .with_hint_if(unfit.hint)
            }
            Origin::Foreign(theirs) => {
                let field = format!("{{{request}.{}}}", spec.name);
                Diagnostic::new(format!("{theirs}: no value for {field}: {unfit}"))
                    .with_hint(format!("correct it, or take it out and give {field}"))
            }
        })?;
        self.given.insert(spec.name, (value, origin));
        Ok(())
    }

    /// The value of an option, by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.given.get(name).map(|(value, _)| value)
    }

    /// The text of an option, by its name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Where an option was given, by its name.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.given.get(name).map(|(_, origin)| origin)
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Takes an option out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.given.remove(name).map(|(value, _)| value)
    }

    /// All layers in one; later ones win, and silence what has no effect beside them.
    #[must_use]
    pub fn merge<R: Options>(layers: impl IntoIterator<Item = Self>) -> Self {
        let specs = R::specs();
        let mut all = Self::default();
        for layer in layers {
            for spec in &specs {
                let Some(value) = layer.get(spec.name) else { continue };
                for silent in (spec.silences)(value) {
                    all.given.remove(silent);
                }
            }
            all.given.extend(layer.given);
        }
        all
    }

    /// The values under their names.
    #[must_use]
    pub fn values(&self) -> Values {
        self.given.iter().map(|(name, (value, _))| ((*name).to_owned(), value.clone())).collect()
    }

    /// The struct; what was not given has its default.
    ///
    /// # Errors
    /// If a value does not have the form of its type.
    pub fn read<R: Options>(&self) -> Result<R, Diagnostic> {
        R::from_values(&self.values())
    }

    /// Whether options contradict each other or miss others, as far as descriptions say.
    ///
    /// # Errors
    /// If one conflicts with another, needs another, or must be given.
    pub fn check<R: Options>(&self) -> Result<(), Diagnostic> {
        let specs = R::specs();
        let about = |spec: &OptionSpec, message: String| {
            Err(Diagnostic::new(message).with_field(format!("{}.{}", R::REQUEST, spec.name)))
        };
        let named = |name: &str| format!("{{{}.{name}}}", R::REQUEST);
        let given = |name: &str| self.get(name).is_some_and(|value| !is_nothing(value));
        for spec in &specs {
            let missing = match spec.need {
                Need::Optional => false,
                Need::Always => !given(spec.name),
                Need::Unless(others) => {
                    !given(spec.name) && !others.iter().any(|other| given(other))
                }
            };
            if missing {
                return about(spec, "must be given".into());
            }
            if !given(spec.name) {
                continue;
            }
            if let Some(other) = spec.conflicts.iter().find(|other| given(other)) {
                return about(spec, format!("cannot be given together with {}", named(other)));
            }
            if !spec.requires.is_empty() && !given(spec.requires) {
                return about(spec, format!("needs {}", named(spec.requires)));
            }
        }
        Ok(())
    }
}

/// A request from JSON: names, values and their combinations are checked.
///
/// # Errors
/// If an option is unknown, a value does not fit, or options contradict each other.
pub fn from_json<R: Options>(values: &Values) -> Result<R, Diagnostic> {
    let layer = Layer::json::<R>(values)?;
    layer.check::<R>()?;
    layer.read()
}
