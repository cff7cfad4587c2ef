//! `wayword bench`: flags for measuring this machine.
use super::common::{Precision, at_least_one};
use clap::{Args, ValueEnum};

/// Measure this machine on a model of Stable Diffusion 1.5's size.
///
/// The weights are made in memory and mean nothing; making them is not timed. One run warms up,
/// the median of the others counts.
#[derive(Debug, Clone, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum, value_name = "WORK")]
    pub(crate) work: Work,

    /// Width and height of the picture in pixels, a multiple of 64
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = side)]
    pub(crate) size: usize,

    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) batch: usize,

    /// Timed runs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one)]
    pub(crate) repeats: usize,

    /// Precision of the products [default: the fastest that this processor has]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Machine")]
    pub(crate) precision: Option<Precision>,

    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Machine")]
    pub(crate) threads: Option<usize>,

    /// Compute the UNet's blocks a second time in backward instead of keeping what they need
    #[arg(long, help_heading = "Machine")]
    pub(crate) low_memory: bool,

    /// Write one JSON object to standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// A training step: the UNet forward, and backward to the text
    Step,
    /// A denoising step with guidance: the UNet for two samples
    Draw,
    /// The text encoder, prompt and negative prompt
    Text,
    /// The VAE: picture to latents, latents to picture
    Vae,
    /// Weights into the form that the processor wants
    Load,
}

fn side(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(side) if (64..=2048).contains(&side) && side.is_multiple_of(64) => Ok(side),
        _ => Err("expected a multiple of 64 from 64 to 2048".into()),
    }
}
