//! What the repetition of a run is asked.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Repeat a training run bit for bit.
    ///
    /// FILE is an embedding's .safetensors file, or the run folder NAME.run. The file stores the run's
    /// options, its seed and the hashes of its base and images, but no paths: if the run folder is not
    /// next to it, pass the images and the base.
    pub struct Rerun("rerun") {
        "" COMMON {
            /// Embedding file, or run folder
            file: PathBuf => value_name: "FILE", positional: true, need: Need::Always;
            /// Folders with the run's images, under any names [default: where the run had them]
            images: Vec<PathBuf> => value_name: "IMAGES", positional: true;
        }
        "Model" COMMON {
            /// The run's checkpoint [default: where the run had it]
            base: Option<PathBuf> => value_name: "CKPT";
        }
        "Output" COMMON {
            /// Output folder for the embedding's files
            out: PathBuf = ".".into() => value_name: "DIR";
            /// Delete a run of this name in that folder
            overwrite: bool;
            /// Write events to standard output as JSON, one object per line
            json: bool => scope: Scope::Terminal;
        }
        "Machine" COMMON {
            /// Device to compute on, as `wayword devices` names it; another than the run's changes the
            /// last bits [default: the first of them]
            device: Option<String> => value_name: "NAME";
            /// Number of threads; does not change the results [default: one per core]
            threads: Option<usize> => value_name: "N", min: 1.0;
            /// Gradient checkpointing; does not change the results
            low_memory: bool;
        }
    }
}
