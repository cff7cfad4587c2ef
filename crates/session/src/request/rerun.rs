//! `wayword rerun`: flags for repeating a run.
use super::common::at_least_one;
use clap::Args;
use std::path::PathBuf;

/// Repeat the run that made a word, bit for bit.
///
/// FILE is a word's .safetensors file, or the run's folder NAME.run. The word's file holds the
/// run's options, seed and the hashes of its base and pictures, but no paths: where its run's
/// folder does not lie beside it, say where the pictures and the base are.
#[derive(Debug, Clone, Args)]
pub struct Rerun {
    /// The word's file, or the run's folder
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Folders that hold the run's pictures, under any names [default: where the run had them]
    #[arg(value_name = "IMAGES")]
    pub images: Vec<PathBuf>,

    /// The run's checkpoint [default: where the run had it]
    #[arg(long, value_name = "CKPT", help_heading = "Model")]
    pub base: Option<PathBuf>,

    /// Folder for the word's files
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Output")]
    pub out: PathBuf,

    /// Throw away a run of this name in that folder
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Threads to use; the results do not depend on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Machine")]
    pub threads: Option<usize>,

    /// Compute the UNet's blocks a second time in backward; the results do not depend on it
    #[arg(long, help_heading = "Machine")]
    pub low_memory: bool,

    /// Write events as JSON, one object a line, to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
