//! `wayword likeness`: flags for comparing pictures.
use super::common::{Size, at_least_one};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Say how alike two sets of pictures are.
///
/// A judge is a network that turns a picture into a vector; the likeness of two pictures is the
/// cosine of their vectors. The bundled judge knows the small world of the demo; for real photos
/// give a DINO, CLIP or face network as an ONNX file.
#[derive(Debug, Clone, Args)]
pub(crate) struct Likeness {
    /// Pictures, or folders of pictures
    #[arg(value_name = "PICTURES", required = true)]
    pub(crate) pictures: Vec<PathBuf>,

    /// Pictures to compare with, or folders of pictures
    #[arg(long, value_name = "REFERENCES", required = true, num_args = 1..)]
    pub(crate) to: Vec<PathBuf>,

    /// The judge [default: the bundled one]
    #[arg(long, value_name = "FILE.onnx", help_heading = "Judge")]
    pub(crate) judge: Option<PathBuf>,

    /// Size the judge wants [default: from the file, else 224,224]
    #[arg(long, value_name = "W,H", help_heading = "Judge")]
    pub(crate) size: Option<Size>,

    /// How the judge wants its colours
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Judge")]
    pub(crate) normalise: Option<Normalise>,

    /// Mean of each colour, instead of --normalise
    #[arg(long, value_name = "R,G,B", value_parser = colours, requires = "std", conflicts_with = "normalise", help_heading = "Judge")]
    pub(crate) mean: Option<[f32; 3]>,

    /// Spread of each colour, with --mean
    #[arg(long, value_name = "R,G,B", value_parser = colours, requires = "mean", help_heading = "Judge")]
    pub(crate) std: Option<[f32; 3]>,

    /// Which output of the judge is the vector [default: the first]
    #[arg(long, value_name = "NAME", help_heading = "Judge")]
    pub(crate) output: Option<String>,

    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Machine")]
    pub(crate) threads: Option<usize>,

    /// Write one JSON object to standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Well-known ways to scale colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Normalise {
    /// 0 to 1
    Unit,
    /// -1 to 1
    Half,
    /// The means and spreads of ImageNet (DINO)
    Imagenet,
    /// The means and spreads of CLIP
    Clip,
}

impl Normalise {
    /// Mean and spread of red, green and blue, for colours from 0 to 1.
    ///
    /// Sources: torchvision's ImageNet statistics; OpenAI's CLIP preprocessing.
    pub(crate) fn statistics(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Normalise::Unit => ([0.0; 3], [1.0; 3]),
            Normalise::Half => ([0.5; 3], [0.5; 3]),
            Normalise::Imagenet => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            Normalise::Clip => {
                ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1])
            }
        }
    }
}

fn colours(text: &str) -> Result<[f32; 3], String> {
    let numbers: Vec<f32> = text.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    <[f32; 3]>::try_from(numbers).map_err(|_| "expected three numbers, as in 0.5,0.5,0.5".into())
}
