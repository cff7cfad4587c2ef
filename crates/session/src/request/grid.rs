//! What a grid is asked.
use super::{Base, Machine, Places, Settings};
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Draw a grid: one prompt with other weights, steps, files, checkpoints beside each other.
    ///
    /// An axis is written `NAME: VALUES`, with the lists of A1111's X/Y/Z plot: `0.4, 0.8`, `10-30 (+10)`,
    /// `0-1 [5]`, `"with, comma", other`. Names: seed, steps, cfg, sampler, schedule, clip skip, size, base
    /// (a checkpoint), embedding (a file for the word), step (of the run that {grid.run} names), weight (of the
    /// word), lora weight, replace (the first value in the prompt by each), order (of these texts). With
    /// several words or LoRAs the name says which: `weight zarva-ti: 0.4, 0.8`.
    pub struct Grid("grid") {
        "" COMMON {
            /// What to draw
            prompt: String => value_name: "PROMPT", positional: true, need: Need::Always;
        }
        "Axes" COMMON {
            /// What changes from left to right
            x: Option<String> => value_name: "AXIS";
            /// What changes from top to bottom
            y: Option<String> => value_name: "AXIS";
            /// What changes from one sheet to the next
            z: Option<String> => value_name: "AXIS";
            /// Draw on each of these checkpoints: the same as `--x 'base: …'`
            travel: Vec<PathBuf> => value_name: "CKPT", many: true, conflicts: &["x"];
            /// The folder NAME.run of a training, for an axis `step`
            run: Option<PathBuf> => value_name: "RUN";
        }
        "Model" COMMON {
            + base: Base;
        }
        "Prompt" COMMON {
            + places: Places;
        }
        "Picture" COMMON {
            + settings: Settings;
        }
        "Output" COMMON {
            /// Folder for the sheet (grid.png), the page (index.html) and the cells
            out: PathBuf = "grid".into() => value_name: "DIR";
            /// Draw into a folder that holds a grid already
            overwrite: bool;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}
