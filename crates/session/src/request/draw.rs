//! What a drawing is asked.
mod detail;
mod image;

pub use detail::Detail;
pub use image::{Content, Hires, Image, ResizeMode};

use super::{Base, Machine, Memory, Places, Settings};
use std::path::PathBuf;
use wayword_interface::{choices, options};
use wayword_train::run_folder::steps::StepChoice;

options! {
    /// Draw images from a prompt, with your embeddings and LoRAs.
    ///
    /// An embedding is triggered by its file name. `(name:0.8)` weakens it and `(name:1.2)` strengthens
    /// it, as in A1111. Each image stores its settings; {draw.from} repeats an image from them, and
    /// every other option changes one of them.
    pub struct Draw("draw") {
        "" COMMON {
            /// Prompt
            prompt: Option<String> => value_name: "PROMPT", positional: true, need: Need::Unless(&["from", "prompts"]);
        }
        "Model" COMMON {
            + base: Base;
        }
        "Prompt" COMMON {
            + places: Places;
            /// Run folder NAME.run of a training: NAME has the vectors that it had after {draw.step}
            run: Option<PathBuf> => value_name: "RUN";
            /// Steps of {draw.run}: one, the mean over a range as 400..800, or a place between two as
            /// 400~800@0.25 [default: the last]
            step: Option<StepChoice> => value_name: "STEP";
            /// Strength of {draw.run}: multiplies the length of its vectors, whatever their weight in
            /// the prompt [default: 1]
            strength: Option<f64> => value_name: "X";
            /// Draw every combination of wildcards and variants once instead of a random one per
            /// seed; {draw.count} is the maximum
            combinatorial: bool;
            /// File with one prompt per line; a line may also be options as in A1111, such as
            /// `--prompt "a cat" --seed 5`
            prompts: Option<PathBuf> => value_name: "FILE", conflicts: &["prompt", "from"];
        }
        "Image" COMMON {
            + settings: Settings;
            /// Repeat an image (PNG, JPEG, WebP) from the settings in its metadata
            from: Option<PathBuf> => value_name: "IMAGE";
            /// Number of images; each has the next seed [default: 1]
            count: Option<usize> => value_name: "N", min: 1.0, aliases: &["batch_count", "n_iter", "num_images"];
            /// Images computed at once: faster, but more memory
            batch: usize = 1 => value_name: "N", min: 1.0, aliases: &["batch_size"];
        }
        "Image to image" COMMON {
            + image: Image;
        }
        "Hires pass" COMMON {
            + hires: Hires;
        }
        "Face detailer" COMMON {
            + detail: Detail;
        }
        "Output" COMMON {
            /// Output folder for numbered images, or one file whose extension is an image format
            out: PathBuf = ".".into() => value_name: "DIR|FILE";
            /// Format of numbered images; JPEG is lossy
            format: Format = Format::Png => value_name: "KIND";
        }
        "Output" RARE {
            /// Send a small preview of the image in progress every N steps, as an event of
            /// {any.json}
            preview_every: Option<usize> => value_name: "N", min: 1.0, scope: Scope::Request;
        }
        "Machine" RARE {
            + memory: Memory;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}

choices! {
    /// Format of an image file.
    pub enum Format {
        /// Lossless
        Png = "png",
        /// Small, lossy
        Jpg = "jpg",
        /// Lossless
        Webp = "webp",
    }
}
