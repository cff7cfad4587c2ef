//! What an explanation of a prompt is asked.
use super::Places;
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Show how a prompt is read: its structure, tokens, embeddings and LoRAs.
    ///
    /// Nothing is drawn and no model is loaded. Errors are shown at their position in the prompt.
    pub struct Explain("explain") {
        "" COMMON {
            /// Prompt
            prompt: String => value_name: "PROMPT", positional: true, need: Need::Always;
            /// Negative prompt to explain as well
            negative: Option<String> => value_name: "PROMPT";
            /// Checkpoint that the embeddings must match; only the width of its token table is read
            base: Option<PathBuf> => value_name: "CKPT";
            /// Seed that chooses wildcards and variants
            seed: u64 = 1 => value_name: "N";
            /// Number of sampling steps, for prompt editing
            steps: usize = 20 => value_name: "N", min: 1.0;
            /// Read the prompt with A1111's accidental behavior
            a1111_quirks: bool;
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
        "Prompt" COMMON {
            + places: Places;
        }
    }
}
