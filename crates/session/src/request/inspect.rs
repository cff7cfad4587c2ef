//! `wayword inspect`: flags for looking into a file.
use clap::Args;
use std::path::PathBuf;

/// Say what is in a checkpoint, an embedding or LoRA file, or how a picture was drawn.
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// A checkpoint, a diffusers folder, an embedding or LoRA file, or a picture, whose settings are
    /// told
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Checkpoint whose vocabulary the vectors of an embedding are compared with
    #[arg(long, value_name = "CKPT")]
    pub base: Option<PathBuf>,

    /// Skip the hashes: they read the whole file
    #[arg(long)]
    pub no_hash: bool,

    /// Write one JSON object to standard output
    #[arg(long)]
    pub json: bool,
}
