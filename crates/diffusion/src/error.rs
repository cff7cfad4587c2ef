//! What can go wrong between a prompt and a picture.
use crate::LoadReport;
use std::path::PathBuf;
use wayword_interface::Diagnostic;

/// An error of loading or drawing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read, or is another kind of file.
    #[error(transparent)]
    File(#[from] wayword_formats::Error),
    /// The device refused or failed.
    #[error(transparent)]
    Device(#[from] wayword_tensor::Error),
    /// A checkpoint does not hold the whole model.
    #[error("{}: this is not a whole Stable Diffusion 1.x model: {report}", path.display())]
    Incomplete {
        /// The file or folder.
        path: PathBuf,
        /// What is missing or misshapen.
        report: Box<LoadReport>,
    },
    /// A plan asks for something that cannot be.
    #[error(transparent)]
    Plan(#[from] Diagnostic),
    /// A prompt cannot be understood.
    #[error("prompt: {0}")]
    Prompt(#[from] wayword_prompt::PromptError),
    /// An embedding cannot be used with this base.
    #[error("embedding `{name}`: expected {expected}, found {found}")]
    Embedding {
        /// The word.
        name: String,
        /// What would fit.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// A LoRA cannot be used.
    #[error("LoRA `{name}`: {reason}")]
    Lora {
        /// The name that was asked for, or the module.
        name: String,
        /// Why not.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A file's hash could not be computed.
    #[error("{}: {reason}", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The reader's words.
        reason: String,
    },
    /// A stop was requested before there was a result.
    #[error("stopped before the work was done")]
    Stopped,
    /// A computation gave something that is not a number.
    #[error("{what} is not a number")]
    NotANumber {
        /// What was computed, and at which step.
        what: String,
    },
}

impl Error {
    /// A further line of advice, without its `hint: ` prefix.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(e) => e.hint(),
            Self::Incomplete { .. } => {
                Some("the file may be damaged or incomplete: download it again, or use another".into())
            }
            Self::Embedding { .. } => Some(
                "embeddings work only with the family of models that they were trained for".into(),
            ),
            Self::Plan(diagnostic) => diagnostic.hint.clone(),
            Self::Lora { hint, .. } => hint.clone(),
            Self::Prompt(e) => e.hint.clone(),
            Self::NotANumber { .. } => Some(
                "some VAEs and merged models overflow: try {any.precision} f32 or another {any.vae}"
                    .into(),
            ),
            _ => None,
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        match error {
            Error::File(error) => error.into(),
            Error::Device(error) => error.into(),
            Error::Plan(diagnostic) => diagnostic,
            other => {
                let hint = other.hint();
                Self::of(other).with_hint_if(hint)
            }
        }
    }
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
