//! What can go wrong in a training, with the file or option, what was expected and what was found.
use std::io;
use std::path::{Path, PathBuf};
use wayword_interface::Diagnostic;

/// An error of this crate. Faces show it as a [`Diagnostic`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option, picture, caption, run folder or image encoder cannot be used.
    #[error(transparent)]
    Refused(#[from] Diagnostic),
    /// The training has no finite numbers any more.
    #[error("step {step}: {what}")]
    Diverged {
        /// The step, counted from 1, that was not done.
        step: usize,
        /// Which number, and of what.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The base cannot be loaded, or a preview not be drawn.
    #[error(transparent)]
    Draw(#[from] wayword_diffusion::Error),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] wayword_tensor::Error),
    /// A checkpoint, embedding or picture cannot be read or written.
    #[error(transparent)]
    Format(wayword_formats::Error),
}

/// A failure of the system keeps its kind, by which its hint is found.
impl From<wayword_formats::Error> for Error {
    fn from(error: wayword_formats::Error) -> Self {
        match error {
            wayword_formats::Error { path, fault: wayword_formats::Fault::Io(source) } => {
                Self::File { path, source }
            }
            other => Self::Format(other),
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(diagnostic) => diagnostic,
            Error::Draw(error) => error.into(),
            Error::Device(error) => error.into(),
            Error::Format(error) => error.into(),
            Error::File { .. } | Error::Diverged { .. } => {
                let hint = error.hint();
                Self::of(error).with_hint_if(hint)
            }
        }
    }
}

/// A diagnostic about a file, named before what is wrong there.
pub(crate) fn about(path: &Path, mut diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
    diagnostic
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An option's value that cannot be used. `option` is a field such as `train.batch`, with or
    /// without the braces that it has in texts, or names what no field stands for.
    pub fn option(
        option: &str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Self {
        let text = format!("expected {expected}, found {found}");
        let field = option.trim_matches(['{', '}']);
        Self::Refused(if field.starts_with("train.") {
            Diagnostic::new(text).with_field(field)
        } else {
            Diagnostic::new(format!("{option}: {text}"))
        })
    }

    /// Pictures or captions that cannot be used.
    pub fn data(what: impl Into<String>) -> Self {
        Self::Refused(Diagnostic::new(what))
    }

    /// A file, a run's folder or a file in it that cannot be used.
    pub fn run(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::Refused(Diagnostic::new(format!("{}: {what}", path.display())))
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self::Refused(Diagnostic::from(self).with_hint(hint))
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(diagnostic) => diagnostic.hint.clone(),
            Self::Diverged { .. } => Some(
                "a lower {train.learning_rate}, or {train.precision} f32, usually helps".into(),
            ),
            Self::File { source, .. } => file_hint(source.kind()).map(str::to_owned),
            Self::Draw(error) => error.hint(),
            Self::Format(error) => error.hint(),
            Self::Device(_) => None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(Diagnostic::from(self).with_source(source))
    }
}

fn file_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("the disk is full; make room, then go on with {train.resume}")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("choose a folder that you may write to, by {train.out} DIR")
        }
        io::ErrorKind::InvalidData => Some("save it as UTF-8"),
        io::ErrorKind::NotFound => {
            Some("nothing has this name; relative names count from the folder you are in")
        }
        _ => None,
    }
}

/// Puts a file's name to an I/O error.
pub(crate) trait AtFile<T> {
    /// `path` is the file that was read or written.
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> AtFile<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|source| Error::File { path: path.into(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_how_to_go_on() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let path = Path::new("DIR/word.run/rows.bin");
        let plain: Result<()> = Err(full()).at(path);
        let fault = wayword_formats::Fault::Io(full());
        for error in [plain.unwrap_err(), Error::from(fault.at(path))] {
            assert!(error.to_string().starts_with("DIR/word.run/rows.bin: "), "{error}");
            let error = Diagnostic::from(error);
            assert!(error.hint.as_ref().unwrap().contains("{train.resume}"), "{error}");
            assert!(error.find::<io::Error>().is_some(), "the system's error is kept");
        }
        let read_only: Result<()> = Err(io::ErrorKind::ReadOnlyFilesystem.into()).at(path);
        let hint = Diagnostic::from(read_only.unwrap_err()).hint;
        assert!(hint.unwrap().contains("{train.out}"));
    }
}
