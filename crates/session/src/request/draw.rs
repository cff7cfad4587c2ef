//! `wayword draw`: flags for drawing pictures.
mod image;

pub use image::{Content, Hires, Image, Shape, Sides};

use super::common::{Base, Machine, at_least_one};
use super::settings::{Places, Settings};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Draw pictures from a prompt, with learned words.
///
/// A word is triggered by its file's name. `(word:0.8)` weakens it, `(word:1.2)` strengthens it, by
/// the rules of A1111. Each picture holds its settings; `--from` repeats a picture from them, and
/// every other flag changes what it names.
#[derive(Debug, Clone, Args)]
pub struct Draw {
    /// What to draw
    #[arg(value_name = "PROMPT", required_unless_present_any = ["from", "prompts"])]
    pub prompt: Option<String>,

    #[command(flatten)]
    pub base: Base,

    #[command(flatten)]
    pub places: Places,

    /// Draw every possibility of wildcards and variants once, instead of one by chance for each
    /// seed; --count is the most
    #[arg(long, help_heading = "Prompt")]
    pub combinatorial: bool,

    /// Draw the prompts of a file, one a line; a line may also be flags in A1111's way, such as
    /// `--prompt "a cat" --seed 5`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "from"], help_heading = "Prompt")]
    pub prompts: Option<PathBuf>,

    /// Repeat a picture (PNG, JPEG, WebP) from the settings that it holds
    #[arg(long, value_name = "IMAGE", help_heading = "Picture")]
    pub from: Option<PathBuf>,

    /// Pictures to draw; each next one has the next seed [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Picture")]
    pub count: Option<usize>,

    /// Pictures that are computed at once: faster, but more memory
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Picture")]
    pub batch: usize,

    #[command(flatten)]
    pub settings: Settings,

    #[command(flatten)]
    pub image: Image,

    #[command(flatten)]
    pub hires: Hires,

    /// Folder for numbered pictures, or one file whose ending is a format
    #[arg(long, value_name = "DIR|FILE", default_value = ".", help_heading = "Output")]
    pub out: PathBuf,

    /// Format of numbered pictures; JPEG loses detail
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Format::Png, help_heading = "Output")]
    pub format: Format,

    #[command(flatten)]
    pub machine: Machine,
}

/// A picture file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lossless
    Png,
    /// Small, with losses
    Jpg,
    /// Lossless
    Webp,
}
