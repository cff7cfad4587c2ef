//! What the demonstration is asked.
use super::Machine;
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Teach the bundled small model a person it never saw, and show the result on one sheet.
    ///
    /// Everything that it needs is in the program: a complete small model in the layout of Stable
    /// Diffusion 1.x, fifteen pictures of "zarva", and a judge of likeness. It writes a contact sheet,
    /// the word's files and a table of numbers.
    pub struct Demo("demo") {
        "Output" COMMON {
            /// Folder for the results
            out: PathBuf = "wayword-demo".into() => value_name: "DIR";
        }
        "Machine" COMMON {
            + machine: Machine;
        }
        "Training" COMMON {
            /// Seed of the training
            seed: u64 = 1 => value_name: "N";
        }
    }
}
