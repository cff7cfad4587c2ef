//! What the repetition of a run is asked.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Repeat the run that made a word, bit for bit.
    ///
    /// FILE is a word's .safetensors file, or the run's folder NAME.run. The word's file holds the
    /// run's options, seed and the hashes of its base and pictures, but no paths: where its run's
    /// folder does not lie beside it, say where the pictures and the base are.
    pub struct Rerun("rerun") {
        "" COMMON {
            /// The word's file, or the run's folder
            file: PathBuf => value_name: "FILE", positional: true, need: Need::Always;
            /// Folders that hold the run's pictures, under any names [default: where the run had them]
            images: Vec<PathBuf> => value_name: "IMAGES", positional: true;
        }
        "Model" COMMON {
            /// The run's checkpoint [default: where the run had it]
            base: Option<PathBuf> => value_name: "CKPT";
        }
        "Output" COMMON {
            /// Folder for the word's files
            out: PathBuf = ".".into() => value_name: "DIR";
            /// Throw away a run of this name in that folder
            overwrite: bool;
            /// Write events as JSON, one object a line, to standard output
            json: bool => scope: Scope::Terminal;
        }
        "Machine" COMMON {
            /// Device to compute on, as `wayword devices` names it; another than the run's changes the
            /// last bits [default: the first of them]
            device: Option<String> => value_name: "NAME";
            /// Threads to use; the results do not depend on it [default: one per core]
            threads: Option<usize> => value_name: "N", min: 1.0;
            /// Compute the UNet's blocks a second time in backward; the results do not depend on it
            low_memory: bool;
        }
    }
}
