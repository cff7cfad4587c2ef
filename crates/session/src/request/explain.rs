//! `wayword explain`: flags for reading a prompt without drawing it.
use super::common::at_least_one;
use super::settings::Places;
use clap::Args;
use std::path::PathBuf;

/// Say how a prompt is read: its tree, its tokens, its words and LoRAs.
///
/// Nothing is drawn and no model is loaded. Mistakes are shown at their place in the prompt.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The prompt
    #[arg(value_name = "PROMPT")]
    pub prompt: String,

    /// A negative prompt to explain, too
    #[arg(long, value_name = "PROMPT")]
    pub negative: Option<String>,

    /// Checkpoint that embeddings must fit; of it only the width of its words is read
    #[arg(long, value_name = "CKPT")]
    pub base: Option<PathBuf>,

    #[command(flatten)]
    pub places: Places,

    /// Seed by which wildcards and variants are chosen
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Denoising steps that schedules are laid over
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 20)]
    pub steps: usize,

    /// Read the prompt with the accidents of A1111
    #[arg(long)]
    pub a1111_quirks: bool,

    /// Write one JSON object to standard output
    #[arg(long)]
    pub json: bool,
}
