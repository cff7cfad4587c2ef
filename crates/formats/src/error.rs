//! What can be wrong with a file: the file, the place in it, what was expected and what was found.

use std::path::{Path, PathBuf};
use wayword_interface::Diagnostic;

/// A fault together with the file it was found in.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Error {
    /// A further line of advice, without its `hint: ` prefix.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.fault.hint()
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let hint = error.hint();
        Self::of(error).with_hint_if(hint)
    }
}

/// What is wrong, without the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be opened, read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file ends before its own header says so.
    #[error("file truncated: header says {says} bytes, file has {has}")]
    Truncated {
        /// Bytes that the file should have.
        says: u64,
        /// Bytes that it has.
        has: u64,
    },
    /// The container (safetensors header, zip directory, picture) is broken or is another format.
    #[error("{0}")]
    Container(String),
    /// The container cannot be read or written by the library that knows its kind.
    #[error("{what}: {source}")]
    Library {
        /// The part that was read or written.
        what: String,
        /// The library's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One tensor does not fit.
    #[error("tensor `{key}`: expected {expected}, found {found}")]
    Tensor {
        /// The tensor's name in the file; empty where it has none.
        key: String,
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The pickle is broken or does what a list of tensors never needs.
    #[error("pickle, byte {offset}: {what}")]
    Pickle {
        /// Byte offset in the pickle stream.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
    /// The pickle names a Python object outside the list of harmless ones.
    #[error("pickle, byte {offset}: `{global}` is not allowed; nothing was run")]
    Forbidden {
        /// Byte offset in the pickle stream.
        offset: usize,
        /// `module.name` as the file has it.
        global: String,
    },
    /// The file is sound but is not what was asked for.
    #[error("{what}")]
    Kind {
        /// What the file is.
        what: String,
        /// What to do with it.
        hint: Option<String>,
    },
}

impl Fault {
    /// Puts the file's name to the fault.
    #[must_use]
    pub fn at(self, path: &Path) -> Error {
        Error { path: path.to_owned(), fault: self }
    }

    /// Names the tensor in a fault that had no key yet.
    #[must_use]
    pub fn key(self, name: &str) -> Self {
        match self {
            Self::Tensor { key, expected, found } if key.is_empty() => {
                Self::Tensor { key: name.to_owned(), expected, found }
            }
            other => other,
        }
    }

    /// A fault of the container.
    #[must_use]
    pub fn container(what: impl Into<String>) -> Self {
        Self::Container(what.into())
    }

    /// A fault that a library found.
    #[must_use]
    pub fn library(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Library { what: what.into(), source: source.into() }
    }

    /// A sound file of another kind.
    #[must_use]
    pub fn kind(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Kind { what: what.into(), hint: Some(hint.into()) }
    }

    /// A tensor that does not fit.
    #[must_use]
    pub fn tensor(key: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Tensor { key: key.to_owned(), expected: expected.into(), found: found.into() }
    }

    /// A further line of advice, without its `hint: ` prefix.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Kind { hint, .. } => hint.clone(),
            Self::Truncated { .. } => Some("download the file again".into()),
            Self::Forbidden { .. } => {
                Some("the file may be malicious; ask its author for a .safetensors file".into())
            }
            _ => None,
        }
    }
}

/// Puts the file's name to a result's fault.
pub trait At<T> {
    /// `path` is the file that was read or written.
    ///
    /// # Errors
    /// The same failure, with the path.
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T, F: Into<Fault>> At<T> for Result<T, F> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|f| f.into().at(path))
    }
}
