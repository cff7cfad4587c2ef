//! Events of loading and drawing.
use crate::LoadReport;
use std::path::PathBuf;
use wayword_interface::Warning;

/// Something that happened in loading or drawing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A file is being read.
    Loading {
        /// What it is: `base model`, `VAE`, `embeddings`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// The base model is ready.
    Loaded(LoadReport),
    /// One sampler step of one group of pictures is done.
    Step {
        /// Steps done of this group.
        step: usize,
        /// Steps of this group.
        of: usize,
        /// Pictures before this group.
        first: usize,
        /// All pictures.
        pictures: usize,
    },
    /// A picture is done.
    Picture {
        /// Its place, from 0.
        index: usize,
        /// All pictures.
        of: usize,
        /// Its seed.
        seed: u64,
    },
    /// A file was written.
    Saved(PathBuf),
    /// Something that the user should know, but that stops nothing.
    Warned(Warning),
    /// The job ended.
    Finished {
        /// Pictures made.
        pictures: usize,
        /// Seconds it took.
        seconds: f64,
    },
}
