//! Events of loading and drawing.
use crate::LoadReport;
use crate::generate::SmallPicture;
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
    /// The job waits until others that use the base with other adapters are done.
    Waiting,
    /// A drawing in progress, where previews were asked for.
    Preview {
        /// The picture's place, from 0.
        index: usize,
        /// Steps done of its pass.
        step: usize,
        /// The clean latents of the step, small.
        picture: SmallPicture,
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
