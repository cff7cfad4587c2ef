//! `wayword likeness`: flags for comparing pictures.
use super::common::Size;
use clap::Args;
use std::path::PathBuf;

/// Say how alike two sets of pictures are.
///
/// A judge is a network that turns a picture into a vector; the likeness of two pictures is the
/// cosine of their vectors. The bundled judge knows the small world of the demo; for real photos
/// give a DINO, CLIP or face network as an ONNX file.
#[derive(Debug, Clone, Args)]
pub struct Likeness {
    /// Pictures, or folders of pictures
    #[arg(value_name = "PICTURES", required = true)]
    pub pictures: Vec<PathBuf>,

    /// Pictures to compare with, or folders of pictures
    #[arg(long, value_name = "REFERENCES", required = true, num_args = 1..)]
    pub to: Vec<PathBuf>,

    /// The judge [default: the bundled one]
    #[arg(long, value_name = "FILE.onnx", help_heading = "Judge")]
    pub judge: Option<PathBuf>,

    /// Size the judge wants [default: from the file]
    #[arg(long, value_name = "W,H", help_heading = "Judge")]
    pub size: Option<Size>,

    /// How the judge wants its colours [default: from the file]
    #[arg(long, value_name = "KIND", value_parser = ["0..1", "-1..1", "imagenet", "clip"],
          allow_hyphen_values = true, help_heading = "Judge")]
    pub normalise: Option<String>,

    /// Mean of each colour, instead of --normalise
    #[arg(long, value_name = "R,G,B", value_parser = colours, requires = "std", conflicts_with = "normalise", help_heading = "Judge")]
    pub mean: Option<[f32; 3]>,

    /// Spread of each colour, with --mean
    #[arg(long, value_name = "R,G,B", value_parser = colours, requires = "mean", help_heading = "Judge")]
    pub std: Option<[f32; 3]>,

    /// Which output of the judge is the vector [default: `identity`, `image_embeds`,
    /// `embedding` or `pooler_output`, else the only one]
    #[arg(long, value_name = "NAME", help_heading = "Judge")]
    pub output: Option<String>,

    /// Write one JSON object to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

fn colours(text: &str) -> Result<[f32; 3], String> {
    let numbers: Vec<f32> = text.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    <[f32; 3]>::try_from(numbers).map_err(|_| "expected three numbers, as in 0.5,0.5,0.5".into())
}
