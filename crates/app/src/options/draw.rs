//! `wayword draw`: flags for drawing pictures.
use super::common::{Base, Machine, Size, at_least_one};
use clap::Args;
use std::path::PathBuf;

/// Draw pictures from a prompt, with learned words.
///
/// A word is triggered by its file's name. `(word:0.8)` weakens it, `(word:1.2)` strengthens it, by
/// the rules of A1111. Each picture is a PNG that holds its settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct Draw {
    /// What to draw
    #[arg(value_name = "PROMPT")]
    pub(crate) prompt: String,

    #[command(flatten)]
    pub(crate) base: Base,

    /// Folder of embedding files, or one file; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub(crate) embeddings: Vec<PathBuf>,

    /// Folder of LoRA files, for `<lora:name:0.8>` in the prompt; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub(crate) loras: Vec<PathBuf>,

    /// What to stay away from
    #[arg(
        long,
        value_name = "PROMPT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Prompt"
    )]
    pub(crate) negative: String,

    /// Pictures to draw; each next one has the next seed
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Picture")]
    pub(crate) count: usize,

    /// Seed of the first picture [default: a random one]
    #[arg(long, value_name = "N", help_heading = "Picture")]
    pub(crate) seed: Option<u64>,

    /// Denoising steps
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 20, help_heading = "Picture")]
    pub(crate) steps: usize,

    /// How strongly the prompt guides
    #[arg(long, value_name = "X", default_value_t = 7.0, help_heading = "Picture")]
    pub(crate) cfg: f64,

    /// Sampler, by its name in A1111, such as "Euler a" or "DPM++ 2M Karras"
    #[arg(long, value_name = "NAME", default_value = "DPM++ 2M Karras", help_heading = "Picture")]
    pub(crate) sampler: String,

    /// Size [default: the base's own]
    #[arg(long, value_name = "W,H", help_heading = "Picture")]
    pub(crate) size: Option<Size>,

    /// Which layer of the text encoder is used, counted from the last; 1 is the last
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Model")]
    pub(crate) clip_skip: usize,

    /// Folder for numbered pictures, or one PNG file
    #[arg(long, value_name = "DIR|FILE", default_value = ".", help_heading = "Output")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) machine: Machine,
}
