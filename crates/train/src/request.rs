//! What `wayword train` and `check` are asked: the training's options, its base, the machine, files
//! of options. Drawings share the groups of base and machine.
use crate::plan::TrainOptions;
use std::path::PathBuf;
use wayword_interface::{choices, options};

options! {
    /// The checkpoint to work with.
    pub struct Base("any") {
        "Model" COMMON {
            /// Checkpoint: a .safetensors or .ckpt file, a diffusers folder, or a name or hash in the
            /// usual folders [default: the original 1.5 or 1.4, if exactly one is found]
            base: Option<PathBuf> => value_name: "CKPT";
            /// VAE file to use instead of the checkpoint's own
            vae: Option<PathBuf> => value_name: "FILE";
            /// Prediction type, where the checkpoint's metadata does not give it
            prediction: Option<Prediction> => value_name: "KIND";
        }
    }
}

options! {
    /// How the machine is used.
    pub struct Machine("any") {
        "Machine" RARE {
            /// Device to compute on, as `wayword devices` names it [default: the first of them]
            device: Option<String> => value_name: "NAME";
        }
        "Machine" COMMON {
            /// Matrix-multiply precision (accumulation is f32) [default: bf16 where the processor
            /// supports it, else f32]
            precision: Option<Precision> => value_name: "KIND";
            /// Number of threads [default: one per core]
            threads: Option<usize> => value_name: "N", min: 1.0;
        }
        "Output" COMMON {
            /// Write events to standard output as JSON, one object per line
            json: bool => scope: Scope::Terminal;
        }
    }
}

choices! {
    /// What happens where a run of this name is there.
    pub enum IfExists {
        /// It is an error
        Fail = "fail",
        /// The run goes on, with the options that it has
        Resume = "resume",
        /// Nothing is done where its embedding is there, else the run goes on
        Skip = "skip",
    }
}

choices! {
    /// Whether a training prepares its photos.
    pub enum PhotoPreparation {
        /// Images are used as they are
        Off = "off",
        /// The pass of `wayword prepare`, with its defaults
        Auto = "auto",
    }
}

choices! {
    /// What the UNet was trained to predict.
    pub enum Prediction {
        /// The noise (nearly every checkpoint)
        Epsilon = "epsilon",
        /// The velocity
        V = "v",
    }
}

choices! {
    /// The precision of products; sums are always f32.
    pub enum Precision {
        /// 32-bit products
        F32 = "f32",
        /// 16-bit products where the processor has them, else 32-bit
        Bf16 = "bf16",
    }
}

options! {
    /// Train an embedding on a folder of images.
    ///
    /// IMAGES is a folder of images, a folder named `N_class words` (N repeats, as in kohya's
    /// trainer), or a folder of such folders. The embedding is saved as DIR/NAME.safetensors and,
    /// every few hundred steps, as DIR/NAME-step00000200.safetensors; use the one you like best.
    pub struct Train("train") {
        "Presets and files" COMMON {
            /// Options from a file such as wayword.toml; flags win over it
            config: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Request;
            /// Preset to start from: person, object or style [default: person]
            preset: Option<String> => value_name: "NAME", conflicts: &["resume"];
            /// Options of kohya's trainer: the GUI's .json, a .toml, or a command line
            kohya: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Request;
        }
        "Model" COMMON {
            + base: Base;
            + options: TrainOptions;
        }
        "Output" COMMON {
            /// Resume a stopped run, with its own options
            resume: Option<PathBuf> => value_name: "DIR/NAME.run",
                conflicts: &["overwrite", "images", "name"], scope: Scope::Request;
            /// Delete a run of this name and start again
            overwrite: bool => scope: Scope::Request;
        }
        "Output" RARE {
            /// Add N steps to the run of {train.resume}; the schedule's shape runs anew over them
            extend: Option<usize> => value_name: "N", min: 1.0, requires: "resume", scope: Scope::Request;
            /// What happens where a run of this name is there [default: fail]
            if_exists: Option<IfExists> => value_name: "WHAT", conflicts: &["resume", "overwrite"], scope: Scope::Request;
        }
        "Presets and files" RARE {
            /// Write all options to a file for {train.config}, and exit
            save_config: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Terminal;
        }
        "Previews" RARE {
            /// Image encoder that compares previews with the training images, and steps with
            /// {train.pick}, or `auto` as in `wayword likeness` [default: on the demo's model the
            /// bundled one, else none]
            judge: Option<PathBuf> => value_name: "FILE.onnx|auto", scope: Scope::Request;
        }
        "Images" COMMON {
            /// Make training images of photos first, as `wayword prepare` does, in DIR/NAME.prepared
            prepare: PhotoPreparation = PhotoPreparation::Off => value_name: "WHAT", conflicts: &["resume"];
        }
        "Images" RARE {
            /// Treat warnings as errors
            strict: bool;
        }
        "Machine" RARE {
            /// Gradient checkpointing: less memory, about a third slower, the same embedding;
            /// switched on automatically where memory is short
            low_memory: bool;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}
