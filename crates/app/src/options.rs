//! What was typed: one struct per command, read by clap, turned into a checked plan elsewhere.
use crate::failure::Failure;
use clap::{Parser, Subcommand};
pub(crate) use wayword_session::request::*;

/// Teach Stable Diffusion a new word from a few pictures, and draw with it.
///
/// A word is a small file (an embedding, "textual inversion") that works with every checkpoint of
/// the Stable Diffusion 1.x family, in this program and in the others that read such files. The
/// checkpoint itself is never changed.
#[derive(Debug, Parser)]
#[command(
    name = "wayword",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Start with `wayword demo`: it needs nothing but this program and takes a minute or two."
)]
pub(crate) struct Options {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands. Their help is that of their structs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<Train>),
    Check(Box<Check>),
    Rerun(Rerun),
    Draw(Box<Draw>),
    Grid(Box<Grid>),
    Explain(Explain),
    Demo(Demo),
    Likeness(Likeness),
    Inspect(Inspect),
    Convert(Convert),
    /// Measure this machine on a model of the full size
    Bench(Bench),
}

/// Reads the command line. Help, version and mistakes are written by clap itself.
///
/// # Errors
/// A failure that says nothing more, with clap's exit code (0 for help, 2 for mistakes).
pub(crate) fn read() -> Result<Options, Failure> {
    Options::try_parse().map_err(|error| {
        // A closed pipe below `wayword --help | head` is no mistake.
        let _ = error.print();
        Failure::command_line(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_finds_no_contradiction() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_flag_has_help() {
        for command in Options::command().get_subcommands() {
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
