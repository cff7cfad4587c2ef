//! The command line: which commands there are, and what was typed as the request of one of them.
mod build;

use crate::failure::Failure;
use clap::{ArgMatches, Command as Clap};
use wayword_interface::options::{Layer, Options, SpecNames};

pub(crate) use build::FLAGS;
pub(crate) use wayword_session::request::*;

/// A request, as it was typed. A training's flags are one of several layers.
#[derive(Debug)]
pub(crate) enum Command {
    Train(Layer),
    Check(Layer),
    Rerun(Rerun),
    Draw(Box<Draw>),
    Grid(Box<Grid>),
    Explain(Explain),
    Demo(Demo),
    Likeness(Likeness),
    Inspect(Inspect),
    Convert(Convert),
    Bench(Bench),
}

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

/// The names of all requests' options.
fn names() -> SpecNames {
    SpecNames::default()
        .with::<Train>()
        .with::<Rerun>()
        .with::<Draw>()
        .with::<Grid>()
        .with::<Explain>()
        .with::<Demo>()
        .with::<Likeness>()
        .with::<Inspect>()
        .with::<Convert>()
        .with::<Bench>()
}

fn program() -> Clap {
    let train = build::command::<Train>().override_usage(
        "wayword train IMAGES --base CKPT --name NAME --init WORD [OPTIONS]\n       \
         wayword train --resume DIR/NAME.run [--base CKPT]",
    );
    let check = build::command::<Train>()
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
}

/// Reads the command line. Help, version and mistakes are written by clap itself.
///
/// # Errors
/// A failure that says nothing more, with clap's exit code (0 for help, 2 for mistakes).
pub(crate) fn read() -> Result<Command, Failure> {
    let matches = program().try_get_matches().map_err(|error| {
        // A closed pipe below `wayword --help | head` is no mistake.
        let _ = error.print();
        Failure::command_line(u8::try_from(error.exit_code()).unwrap_or(2))
    })?;
    let (name, matches) = matches.subcommand().ok_or_else(|| Failure::command_line(2))?;
    Ok(match name {
        "train" => Command::Train(build::typed::<Train>(matches)?),
        "check" => Command::Check(build::typed::<Train>(matches)?),
        "rerun" => Command::Rerun(request(matches)?),
        "draw" => Command::Draw(Box::new(request(matches)?)),
        "grid" => Command::Grid(Box::new(request(matches)?)),
        "explain" => Command::Explain(request(matches)?),
        "demo" => Command::Demo(request(matches)?),
        "likeness" => Command::Likeness(request(matches)?),
        "inspect" => Command::Inspect(request(matches)?),
        "convert" => Command::Convert(request(matches)?),
        _ => Command::Bench(request(matches)?),
    })
}

fn request<R: Options>(matches: &ArgMatches) -> Result<R, Failure> {
    Ok(build::typed::<R>(matches)?.read()?)
}

#[cfg(test)]
mod tests;
