//! What a comparison of pictures is asked.
use std::path::PathBuf;
use wayword_interface::options::Size;
use wayword_interface::{choices, options};

options! {
    /// Say how alike two sets of pictures are.
    ///
    /// A judge is a network that turns a picture into a vector; the likeness of two pictures is the
    /// cosine of their vectors. The bundled judge knows the small world of the demo; for real photos
    /// give a DINO, CLIP or face network as an ONNX file.
    pub struct Likeness("likeness") {
        "" COMMON {
            /// Pictures, or folders of pictures
            pictures: Vec<PathBuf> => value_name: "PICTURES", positional: true, need: Need::Always;
            /// Pictures to compare with, or folders of pictures
            to: Vec<PathBuf> => value_name: "REFERENCES", many: true, need: Need::Always;
        }
        "Judge" COMMON {
            /// The judge [default: the bundled one]
            judge: Option<PathBuf> => value_name: "FILE.onnx";
            /// Size the judge wants [default: from the file]
            size: Option<Size> => value_name: "W,H";
            /// How the judge wants its colours [default: from the file]
            normalize: Option<Normalization> => value_name: "KIND", aliases: &["normalise"];
            /// Mean of each colour, instead of {likeness.normalize}
            mean: Option<[f32; 3]> => value_name: "R,G,B", conflicts: &["normalize"], requires: "std";
            /// Spread of each colour, with {likeness.mean}
            std: Option<[f32; 3]> => value_name: "R,G,B", requires: "mean";
            /// Which output of the judge is the vector [default: `identity`, `image_embeds`,
            /// `embedding` or `pooler_output`, else the only one]
            output: Option<String> => value_name: "NAME";
        }
        "Output" COMMON {
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}

choices! {
    /// How a judge wants the numbers of colours.
    pub enum Normalization {
        /// From 0 to 1
        Unit = "0..1",
        /// From -1 to 1
        Signed = "-1..1",
        /// With the mean and spread of ImageNet
        ImageNet = "imagenet",
        /// With the mean and spread of CLIP
        Clip = "clip",
    }
}
