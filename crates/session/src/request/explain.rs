//! What an explanation of a prompt is asked.
use super::Places;
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Say how a prompt is read: its tree, its tokens, its words and LoRAs.
    ///
    /// Nothing is drawn and no model is loaded. Mistakes are shown at their place in the prompt.
    pub struct Explain("explain") {
        "" COMMON {
            /// The prompt
            prompt: String => value_name: "PROMPT", positional: true, need: Need::Always;
            /// A negative prompt to explain, too
            negative: Option<String> => value_name: "PROMPT";
            /// Checkpoint that embeddings must fit; of it only the width of its words is read
            base: Option<PathBuf> => value_name: "CKPT";
            /// Seed by which wildcards and variants are chosen
            seed: u64 = 1 => value_name: "N";
            /// Denoising steps that schedules are laid over
            steps: usize = 20 => value_name: "N", min: 1.0;
            /// Read the prompt with the accidents of A1111
            a1111_quirks: bool;
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
        "Prompt" COMMON {
            + places: Places;
        }
    }
}
