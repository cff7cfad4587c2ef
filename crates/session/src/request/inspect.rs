//! What an inspection of a file is asked.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Say what is in a checkpoint, an embedding or LoRA file, or how a picture was drawn.
    pub struct Inspect("inspect") {
        "" COMMON {
            /// A checkpoint, a diffusers folder, an embedding or LoRA file, or a picture, whose settings are
            /// told
            file: PathBuf => value_name: "FILE", positional: true, need: Need::Always;
            /// Checkpoint whose vocabulary the vectors of an embedding are compared with
            base: Option<PathBuf> => value_name: "CKPT";
            /// Skip the hashes: they read the whole file
            no_hash: bool;
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}
