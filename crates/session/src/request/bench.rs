//! `wayword bench`: flags for measuring this machine.
use super::common::{Precision, at_least_one};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Measure this machine on a model of Stable Diffusion 1.5's size, or on a checkpoint.
///
/// Without --base the weights are made in memory and mean nothing; making them is not timed. One run
/// warms up, the median of the others counts. With --base a whole training step is measured, text
/// encoder included, or a whole picture.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// What to measure
    #[arg(value_enum, value_name = "WORK")]
    pub work: Work,

    /// Checkpoint to measure `step`, `draw` or `load` on
    #[arg(long, value_name = "CKPT")]
    pub base: Option<PathBuf>,

    /// Width and height of the picture in pixels, a multiple of 64 [default: 512, or the base's own]
    #[arg(long, value_name = "PIXELS", value_parser = side)]
    pub size: Option<usize>,

    /// Steps of a picture that is drawn with --base
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub steps: usize,

    /// Where `load` writes its checkpoint of 2 GB, and leaves it [default: a temporary file]
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    pub write: Option<PathBuf>,

    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub batch: usize,

    /// Timed runs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one)]
    pub repeats: usize,

    /// Precision of the products [default: the fastest that this processor has]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Machine")]
    pub precision: Option<Precision>,

    /// Instructions to use at most, to compare [default: the best that there are]
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Machine")]
    pub instructions: Option<Instructions>,

    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Machine")]
    pub threads: Option<usize>,

    /// Compute the UNet's blocks a second time in backward instead of keeping what they need
    #[arg(long, help_heading = "Machine")]
    pub low_memory: bool,

    /// Write one JSON object to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// A training step: the UNet forward, and backward to the text
    Step,
    /// A denoising step with guidance: the UNet for two samples
    Draw,
    /// The text encoder, prompt and negative prompt
    Text,
    /// The VAE: picture to latents, latents to picture
    Vae,
    /// A checkpoint from its file into the form that the processor wants
    Load,
}

/// Instruction sets, each with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Instructions {
    /// What every processor of the kind has
    Portable,
    /// AVX2, FMA and F16C
    Avx2,
    /// AVX-512 without bf16 products
    Avx512,
    /// AVX-512 with bf16 products
    #[value(name = "avx512bf16")]
    Avx512Bf16,
    /// The same and AMX tiles
    Amx,
}

fn side(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(side) if (64..=2048).contains(&side) && side.is_multiple_of(64) => Ok(side),
        _ => Err("expected a multiple of 64 from 64 to 2048".into()),
    }
}
