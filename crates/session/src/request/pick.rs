//! What the choice of a step is asked.
use super::{Base, Machine};
use std::path::PathBuf;
use wayword_interface::options;
use wayword_train::pick::{self, By};

options! {
    /// Choose the best step of a training run.
    ///
    /// Every step's vectors are kept in the run folder. Steps and means of neighboring steps are scored
    /// without drawing (evaluation loss, prompt fidelity, norm, drift); the best few are drawn, and
    /// compared with the training images where there is an image encoder. The result is shown, and with
    /// {pick.write} becomes the embedding's file.
    pub struct Pick("pick") {
        "" COMMON {
            /// Run folder NAME.run of a training
            run: PathBuf => value_name: "RUN", positional: true, need: Need::Always;
        }
        "Choice" COMMON {
            /// What counts
            by: By => value_name: "WHAT";
            /// Number of candidates to draw; 0 draws none
            draw: usize = pick::DRAWN => value_name: "N", max: 20.0;
            /// CFG scale of the images [default: 7, on the demo's model 4]
            cfg: Option<f64> => value_name: "X";
            /// Image encoder that compares with the training images, or `auto` as in `wayword likeness`
            /// [default: on the demo's model the bundled one, else none]
            judge: Option<PathBuf> => value_name: "FILE.onnx|auto";
        }
        "Model" COMMON {
            + base: Base;
        }
        "Output" COMMON {
            /// Write the choice as NAME.safetensors; the last step stays as NAME-last.safetensors
            write: bool;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}
