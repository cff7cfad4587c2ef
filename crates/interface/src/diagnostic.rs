//! What went wrong, in the form that every face can show: message, hint, field, causes.
use crate::{FieldNames, PlainNames, render_fields};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What went wrong, and what to do about it.
///
/// Message and hint may name options as `{train.resume}`; [`Diagnostic::render`] replaces them by
/// the face's own names. Two diagnostics are equal if they read the same.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "Stored", into = "Stored")]
#[schemars(with = "Stored")]
pub struct Diagnostic {
    /// What failed, with which value, where: lower case, no full stop. Where `field` is set, the
    /// text goes on after the field's name: `expected a number above 0, found abc`.
    pub message: String,
    /// What to do about it; begins with a verb.
    pub hint: Option<String>,
    /// The option that is at fault, such as `train.learning_rate`.
    pub field: Option<String>,
    /// What led to it. May be the error that this was made from: its text is shown only once.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Diagnostic {
    /// A diagnostic without hint, field and source.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// An error's text, with the error itself as source, so that callers can downcast to it.
    #[must_use]
    pub fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self::new(error.to_string()).with_source(error)
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with advice where there is some; `None` leaves what is there.
    #[must_use]
    pub fn with_hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The same about a field, such as `train.learning_rate`.
    #[must_use]
    pub fn with_field(mut self, path: impl Into<String>) -> Self {
        self.field = Some(path.into());
        self
    }

    /// The same with a cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// A message about a larger piece of work, with this diagnostic as its cause. The hint stays.
    #[must_use]
    pub fn in_context(mut self, message: impl Into<String>) -> Self {
        let hint = self.hint.take();
        Self::new(message).with_hint_if(hint).with_source(self)
    }

    /// The error that this was made from or caused by, if one in the chain has this type.
    #[must_use]
    pub fn find<E: Error + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref::<E>())
    }

    /// Texts with the face's names of fields.
    #[must_use]
    pub fn render(&self, names: &dyn FieldNames) -> Rendered {
        let message = self.text(names);
        let mut causes: Vec<String> = Vec::new();
        for error in self.chain() {
            let text = match error.downcast_ref::<Self>() {
                Some(diagnostic) => diagnostic.text(names),
                None => plain(&render_fields(&error.to_string(), names)),
            };
            // Many errors repeat their cause in their own text.
            if !causes.last().unwrap_or(&message).contains(&text) {
                causes.push(text);
            }
        }
        let hint = self.hint.as_deref().map(|hint| render_fields(hint, names));
        Rendered { message, causes, hint }
    }

    /// The message, after the field's name where there is one.
    fn text(&self, names: &dyn FieldNames) -> String {
        let message = plain(&render_fields(&self.message, names));
        match self.field.as_deref().and_then(|path| names.name(path)) {
            Some(name) => format!("{name}: {message}"),
            None => message,
        }
    }

    /// The source and its sources, outermost first, with those that `Error::source` passes over.
    fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        std::iter::successors(self.wrapped(), |error| match error.downcast_ref::<Self>() {
            Some(diagnostic) => diagnostic.wrapped(),
            None => (**error).source(),
        })
    }

    fn wrapped(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as &(dyn Error + 'static))
    }
}

/// A text without the numbers that systems' errors have behind their words.
fn plain(text: &str) -> String {
    let Some((before, after)) = text.split_once(" (os error ") else { return text.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix(')').map_or_else(|| text.to_owned(), |rest| format!("{before}{rest}"))
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&PlainNames))
    }
}

impl Error for Diagnostic {
    /// The first cause that says something new.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.chain().find(|error| !self.message.contains(&error.to_string()))
    }
}

impl PartialEq for Diagnostic {
    fn eq(&self, other: &Self) -> bool {
        self.render(&PlainNames) == other.render(&PlainNames)
    }
}

/// A diagnostic as a face shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The message, after the name of the field where there is one.
    pub message: String,
    /// What led to it, outermost first, without what the message says already.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The message, then a line for each cause and one for the hint.
impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, "\n  caused by: {cause}"))?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

/// How a diagnostic is written to JSON: causes as texts, field names not yet rendered.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Diagnostic")]
struct Stored {
    /// What happened; `{train.resume}` stands for the name of an option.
    #[serde(alias = "text")]
    message: String,
    /// What to do about it.
    #[serde(default)]
    hint: Option<String>,
    /// The option that it is about, such as `train.learning_rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

impl From<Diagnostic> for Stored {
    fn from(from: Diagnostic) -> Self {
        let causes = from.render(&|_: &str| None::<String>).causes;
        Self { message: from.message, hint: from.hint, field: from.field, causes }
    }
}

impl From<Stored> for Diagnostic {
    fn from(from: Stored) -> Self {
        let mut source: Option<Arc<dyn Error + Send + Sync>> = None;
        for message in from.causes.into_iter().rev() {
            source = Some(Arc::new(Self { message, source, ..Self::default() }));
        }
        Self { message: from.message, hint: from.hint, field: from.field, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn flags(path: &str) -> Option<String> {
        path.strip_prefix("train.").map(|option| format!("--{}", option.replace('_', "-")))
    }

    #[test]
    fn each_face_names_fields_its_own_way() {
        let error = Diagnostic::new("expected a number, found abc")
            .with_field("train.save_every")
            .with_hint("leave {train.save_every} out");
        assert_eq!(error.to_string(), "train.save_every: expected a number, found abc");
        let shown = error.render(&flags);
        assert_eq!(shown.message, "--save-every: expected a number, found abc");
        assert_eq!(shown.hint.as_deref(), Some("leave --save-every out"));
    }

    #[test]
    fn causes_are_kept_as_errors_and_shown_once() {
        let io = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let inner = Diagnostic::of(io).with_hint("look for it");
        assert!(inner.source().is_none(), "its text is the message");
        let outer = inner.in_context("the run cannot be resumed");
        let shown = outer.render(&PlainNames);
        assert_eq!(shown.message, "the run cannot be resumed");
        assert_eq!(shown.causes, ["no such file"]);
        assert_eq!(shown.hint.as_deref(), Some("look for it"));
        assert_eq!(outer.find::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn json_keeps_what_is_read() {
        let error = Diagnostic::new("{train.lr} is bad")
            .with_source(Diagnostic::new("inner {train.lr}").with_source(Diagnostic::new("root")))
            .with_field("train.lr");
        let json = serde_json::to_string(&error).unwrap();
        let again: Diagnostic = serde_json::from_str(&json).unwrap();
        assert_eq!(error, again);
        assert_eq!(again.render(&flags), error.render(&flags));
        let old: Diagnostic = serde_json::from_str(r#"{"text":"a","hint":"b"}"#).unwrap();
        assert_eq!(old, Diagnostic::new("a").with_hint("b"));
    }
}
