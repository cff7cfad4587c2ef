//! Flags as kohya's trainer and A1111 have them: those that are the same thing here work, the others are said.
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};
use std::collections::BTreeSet;
use wayword_interface::Diagnostic;
use wayword_session::kohya::{Counterpart, counterpart, names};

/// A training's command that also takes kohya's names of its options, which no help shows.
pub(super) fn aliases(command: Command) -> Command {
    let mut known: BTreeSet<String> = command.get_arguments().flat_map(spellings).collect();
    let flags: Vec<String> = command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some())
        .map(|arg| arg.get_id().to_string())
        .collect();
    names().fold(command, |command, name| match counterpart(name) {
        Some(Counterpart::Option(own)) if flags.iter().any(|flag| flag == own) => {
            let both = [name.to_owned(), name.replace('_', "-")];
            let new: Vec<String> =
                both.into_iter().filter(|name| known.insert(name.clone())).collect();
            command.mut_arg(own, |arg| arg.aliases(new))
        }
        _ => command,
    })
}

/// A flag's name and its other names.
fn spellings(arg: &Arg) -> Vec<String> {
    let other = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(other).map(str::to_owned).collect()
}

/// Flags of A1111 and other programs that draw, and what to pass here.
const OF_DRAWING: &[(&str, &str)] = &[
    ("width", "pass both sides: {any.size} W,H"),
    ("height", "pass both sides: {any.size} W,H"),
    ("W", "pass both sides: {any.size} W,H"),
    ("H", "pass both sides: {any.size} W,H"),
    ("n_iter", "pass the number of images: {draw.count} N"),
    ("batch_count", "pass the number of images: {draw.count} N"),
    ("xformers", "leave it out: attention needs no choice here"),
    ("medvram", "leave it out: memory needs no choice here"),
    ("lowvram", "leave it out: memory needs no choice here"),
    ("no_half", "pass {any.precision} f32"),
    ("no_half_vae", "leave it out: a VAE that overflows is used in f32"),
];

/// What is said of an option of another program that is no flag here.
pub(super) fn refused(command: &str, error: &Error) -> Option<Diagnostic> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    if !flag.starts_with('-') && ["draw", "grid", "explain"].contains(&command) {
        return Some(
            Diagnostic::new(format!("unexpected `{flag}` after the prompt"))
                .with_hint("put a prompt with spaces in double quotes, as \"a cat in the rain\""),
        );
    }
    let name = flag.trim_start_matches('-').split('=').next()?.replace('-', "_");
    if ["draw", "grid"].contains(&command) {
        let (_, hint) = OF_DRAWING.iter().find(|(other, _)| *other == name)?;
        return Some(Diagnostic::new(format!("`{flag}` is not an option here")).with_hint(*hint));
    }
    if !["train", "check"].contains(&command) {
        return None;
    }
    Some(match counterpart(&name)? {
        Counterpart::Nothing(why) => {
            Diagnostic::new(format!("`{flag}` has no effect here: {why}")).with_hint("leave it out")
        }
        Counterpart::Option(own) => {
            Diagnostic::new(format!("`{flag}` is kohya's name; here it is {{train.{own}}}"))
                .with_hint(format!("give {{train.{own}}}"))
        }
    })
}
