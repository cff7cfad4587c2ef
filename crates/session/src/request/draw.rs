//! What a drawing is asked.
mod image;

pub use image::{Content, Hires, Image, Shape};

use super::{Base, Machine, Places, Settings};
use std::path::PathBuf;
use wayword_interface::{choices, options};

options! {
    /// Draw pictures from a prompt, with learned words.
    ///
    /// A word is triggered by its file's name. `(word:0.8)` weakens it, `(word:1.2)` strengthens it, by
    /// the rules of A1111. Each picture holds its settings; {draw.from} repeats a picture from them, and
    /// every other flag changes what it names.
    pub struct Draw("draw") {
        "" COMMON {
            /// What to draw
            prompt: Option<String> => value_name: "PROMPT", positional: true, need: Need::Unless(&["from", "prompts"]);
        }
        "Model" COMMON {
            + base: Base;
        }
        "Prompt" COMMON {
            + places: Places;
            /// Draw every possibility of wildcards and variants once, instead of one by chance for each
            /// seed; {draw.count} is the most
            combinatorial: bool;
            /// Draw the prompts of a file, one a line; a line may also be flags in A1111's way, such as
            /// `--prompt "a cat" --seed 5`
            prompts: Option<PathBuf> => value_name: "FILE", conflicts: &["prompt", "from"];
        }
        "Picture" COMMON {
            + settings: Settings;
            /// Repeat a picture (PNG, JPEG, WebP) from the settings that it holds
            from: Option<PathBuf> => value_name: "IMAGE";
            /// Pictures to draw; each next one has the next seed [default: 1]
            count: Option<usize> => value_name: "N", min: 1.0;
            /// Pictures that are computed at once: faster, but more memory
            batch: usize = 1 => value_name: "N", min: 1.0;
        }
        "From a picture" COMMON {
            + image: Image;
        }
        "Second pass" COMMON {
            + hires: Hires;
        }
        "Output" COMMON {
            /// Folder for numbered pictures, or one file whose ending is a format
            out: PathBuf = ".".into() => value_name: "DIR|FILE";
            /// Format of numbered pictures; JPEG loses detail
            format: Format = Format::Png => value_name: "KIND";
        }
        "Output" RARE {
            /// Tell a small picture of the drawing in progress every N steps, in the events of
            /// {any.json} and of other faces
            preview_every: Option<usize> => value_name: "N", min: 1.0, scope: Scope::Request;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}

choices! {
    /// A picture file's format.
    pub enum Format {
        /// Lossless
        Png = "png",
        /// Small, with losses
        Jpg = "jpg",
        /// Lossless
        Webp = "webp",
    }
}
