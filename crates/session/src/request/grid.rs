//! What a grid is asked.
use super::{Base, Detail, Machine, Memory, Places, Settings};
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Draw a grid of images that compares weights, steps, files, samplers or checkpoints.
    ///
    /// An axis is written `NAME: VALUES`, with the lists of A1111's X/Y/Z plot: `0.4, 0.8`, `10-30 (+10)`,
    /// `0-1 [5]`, `"with, comma", other`. Names: seed, steps, cfg, sampler, schedule, clip skip, size, base
    /// (a checkpoint), embedding (a file), step (of the run given by {grid.run}; `400..800` is a mean and
    /// `400~800@0.25` lies between two), weight (of the embedding), lora weight, replace (the first value
    /// in the prompt with each of the others), order (of these texts). With several embeddings or LoRAs,
    /// add the name: `weight zarva-ti: 0.4, 0.8`.
    pub struct Grid("grid") {
        "" COMMON {
            /// Prompt
            prompt: String => value_name: "PROMPT", positional: true, need: Need::Always;
        }
        "Axes" COMMON {
            /// Axis from left to right
            x: Option<String> => value_name: "AXIS";
            /// Axis from top to bottom
            y: Option<String> => value_name: "AXIS";
            /// Axis from sheet to sheet
            z: Option<String> => value_name: "AXIS";
            /// Draw on each of these checkpoints: the same as `--x 'base: …'`
            travel: Vec<PathBuf> => value_name: "CKPT", many: true, conflicts: &["x"];
            /// Run folder NAME.run of a training, for an axis `step`
            run: Option<PathBuf> => value_name: "RUN";
        }
        "Model" COMMON {
            + base: Base;
        }
        "Prompt" COMMON {
            + places: Places;
        }
        "Image" COMMON {
            + settings: Settings;
        }
        "Face detailer" COMMON {
            + detail: Detail;
        }
        "Output" COMMON {
            /// Output folder for the contact sheet (grid.png), the page (index.html) and the cells
            out: PathBuf = "grid".into() => value_name: "DIR";
            /// Draw into a folder that already has a grid
            overwrite: bool;
        }
        "Machine" RARE {
            + memory: Memory;
        }
        "Machine" COMMON {
            + machine: Machine;
        }
    }
}
