//! What `wayword train` and `check` are asked: the training's options, its base, the machine, files
//! of options. Drawings share the groups of base and machine.
use crate::plan::TrainOptions;
use std::path::PathBuf;
use wayword_interface::{choices, options};

options! {
    /// The checkpoint to work with.
    pub struct Base("any") {
        "Model" COMMON {
            /// Checkpoint: a .safetensors or .ckpt file, or a diffusers folder. Left out, the Hugging
            /// Face cache and the model folders of A1111 and ComfyUI are searched for the original 1.5
            /// or 1.4
            base: Option<PathBuf> => value_name: "CKPT";
            /// Another VAE than the checkpoint's own
            vae: Option<PathBuf> => value_name: "FILE";
            /// What the checkpoint predicts, where its own metadata does not say
            prediction: Option<Prediction> => value_name: "KIND";
        }
    }
}

options! {
    /// How the machine is used.
    pub struct Machine("any") {
        "Machine" COMMON {
            /// Device to compute on, as `wayword devices` names it [default: the first of them]
            device: Option<String> => value_name: "NAME";
            /// Precision of the products; sums are always f32 [default: bf16 where the processor has
            /// such products, else f32]
            precision: Option<Precision> => value_name: "KIND";
            /// Threads to use [default: one per core]
            threads: Option<usize> => value_name: "N", min: 1.0;
        }
        "Output" COMMON {
            /// Write events as JSON, one object a line, to standard output
            json: bool => scope: Scope::Terminal;
        }
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
    /// Learn a word from a folder of pictures.
    ///
    /// IMAGES is a plain folder of pictures, a folder named `N_class words` (N repeats, as kohya's
    /// trainer wants it), or a folder of such folders. The word is written to DIR/NAME.safetensors and,
    /// every few hundred steps, to DIR/NAME-step00000200.safetensors; pick the one you like best.
    pub struct Train("train") {
        "Recipes" COMMON {
            /// Options from a file, `wayword.toml`, under the names of the flags; flags win over it
            config: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Request;
            /// Write all options to a file for {train.config}, and end
            save_config: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Terminal;
            /// Recipe that the rest is built on: person, object or style [default: person]
            preset: Option<String> => value_name: "NAME", conflicts: &["resume"];
            /// Options of kohya's trainer: a .json of its GUI, a .toml of a run, or a command line in a
            /// file
            kohya: Option<PathBuf> => value_name: "FILE", conflicts: &["resume"], scope: Scope::Request;
        }
        "Model" COMMON {
            + base: Base;
            + options: TrainOptions;
        }
        "Output" COMMON {
            /// Go on with a run that was stopped; its own options hold
            resume: Option<PathBuf> => value_name: "DIR/NAME.run",
                conflicts: &["overwrite", "images", "name"], scope: Scope::Request;
            /// Throw away a run of this name and start again
            overwrite: bool => scope: Scope::Request;
        }
        "Pictures" RARE {
            /// Refuse to begin where anything is found that would otherwise be a warning
            strict: bool;
        }
        "Machine" RARE {
            /// Compute the UNet's blocks a second time in backward instead of keeping what they need:
            /// less memory, a third more time, the same word; chosen by itself where memory is short
            low_memory: bool;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}
