//! `wayword grid`: flags for drawing one prompt with many settings.
use super::common::{Base, Machine};
use super::settings::{Places, Settings};
use clap::Args;
use std::path::PathBuf;

/// Draw a grid: one prompt with other weights, steps, files, checkpoints beside each other.
///
/// An axis is written `NAME: VALUES`, with the lists of A1111's X/Y/Z plot: `0.4, 0.8`, `10-30 (+10)`,
/// `0-1 [5]`, `"with, comma", other`. Names: seed, steps, cfg, sampler, schedule, clip skip, size, base
/// (a checkpoint), embedding (a file for the word), step (of the run that --run names), weight (of the
/// word), lora weight, replace (the first value in the prompt by each), order (of these texts). With
/// several words or LoRAs the name says which: `weight zarva-ti: 0.4, 0.8`.
#[derive(Debug, Clone, Args)]
pub struct Grid {
    /// What to draw
    #[arg(value_name = "PROMPT")]
    pub prompt: String,

    /// What changes from left to right
    #[arg(long, value_name = "AXIS", help_heading = "Axes")]
    pub x: Option<String>,

    /// What changes from top to bottom
    #[arg(long, value_name = "AXIS", help_heading = "Axes")]
    pub y: Option<String>,

    /// What changes from one sheet to the next
    #[arg(long, value_name = "AXIS", help_heading = "Axes")]
    pub z: Option<String>,

    /// Draw on each of these checkpoints: the same as `--x 'base: …'`
    #[arg(long, value_name = "CKPT", num_args = 1.., conflicts_with = "x", help_heading = "Axes")]
    pub travel: Vec<PathBuf>,

    /// The folder NAME.run of a training, for an axis `step`
    #[arg(long, value_name = "RUN", help_heading = "Axes")]
    pub run: Option<PathBuf>,

    #[command(flatten)]
    pub base: Base,

    #[command(flatten)]
    pub places: Places,

    #[command(flatten)]
    pub settings: Settings,

    /// Folder for the sheet (grid.png), the page (index.html) and the cells
    #[arg(long, value_name = "DIR", default_value = "grid", help_heading = "Output")]
    pub out: PathBuf,

    /// Draw into a folder that holds a grid already
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    #[command(flatten)]
    pub machine: Machine,
}
