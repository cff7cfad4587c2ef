//! Flags for drawing from a picture, into a part of it, and a second time at a larger size.
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// A picture to begin with.
#[derive(Debug, Clone, Args)]
pub struct Image {
    /// Draw from a picture instead of noise alone
    #[arg(long, value_name = "FILE", help_heading = "From a picture")]
    pub image: Option<PathBuf>,

    /// How much of the picture is changed, 0 to 1 [default: 0.75]
    #[arg(long, value_name = "X", requires = "image", help_heading = "From a picture")]
    pub denoise: Option<f64>,

    /// What happens where the picture has another shape than --size [default: stretch]
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        requires = "image",
        help_heading = "From a picture"
    )]
    pub fit: Option<Shape>,

    /// Draw only what is white in this picture of the same size, or opaque if it has transparency
    #[arg(long, value_name = "FILE", requires = "image", help_heading = "From a picture")]
    pub mask: Option<PathBuf>,

    /// Draw what the mask leaves out instead
    #[arg(long, requires = "mask", help_heading = "From a picture")]
    pub invert_mask: bool,

    /// Blur of the mask's edge in pixels [default: 4]
    #[arg(long, value_name = "X", requires = "mask", help_heading = "From a picture")]
    pub mask_blur: Option<f64>,

    /// Draw the masked part alone at the full size, and paste it back
    #[arg(long, requires = "mask", help_heading = "From a picture")]
    pub only_masked: bool,

    /// Pixels around the masked part that are drawn with it [default: 32]
    #[arg(long, value_name = "N", requires = "mask", help_heading = "From a picture")]
    pub padding: Option<u32>,

    /// What the masked part begins with [default: original]
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        requires = "mask",
        help_heading = "From a picture"
    )]
    pub fill: Option<Content>,
}

/// A second pass at a larger size.
#[derive(Debug, Clone, Args)]
pub struct Hires {
    /// Enlarge the picture this many times and draw over it (A1111's hires fix)
    #[arg(long, value_name = "X", help_heading = "Second pass")]
    pub hires_scale: Option<f64>,

    /// The second pass's size instead of a multiple; 0 for one side keeps the shape
    #[arg(long, value_name = "W,H", conflicts_with = "hires_scale", help_heading = "Second pass")]
    pub hires_size: Option<Sides>,

    /// Steps of the second pass [default: as many as --steps]
    #[arg(long, value_name = "N", help_heading = "Second pass")]
    pub hires_steps: Option<u32>,

    /// How much the second pass changes, 0 to 1 [default: 0.7]
    #[arg(long, value_name = "X", help_heading = "Second pass")]
    pub hires_denoise: Option<f64>,

    /// How the picture is enlarged: Latent, "Latent (bicubic)", "Latent (nearest-exact)", Lanczos …
    /// [default: Latent]
    #[arg(long, value_name = "NAME", help_heading = "Second pass")]
    pub hires_upscaler: Option<String>,

    /// Another sampler for the second pass [default: --sampler]
    #[arg(long, value_name = "NAME", help_heading = "Second pass")]
    pub hires_sampler: Option<String>,

    /// Another schedule for the second pass [default: --schedule, or --hires-sampler's own]
    #[arg(long, value_name = "NAME", help_heading = "Second pass")]
    pub hires_schedule: Option<String>,

    /// Another prompt for the second pass [default: the first's]
    #[arg(long, value_name = "PROMPT", help_heading = "Second pass")]
    pub hires_prompt: Option<String>,

    /// Another negative prompt for the second pass [default: --negative]
    #[arg(long, value_name = "PROMPT", help_heading = "Second pass")]
    pub hires_negative: Option<String>,
}

/// A width and a height, one of which may be 0 and follow from the shape; written `W,H` or `WxH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl FromStr for Sides {
    type Err = String;

    fn from_str(text: &str) -> Result<Sides, String> {
        let sides = text.split_once([',', 'x', 'X']);
        let read = |side: &str| side.trim().parse::<u32>().ok().filter(|n| n.is_multiple_of(8));
        match sides.map(|(w, h)| (read(w), read(h))) {
            Some((Some(width), Some(height))) if width + height > 0 => Ok(Sides { width, height }),
            _ => Err("expected W,H in multiples of 8, as in 768,1024 or 768,0".into()),
        }
    }
}

/// What happens where a picture has another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// It is stretched
    Stretch,
    /// What sticks out is cut off
    Crop,
    /// What is missing is filled with its border
    Fill,
}

/// What a masked part begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Content {
    /// The colours around it
    Fill,
    /// What is there
    Original,
    /// Noise in the latents
    LatentNoise,
    /// Zeros in the latents
    LatentNothing,
}
