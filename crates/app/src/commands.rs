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
use crate::options::{Command, Options};

/// Runs what was asked for.
///
/// # Errors
/// The command's failure.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    match options.command {
        Command::Inspect(options) => inspect::run(&options),
        Command::Convert(options) => convert::run(&options),
        Command::Likeness(options) => likeness::run(&options),
        Command::Train(options) => train::run(&options),
        Command::Check(options) => check::run(&options.train),
        Command::Rerun(options) => rerun::run(&options),
        Command::Draw(options) => draw::run(&options),
        Command::Grid(options) => grid::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
    }
}

/// Where hashes of files are remembered between runs: the user's cache folder. `None` where the
/// system names none; then hashes are computed each time.
pub(crate) fn hash_cache() -> Option<std::path::PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let folder = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .map(std::path::PathBuf::from)
        .or_else(|| variable("HOME").map(|h| std::path::PathBuf::from(h).join(".cache")))?;
    let folder = folder.join("wayword");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("hashes.json"))
}

/// A seed that nobody chose. A1111's seeds have 32 bits, and such a seed can be typed.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() & 0xffff_ffff
}
