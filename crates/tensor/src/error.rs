//! What can go wrong in a device, with the operation and the shapes.
use thiserror::Error;
use wayword_interface::Diagnostic;

/// A device's error. Shapes that do not fit are bugs of the caller and panic instead: models are
/// checked against the file when they are loaded.
#[derive(Debug, Error)]
pub enum Error {
    /// A host array's number of values is not its shape's.
    #[error("{what}: expected {expected} values, found {found}")]
    Size {
        /// What was handed over.
        what: String,
        /// Product of the shape.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A weight's shape does not suit the layout.
    #[error("weight of shape {found:?} cannot be used as {layout}")]
    Layout {
        /// The layout asked for.
        layout: &'static str,
        /// The shape found.
        found: Vec<usize>,
    },
    /// There is no device of this name.
    #[error("unknown device `{id}`, expected {}", known.join(" or "))]
    UnknownDevice {
        /// The name that was asked for.
        id: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The device refused or failed.
    #[error("{device}: {reason}")]
    Device {
        /// Name of the device.
        device: String,
        /// Its own description of the failure.
        reason: String,
    },
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
