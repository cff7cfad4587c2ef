//! The command line: which commands there are, and what was typed as the request of one of them.
mod build;
mod examples;
mod extra;
mod kohya;

use crate::failure::{Failure, FailureKind};
use clap::Command as Clap;
use clap::error::{ContextKind, ErrorKind};
use std::ffi::OsString;
use wayword_interface::options::Options as _;
use wayword_session::Request;
use wayword_session::request::{
    Bench, Convert, Demo, Devices, Draw, Explain, Grid, Inspect, Likeness, Pick, Prepare, Rerun,
    Serve, Train,
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
    "crop",
    "prepare",
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
        .about("Check images and settings before training, with a forecast of time and memory")
        .long_about(
            "Check images and settings before training, with a forecast of time and memory.\n\n\
             It takes every option of `wayword train` and writes nothing. It finds duplicate, blurred, \
             tiny and heavily cropped images and captions without the embedding, shows the captions as \
             they will be read, and measures one step. With --strict, warnings are errors.",
        )
        .override_usage("wayword check IMAGES --base CKPT --name NAME --init WORD [OPTIONS]")
        .mut_args(|arg| {
            let hidden = !OF_CHECK.contains(&arg.get_id().as_str());
            arg.hide(hidden)
        });
    let program = Clap::new("wayword")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Train Stable Diffusion embeddings (textual inversion) and draw with them")
        .long_about(
            "Train Stable Diffusion embeddings (textual inversion) and draw with them.\n\n\
             An embedding teaches Stable Diffusion 1.x a new word from a few images. It is a small file \
             that works with every checkpoint of that family, here and in other programs. The checkpoint \
             itself is never changed.",
        )
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Start with `wayword demo`: it needs nothing but this program and takes a minute or two.")
        .subcommand(build::command::<Prepare>())
        .subcommand(train)
        .subcommand(check)
        .subcommand(build::command::<Rerun>())
        .subcommand(build::command::<Pick>())
        .subcommand(build::command::<Draw>())
        .subcommand(build::command::<Grid>())
        .subcommand(build::command::<Explain>())
        .subcommand(build::command::<Demo>())
        .subcommand(build::command::<Likeness>())
        .subcommand(build::command::<Inspect>())
        .subcommand(build::command::<Convert>())
        .subcommand(build::command::<Bench>())
        .subcommand(build::command::<Devices>())
        .subcommand(build::command::<Serve>())
        .subcommands(extra::commands());
    Request::COMMANDS.iter().fold(program, |program, command| {
        program.mut_subcommand(command, |sub| match examples::of(command) {
            Some(text) => sub.before_help(text),
            None => sub,
        })
    })
}

/// What the command line asks for.
pub(crate) enum Asked {
    /// Nothing more: it is done.
    Nothing,
    /// A job, which ends with a result.
    Job(Request),
    /// The server, which takes jobs from elsewhere.
    Serve(Box<Serve>),
}

/// Reads the command line. Help, version and mistakes are written by clap itself.
///
/// # Errors
/// A failure that says nothing more, with clap's exit code (0 for help, 2 for mistakes).
pub(crate) fn read() -> Result<Asked, Failure> {
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
        let mut error = error;
        if error.kind() == ErrorKind::UnknownArgument {
            // A mistyped flag is not meant as a prompt or a folder.
            error.remove(ContextKind::Suggested);
        }
        // A closed pipe below `wayword --help | head` is no mistake.
        let _ = error.print();
        Failure::command_line(u8::try_from(error.exit_code()).unwrap_or(2))
    })?;
    let (command, matches) = matches.subcommand().ok_or_else(|| Failure::command_line(2))?;
    if let Some(done) = extra::run(command, matches, program) {
        return done.map(|()| Asked::Nothing);
    }
    if command == Serve::REQUEST {
        let serve: Serve = build::typed(command, &Serve::specs(), matches)?.read()?;
        return Ok(Asked::Serve(Box::new(serve)));
    }
    let specs = Request::specs(command).unwrap_or_default();
    Ok(Asked::Job(Request::from_layer(command, build::typed(command, &specs, matches)?)?))
}

#[cfg(test)]
mod tests;
