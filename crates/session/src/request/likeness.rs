//! What a comparison of pictures is asked.
use std::path::PathBuf;
use wayword_interface::options::Size;
use wayword_interface::{choices, options};

options! {
    /// Measure the similarity of two sets of images.
    ///
    /// An image encoder turns an image into a vector; the similarity of two images is the cosine of
    /// their vectors. The bundled encoder only knows the demo's images; for photos, pass a DINO, CLIP
    /// or face network as an ONNX file.
    pub struct Likeness("likeness") {
        "" COMMON {
            /// Images, or folders of images
            pictures: Vec<PathBuf> => value_name: "IMAGES", positional: true, need: Need::Always;
            /// Images to compare with, or folders of images
            to: Vec<PathBuf> => value_name: "REFERENCES", many: true, need: Need::Always;
        }
        "Image encoder" COMMON {
            /// Image encoder, or `auto` for the one that fits in wayword/judges of your cache folder;
            /// face networks see the largest face [default: the bundled one]
            judge: Option<PathBuf> => value_name: "FILE.onnx|auto";
            /// Input size of the encoder [default: from the file]
            size: Option<Size> => value_name: "W,H";
            /// Color normalization of the encoder [default: from the file, or that of its kind]
            normalize: Option<Normalization> => value_name: "KIND", aliases: &["normalise"];
            /// Mean of each color channel, instead of {likeness.normalize}
            mean: Option<[f32; 3]> => value_name: "R,G,B", conflicts: &["normalize"], requires: "std";
            /// Standard deviation of each color channel, with {likeness.mean}
            std: Option<[f32; 3]> => value_name: "R,G,B", requires: "mean";
            /// Output of the encoder to use [default: `identity`, `image_embeds`, `embedding` or
            /// `pooler_output`, else the only one]
            output: Option<String> => value_name: "NAME";
        }
        "Output" COMMON {
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}

choices! {
    /// Color normalization of an image encoder.
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
