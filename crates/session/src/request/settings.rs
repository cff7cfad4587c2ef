//! Flags that say how pictures are drawn, for one picture as for the cells of a grid.
use super::common::{Size, at_least_one, seed};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Words, LoRAs and wildcards that prompts may use.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// Folder of embedding files, or one file; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub embeddings: Vec<PathBuf>,

    /// Folder of LoRA files, for `<lora:name:0.8>` in the prompt; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub loras: Vec<PathBuf>,

    /// Folder of wildcard files, for `__name__` and `{a|b}` in prompts; may be given more than once
    #[arg(long, value_name = "DIR", help_heading = "Prompt")]
    pub wildcards: Vec<PathBuf>,
}

/// How pictures are drawn; what is left out is as usual, or as a repeated picture says.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// What to stay away from
    #[arg(long, value_name = "PROMPT", help_heading = "Prompt")]
    pub negative: Option<String>,

    /// What weights in brackets do [default: original]
    #[arg(long, value_enum, value_name = "MODE", help_heading = "Prompt")]
    pub emphasis: Option<Emphasis>,

    /// Keep what A1111 does by accident; docs/prompts.md lists it
    #[arg(long, help_heading = "Prompt")]
    pub a1111_quirks: bool,

    /// Seed of the first picture, and of all cells of a grid; -1 is a random one [default: -1]
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true, help_heading = "Picture")]
    pub seed: Option<u64>,

    /// Second seed, for variations of the first [default: -1]
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true, requires = "subseed_strength", help_heading = "Picture")]
    pub subseed: Option<u64>,

    /// How far the noise goes to the second seed's, 0 to 1; all pictures have the same seed then
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub subseed_strength: Option<f64>,

    /// Denoising steps [default: 20]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Picture")]
    pub steps: Option<usize>,

    /// How strongly the prompt guides [default: 7]
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub cfg: Option<f64>,

    /// Sampler, by its name in A1111, such as "Euler a" [default: DPM++ 2M Karras]
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub sampler: Option<String>,

    /// Where the steps lie, by A1111's name, such as "SGM Uniform" [default: the sampler's own]
    #[arg(long, value_name = "NAME", help_heading = "Picture")]
    pub schedule: Option<String>,

    /// Share of noise that is made anew at each step [default: 1, DDIM 0]
    #[arg(long, value_name = "X", help_heading = "Picture")]
    pub eta: Option<f64>,

    /// Added to the seed for all noise after the first (A1111's ENSD) [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Picture")]
    pub ensd: Option<i64>,

    /// Whose random numbers: A1111's on a processor, or those of an NVIDIA card [default: cpu]
    #[arg(long, value_enum, value_name = "SOURCE", help_heading = "Picture")]
    pub noise: Option<Noise>,

    /// Size [default: the base's own, or near --image's]
    #[arg(long, value_name = "W,H", help_heading = "Picture")]
    pub size: Option<Size>,

    /// Which layer of the text encoder is used, counted from the last; 1 is the last [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Model")]
    pub clip_skip: Option<usize>,
}

/// What weights in brackets do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emphasis {
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
pub enum Noise {
    /// torch's generator for processors
    Cpu,
    /// The generator of NVIDIA cards
    Nv,
}
