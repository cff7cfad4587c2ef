//! What became of photos that were prepared before a plan was made, as it is told with the plan.
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The photos of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PreparedPhotos {
    /// Where the images lie that were made of them.
    pub folder: PathBuf,
    /// Photos of which images were made, with what they show.
    pub kept: Vec<PreparedPhoto>,
    /// Photos that are left out, with the reasons.
    pub left_out: Vec<PreparedPhoto>,
}

/// A photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PreparedPhoto {
    /// The file's name.
    pub name: String,
    /// What is to be said of it.
    pub remarks: Vec<String>,
}
