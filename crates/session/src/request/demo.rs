//! What the demonstration is asked.
use super::Machine;
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Train the bundled small model on a person it has never seen, and show the result on one sheet.
    ///
    /// Everything is included: a complete small model in the layout of Stable Diffusion 1.x, fifteen
    /// images of "zarva", and an image encoder. It writes a contact sheet, the embedding's files and a
    /// table of numbers.
    pub struct Demo("demo") {
        "Output" COMMON {
            /// Output folder
            out: PathBuf = "wayword-demo".into() => value_name: "DIR";
        }
        "Machine" COMMON {
            + machine: Machine;
        }
        "Training" COMMON {
            /// Training seed
            seed: u64 = 1 => value_name: "N";
        }
    }
}
