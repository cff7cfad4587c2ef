//! `wayword draw`: flags for drawing pictures.
mod image;

pub(crate) use image::{Content, Hires, Image, Shape};

use super::common::{Base, Machine, Size, at_least_one};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Draw pictures from a prompt, with learned words.
///
/// A word is triggered by its file's name. `(word:0.8)` weakens it, `(word:1.2)` strengthens it, by
/// the rules of A1111. Each picture holds its settings; `--from` repeats a picture from them, and
/// every other flag changes what it names.
#[derive(Debug, Clone, Args)]
pub(crate) struct Draw {
    /// What to draw
    #[arg(value_name = "PROMPT", required_unless_present_any = ["from", "prompts"])]
    pub(crate) prompt: Option<String>,

    #[command(flatten)]
    pub(crate) base: Base,

    /// Folder of embedding files, or one file; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub(crate) embeddings: Vec<PathBuf>,

    /// Folder of LoRA files, for `<lora:name:0.8>` in the prompt; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub(crate) loras: Vec<PathBuf>,

    /// Folder of wildcard files, for `__name__` and `{a|b}` in prompts; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub(crate) wildcards: Vec<PathBuf>,

    /// Draw every possibility of wildcards and variants once, instead of one by chance for each
    /// seed; --count is the most
    #[arg(long, help_heading = "Prompt")]
    pub(crate) combinatorial: bool,

    /// Draw the prompts of a file, one a line; a line may also be flags in A1111's way, such as
    /// `--prompt "a cat" --seed 5`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "from"], help_heading = "Prompt")]
    pub(crate) prompts: Option<PathBuf>,

    /// What to stay away from
    #[arg(long, value_name = "PROMPT", help_heading = "Prompt")]
    pub(crate) negative: Option<String>,

    /// What weights in brackets do [default: original]
    #[arg(long, value_enum, value_name = "MODE", help_heading = "Prompt")]
    pub(crate) emphasis: Option<Emphasis>,

    /// Keep what A1111 does by accident; docs/prompts.md lists it
    #[arg(long, help_heading = "Prompt")]
    pub(crate) a1111_quirks: bool,

    /// Repeat a picture (PNG, JPEG, WebP) from the settings that it holds
    #[arg(long, value_name = "IMAGE", help_heading = "Picture")]
    pub(crate) from: Option<PathBuf>,

    /// Pictures to draw; each next one has the next seed [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Picture")]
    pub(crate) count: Option<usize>,

    /// Pictures that are computed at once: faster, but more memory
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Picture")]
    pub(crate) batch: usize,

    /// Seed of the first picture [default: a random one]
    #[arg(long, value_name = "N", help_heading = "Picture")]
    pub(crate) seed: Option<u64>,

    /// Second seed, for variations of the first [default: a random one]
    #[arg(long, value_name = "N", requires = "subseed_strength", help_heading = "Picture")]
    pub(crate) subseed: Option<u64>,

    /// How far the noise goes to the second seed's, 0 to 1; all pictures have the same seed then
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub(crate) subseed_strength: Option<f64>,

    /// Denoising steps [default: 20]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Picture")]
    pub(crate) steps: Option<usize>,

    /// How strongly the prompt guides [default: 7]
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub(crate) cfg: Option<f64>,

    /// Sampler, by its name in A1111, such as "Euler a" [default: DPM++ 2M Karras]
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub(crate) sampler: Option<String>,

    /// Where the steps lie, by A1111's name, such as "SGM Uniform" [default: the sampler's own]
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub(crate) schedule: Option<String>,

    /// Share of noise that is made anew at each step [default: 1, DDIM 0]
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub(crate) eta: Option<f64>,

    /// Added to the seed for all noise after the first (A1111's ENSD) [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Picture")]
    pub(crate) ensd: Option<i64>,

    /// Whose random numbers: A1111's on a processor, or those of an NVIDIA card [default: cpu]
    #[arg(long, value_enum, value_name = "SOURCE", help_heading = "Picture")]
    pub(crate) noise: Option<Noise>,

    /// Size [default: the base's own, or near --image's]
    #[arg(long, value_name = "W,H", help_heading = "Picture")]
    pub(crate) size: Option<Size>,

    #[command(flatten)]
    pub(crate) image: Image,

    #[command(flatten)]
    pub(crate) hires: Hires,

    /// Which layer of the text encoder is used, counted from the last; 1 is the last [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Model")]
    pub(crate) clip_skip: Option<usize>,

    /// Folder for numbered pictures, or one file whose ending is a format
    #[arg(long, value_name = "DIR|FILE", default_value = ".", help_heading = "Output")]
    pub(crate) out: PathBuf,

    /// Format of numbered pictures; JPEG loses detail
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Format::Png, help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

/// What weights in brackets do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emphasis {
    /// They scale the states, and the mean is restored
    Original,
    /// They scale the states
    NoNorm,
    /// Brackets vanish, and nothing is weighted
    Ignore,
    /// Brackets are text
    None,
}

/// Whose random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Noise {
    /// torch's generator for processors
    Cpu,
    /// The generator of NVIDIA cards
    Nv,
}

/// A picture file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lossless
    Png,
    /// Small, with losses
    Jpg,
    /// Lossless
    Webp,
}
