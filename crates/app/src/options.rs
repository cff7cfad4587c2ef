//! The command line: which commands there are, and what was typed as the request of one of them.
mod build;
mod kohya;

use crate::failure::{Failure, FailureKind};
use clap::Command as Clap;
use std::ffi::OsString;
use wayword_session::Request;
use wayword_session::request::{
    Bench, Convert, Demo, Devices, Draw, Explain, Grid, Inspect, Likeness, Rerun, Train,
};

pub(crate) use build::FLAGS;

/// Flags that the help of `check` shows; the others are those of `train`.
const OF_CHECK: &[&str] = &[
    "images",
    "base",
    "name",
    "init",
    "token",
    "template",
    "resolution",
    "enable_bucket",
    "batch",
    "config",
    "kohya",
    "preset",
    "strict",
    "low_memory",
    "precision",
    "threads",
    "json",
];

fn program() -> Clap {
    let train = kohya::aliases(build::command::<Train>()).override_usage(
        "wayword train IMAGES --base CKPT --name NAME --init WORD [OPTIONS]\n       \
         wayword train --resume DIR/NAME.run [--base CKPT]",
    );
    let check = kohya::aliases(build::command::<Train>())
        .name("check")
        .about("See what a training would do and take, and what is wrong with its pictures; nothing is written")
        .long_about(
            "See what a training would do and take, and what is wrong with its pictures; nothing is written.\n\n\
             It takes every flag of `wayword train`. It looks for pictures that are there twice, blurred, \
             tiny or cropped too much, and for captions without the word, shows the captions as they will be \
             read, and measures one step for a forecast of time and memory. With --strict a warning is an \
             error.",
        )
        .override_usage("wayword check IMAGES --base CKPT --name NAME --init WORD [OPTIONS]")
        .mut_args(|arg| {
            let hidden = !OF_CHECK.contains(&arg.get_id().as_str());
            arg.hide(hidden)
        });
    Clap::new("wayword")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Teach Stable Diffusion a new word from a few pictures, and draw with it")
        .long_about(
            "Teach Stable Diffusion a new word from a few pictures, and draw with it.\n\n\
             A word is a small file (an embedding, \"textual inversion\") that works with every checkpoint of \
             the Stable Diffusion 1.x family, in this program and in the others that read such files. The \
             checkpoint itself is never changed.",
        )
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Start with `wayword demo`: it needs nothing but this program and takes a minute or two.")
        .subcommand(train)
        .subcommand(check)
        .subcommand(build::command::<Rerun>())
        .subcommand(build::command::<Draw>())
        .subcommand(build::command::<Grid>())
        .subcommand(build::command::<Explain>())
        .subcommand(build::command::<Demo>())
        .subcommand(build::command::<Likeness>())
        .subcommand(build::command::<Inspect>())
        .subcommand(build::command::<Convert>())
        .subcommand(build::command::<Bench>())
        .subcommand(build::command::<Devices>())
}

/// Reads the command line. Help, version and mistakes are written by clap itself.
///
/// # Errors
/// A failure that says nothing more, with clap's exit code (0 for help, 2 for mistakes).
pub(crate) fn read() -> Result<Request, Failure> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // `wayword help train` is `wayword train --help`.
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    let matches = program().try_get_matches_from(&words).map_err(|error| {
        let command = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
        if let Some(refused) = kohya::refused(command, &error) {
            return Failure { kind: FailureKind::Usage, ..refused.into() };
        }
        // A closed pipe below `wayword --help | head` is no mistake.
        let _ = error.print();
        Failure::command_line(u8::try_from(error.exit_code()).unwrap_or(2))
    })?;
    let (command, matches) = matches.subcommand().ok_or_else(|| Failure::command_line(2))?;
    let specs = Request::specs(command).unwrap_or_default();
    Ok(Request::from_layer(command, build::typed(command, &specs, matches)?)?)
}

#[cfg(test)]
mod tests;
