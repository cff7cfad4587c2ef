//! Textual inversion: data set, trainable rows, the loop, checkpoints, judges.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod error;
pub mod judge;
pub mod lr;
pub mod optim;
pub mod resume;
pub mod run_folder;
pub mod streams;

pub use error::{Error, Result};
