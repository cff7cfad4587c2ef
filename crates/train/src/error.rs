//! What can go wrong in a training, with the file or option, what was expected and what was found.
use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate. [`Error::hint`] gives a line of advice where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option's value cannot be used.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// The option as the user writes it, such as `--steps`.
        option: String,
        /// What would have been right.
        expected: String,
        /// What was given.
        found: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The pictures or captions cannot be used.
    #[error("{what}")]
    Data {
        /// What is wrong, with the file or folder.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A run's folder cannot be used.
    #[error("{}: {what}", path.display())]
    Run {
        /// The folder or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The training has no finite numbers any more.
    #[error("step {step}: {what}")]
    Diverged {
        /// The step, counted from 1, that was not done.
        step: usize,
        /// Which number, and of what.
        what: String,
    },
    /// An image encoder cannot be used.
    #[error("{}: {what}", path.display())]
    ImageEncoder {
        /// The network's file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A preview cannot be drawn.
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

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An option's value that cannot be used.
    pub fn option(
        option: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (option, expected, found) = (option.into(), expected.into(), found.into());
        Self::Option { option, expected, found, hint: None }
    }

    /// Pictures or captions that cannot be used.
    pub fn data(what: impl Into<String>) -> Self {
        Self::Data { what: what.into(), hint: None }
    }

    /// A run's folder that cannot be used.
    pub fn run(path: &Path, what: impl Into<String>) -> Self {
        Self::Run { path: path.into(), what: what.into(), hint: None }
    }

    /// The same error with a line of advice, where its kind has a place for one.
    #[must_use]
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Option { hint, .. }
        | Self::Data { hint, .. }
        | Self::Run { hint, .. }
        | Self::ImageEncoder { hint, .. } = &mut self
        {
            *hint = Some(advice.into());
        }
        self
    }

    /// A line of advice, without its `hint: ` prefix.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Option { hint, .. }
            | Self::Data { hint, .. }
            | Self::Run { hint, .. }
            | Self::ImageEncoder { hint, .. } => hint.clone(),
            Self::Diverged { .. } => Some("a lower --lr, or --precision f32, usually helps".into()),
            Self::File { source, .. } => file_hint(source.kind()).map(str::to_owned),
            Self::Format(error) => error.hint(),
            Self::Draw(error) => error.hint(),
            Self::Device(_) => None,
        }
    }
}

fn file_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("the disk is full; make room, then go on with --resume")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("choose a folder that you may write to, by --out DIR")
        }
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
            assert!(error.hint().unwrap().contains("--resume"), "{error}");
        }
        let read_only: Result<()> = Err(io::ErrorKind::ReadOnlyFilesystem.into()).at(path);
        assert!(read_only.unwrap_err().hint().unwrap().contains("--out"));
    }
}
