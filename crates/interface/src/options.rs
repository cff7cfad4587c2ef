//! Options described once: from one declaration come a request's struct, the command line, files of
//! options, the JSON schema of a form, and the names in diagnostics.
//!
//! [`options!`](crate::options!) declares a struct and its [`OptionSpec`]s. Text and files become a
//! [`Layer`] of checked values; layers are merged, and read into the struct once.
mod choice;
mod declare;
mod kind;
mod layer;
mod names;
mod schema;
mod toml;
mod types;

pub use choice::Choice;
#[doc(hidden)]
pub use declare::{put, typed, value};
pub use kind::{OptionKind, OptionType, Unfit};
pub use layer::{Layer, Origin, from_json};
pub use names::SpecNames;
pub use schema::schema;
pub use toml::{TomlMistake, entry, to_toml};
pub use types::{Seed, Sides, Size};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Options under their names.
pub type Values = Map<String, Value>;

/// In a section of [`options!`](crate::options!): shown in the short help, too.
pub const COMMON: bool = false;
/// In a section of [`options!`](crate::options!): shown in the long help only.
pub const RARE: bool = true;

/// Everything there is to say about an option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its name: snake_case, the same in Rust, TOML, JSON and diagnostics.
    pub name: &'static str,
    /// The long flag without dashes; empty: the name with `-` for `_`.
    pub flag: &'static str,
    /// Other names that are read but not shown.
    pub aliases: &'static [&'static str],
    /// What stands for its value in help: `N`, `FILE`.
    pub value_name: &'static str,
    /// Lines of help.
    pub help: &'static [&'static str],
    /// The heading that it stands under; empty: none.
    pub group: &'static str,
    /// Whether only the long help shows it.
    pub rare: bool,
    /// What values it takes.
    pub kind: OptionKind,
    /// The least number.
    pub min: f64,
    /// The greatest number.
    pub max: f64,
    /// What a whole number must be a multiple of.
    pub multiple_of: u64,
    /// Its default; null where there is none.
    pub default: fn() -> Value,
    /// Given without a flag on the command line.
    pub positional: bool,
    /// Whether a flag of a list takes several values at once.
    pub many: bool,
    /// Whether it must be given.
    pub need: Need,
    /// Where it can be given.
    pub scope: Scope,
    /// Options that cannot be given with it.
    pub conflicts: &'static [&'static str],
    /// The option that must be given with it; empty: none.
    pub requires: &'static str,
    /// Options of earlier layers that have no effect beside this value.
    pub silences: fn(&Value) -> &'static [&'static str],
}

/// Whether an option must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may be left out.
    Optional,
    /// It must be given.
    Always,
    /// It must be given unless one of these is.
    Unless(&'static [&'static str]),
}

/// Where an option can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In files of options, in requests and on the command line.
    Everywhere,
    /// In requests and on the command line.
    Request,
    /// On the command line alone.
    Terminal,
}

impl OptionSpec {
    /// An option of a type, with nothing special about it.
    #[must_use]
    pub const fn of<T: OptionType>(
        name: &'static str,
        help: &'static [&'static str],
        default: fn() -> Value,
    ) -> Self {
        Self {
            name,
            flag: "",
            aliases: &[],
            value_name: "",
            help,
            group: "",
            rare: false,
            kind: T::KIND,
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
            multiple_of: 1,
            default,
            positional: false,
            many: false,
            need: Need::Optional,
            scope: Scope::Everywhere,
            conflicts: &[],
            requires: "",
            silences: |_| &[],
        }
    }

    /// The long flag, without dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        if self.flag.is_empty() { self.name.replace('_', "-") } else { self.flag.to_owned() }
    }

    /// Whether `name` is its name, its flag or another of its names, with `-` or `_`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let same = |known: &str| {
            known.len() == name.len()
                && known
                    .bytes()
                    .zip(name.bytes())
                    .all(|(a, b)| a == b || (a == b'-' && b == b'_') || (a == b'_' && b == b'-'))
        };
        same(self.name) || same(self.flag) || self.aliases.iter().any(|alias| same(alias))
    }

    /// The help in one text: lines joined, paragraphs apart.
    #[must_use]
    pub fn help_text(&self) -> String {
        paragraphs(self.help)
    }

    /// The default as help shows it; `None` where there is none or help says it in words.
    #[must_use]
    pub fn default_text(&self) -> Option<String> {
        let value = Some((self.default)()).filter(|value| !is_nothing(value))?;
        (!self.help.iter().any(|line| line.contains("[default:"))).then(|| shown(&value))
    }

    /// A value in the form that the option's type reads.
    ///
    /// # Errors
    /// If the value is of the wrong kind or out of range.
    pub fn fit(&self, value: &Value) -> Result<Value, Unfit> {
        let value = self.kind.fit(value, self.min, self.max)?;
        if value.as_u64().is_some_and(|n| !n.is_multiple_of(self.multiple_of)) {
            let range = self.kind.expected(self.min, self.max);
            let range = range.replace("whole number", &format!("multiple of {}", self.multiple_of));
            return Err(Unfit { expected: range, found: format!("`{value}`"), hint: None });
        }
        Ok(value)
    }
}

/// Whether a value says no more than that nothing was given.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Lines of doc comments as one text: lines joined, paragraphs apart.
#[must_use]
pub fn paragraphs(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text
}

/// A value as people write it: without quotes, whole numbers without a point, lists with commas.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(","),
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or(f64::NAN).to_string(),
        other => other.to_string(),
    }
}

/// A struct of options that [`options!`](crate::options!) declared.
pub trait Options: Default + Serialize + DeserializeOwned {
    /// What stands before its fields in diagnostics: `train` in `train.learning_rate`.
    const REQUEST: &'static str;
    /// The lines of its own description.
    const ABOUT: &'static [&'static str];

    /// Adds the descriptions of all options, in the order of the help.
    fn describe(into: &mut Vec<&'static OptionSpec>);

    /// The struct from checked values; what is missing has its default.
    ///
    /// # Errors
    /// If a value does not have the form of its type.
    fn from_values(values: &Values) -> Result<Self, crate::Diagnostic>;

    /// Adds all values that are not left out.
    fn put_values(&self, into: &mut Values);

    /// The descriptions of all options, in the order of the help.
    #[must_use]
    fn specs() -> Vec<&'static OptionSpec> {
        let mut specs = Vec::new();
        Self::describe(&mut specs);
        specs
    }

    /// All values that are not left out.
    #[must_use]
    fn values(&self) -> Values {
        let mut values = Values::new();
        self.put_values(&mut values);
        values
    }
}

/// The known name that is most like `name`, if one is like it.
#[must_use]
pub fn nearest(name: &str, known: &[&str]) -> Option<String> {
    let name = name.to_lowercase();
    let near = known.iter().map(|k| (strsim::jaro_winkler(&name, &k.to_lowercase()), *k));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then(|| best.1.to_owned())
}
