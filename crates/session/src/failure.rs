//! How a job fails: a diagnostic, and whether it was stopped rather than wrong.
use std::path::Path;
use wayword_interface::{Diagnostic, FieldNames, Rendered};

/// What kind of failure it is; the command line's exit codes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A file or a value does not fit.
    Input,
    /// Memory does not suffice.
    Memory,
    /// A disk is full, or a folder may not be written.
    Disk,
    /// Somebody asked it to stop; what was done until then is kept.
    Stopped,
}

/// Why a job has no result.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What happened, and what to do.
    pub diagnostic: Diagnostic,
}

impl Failure {
    /// The user's input does not fit. Message: lower case, no full stop.
    pub(crate) fn user(message: impl Into<String>) -> Self {
        Diagnostic::new(message).into()
    }

    /// A job that ended early, but tidily.
    pub(crate) fn stopped(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Stopped, diagnostic: Diagnostic::new(message) }
    }

    /// An error of the operating system, with the file that it is about.
    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        let cause = std::io::Error::new(error.kind(), error.to_string());
        Diagnostic::new(format!("{what} {}", path.display())).with_source(cause).into()
    }

    /// An error that knows no way out.
    pub(crate) fn of(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Diagnostic::of(error).into()
    }

    /// It was asked to stop.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        self.kind == FailureKind::Stopped
    }

    /// Memory does not suffice.
    pub(crate) fn memory(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Memory, ..Self::user(message) }
    }

    /// The same with a way out.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { diagnostic: self.diagnostic.with_hint(hint), ..self }
    }

    /// Names the place that it is about, before what went wrong there.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.diagnostic.message = format!("{place}: {}", self.diagnostic.message);
        self
    }

    /// What happened, without causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.diagnostic.message
    }

    /// Texts with the face's names of fields.
    #[must_use]
    pub fn render(&self, names: &dyn FieldNames) -> Rendered {
        self.diagnostic.render(names)
    }
}

/// A diagnostic's texts that still name fields as `{train.resume}`, for a face to render.
pub(crate) fn unrendered(diagnostic: &Diagnostic) -> Rendered {
    diagnostic.render(&|path: &str| Some(format!("{{{path}}}")))
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        use std::io::ErrorKind::{
            PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        let of_disk = |error: &std::io::Error| {
            matches!(
                error.kind(),
                StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied
            )
        };
        let disk = diagnostic.find::<std::io::Error>().is_some_and(of_disk);
        Self { kind: if disk { FailureKind::Disk } else { FailureKind::Input }, diagnostic }
    }
}

/// `?` on the libraries' errors: their text, causes, hint and field.
macro_rules! from_library {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Diagnostic::from(error).into()
            }
        }
    )*};
}

/// `?` on errors that know no way out.
macro_rules! from_plain {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(error)
            }
        }
    )*};
}

from_library!(
    wayword_formats::Error,
    wayword_prompt::PromptError,
    wayword_diffusion::sigmas::UnknownName
);
from_plain!(std::io::Error, serde_json::Error, image::ImageError, ab_glyph::InvalidFont);

/// A stop is no fault.
impl From<wayword_diffusion::Error> for Failure {
    fn from(error: wayword_diffusion::Error) -> Self {
        let stopped = matches!(error, wayword_diffusion::Error::Stopped);
        let failure: Self = Diagnostic::from(error).into();
        if stopped { Self { kind: FailureKind::Stopped, ..failure } } else { failure }
    }
}

impl From<wayword_train::Error> for Failure {
    fn from(error: wayword_train::Error) -> Self {
        match error {
            wayword_train::Error::Draw(error) => error.into(),
            other => Diagnostic::from(other).into(),
        }
    }
}
