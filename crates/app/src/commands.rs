//! The commands: each takes its options, does its work through the libraries, and shows it.
mod base;
mod bench;
mod check;
mod checks;
mod convert;
mod demo;
mod draw;
mod explain;
mod grid;
mod inspect;
mod likeness;
mod pictures;
mod rerun;
mod settings;
mod texts;
mod train;

use crate::failure::Failure;
use crate::options::Command;
use wayword_session::Environment;
pub(crate) use wayword_session::random_seed;

/// Runs what was asked for.
///
/// # Errors
/// The command's failure.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Inspect(options) => inspect::run(&options),
        Command::Convert(options) => convert::run(&options),
        Command::Likeness(options) => likeness::run(&options),
        Command::Train(flags) => train::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Rerun(options) => rerun::run(&options),
        Command::Draw(options) => draw::run(&options),
        Command::Grid(options) => grid::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
    }
}

/// The environment that this process was started in.
pub(crate) fn environment() -> Environment {
    Environment::from_pairs(std::env::vars_os())
}

/// Where hashes of files are remembered between runs.
pub(crate) fn hash_cache() -> Option<std::path::PathBuf> {
    environment().hash_cache()
}
