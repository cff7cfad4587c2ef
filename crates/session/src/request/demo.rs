//! `wayword demo`: flags for the demonstration.
use clap::Args;
use std::path::PathBuf;

/// Teach the bundled small model a person it never saw, and show the result on one sheet.
///
/// Everything that it needs is in the program: a complete small model in the layout of Stable
/// Diffusion 1.x, fifteen pictures of "zarva", and a judge of likeness. It writes a contact sheet,
/// the word's files and a table of numbers.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = "wayword-demo", help_heading = "Output")]
    pub out: PathBuf,

    /// Write events and the numbers as JSON, one object a line, to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = super::common::at_least_one, help_heading = "Machine")]
    pub threads: Option<usize>,

    /// Seed of the training
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Training")]
    pub seed: u64,
}
