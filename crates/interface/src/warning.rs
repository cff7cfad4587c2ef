//! A remark that stops nothing.
use crate::{Diagnostic, FieldNames, Rendered};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A diagnostic that the user should know but that stops nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Warning(pub Diagnostic);

impl Warning {
    /// A warning without advice.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(Diagnostic::new(message))
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self(self.0.with_hint(hint))
    }

    /// The same with advice where there is some; `None` leaves what is there.
    #[must_use]
    pub fn with_hint_if(self, hint: Option<String>) -> Self {
        Self(self.0.with_hint_if(hint))
    }

    /// The same about a field, such as `train.learning_rate`.
    #[must_use]
    pub fn with_field(self, path: impl Into<String>) -> Self {
        Self(self.0.with_field(path))
    }

    /// What is the matter.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Texts with the face's names of fields.
    #[must_use]
    pub fn render(&self, names: &dyn FieldNames) -> Rendered {
        self.0.render(names)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error that is passed over: what it says, its hint and its causes.
impl<E: Into<Diagnostic>> From<E> for Warning {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}
