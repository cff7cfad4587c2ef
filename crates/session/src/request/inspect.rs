//! What an inspection of a file is asked.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Show what is in a checkpoint, an embedding or a LoRA, or how an image was drawn.
    pub struct Inspect("inspect") {
        "" COMMON {
            /// Checkpoint, diffusers folder, embedding, LoRA, or image with settings
            file: PathBuf => value_name: "FILE", positional: true, need: Need::Always;
            /// Checkpoint whose vocabulary is compared with the vectors of an embedding
            base: Option<PathBuf> => value_name: "CKPT";
            /// Skip the hashes, for which the whole file is read
            no_hash: bool;
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}
