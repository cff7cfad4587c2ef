//! Flags as kohya's trainer has them: those that are the same thing here work, the others are said.
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use wayword_interface::Diagnostic;
use wayword_session::kohya::{Counterpart, counterpart, names};

/// A training's command that also takes kohya's names of its options, which no help shows.
pub(super) fn aliases(mut command: Command) -> Command {
    for name in names() {
        let Some(Counterpart::Option(own)) = counterpart(name) else { continue };
        let known: Vec<String> = command
            .get_arguments()
            .flat_map(|arg| {
                let long = arg.get_long().map(str::to_owned);
                long.into_iter().chain(arg.get_all_aliases().into_iter().flatten().map(Into::into))
            })
            .collect();
        let is_flag = |arg: &clap::Arg| arg.get_id() == own && arg.get_long().is_some();
        let spellings = [name.to_owned(), name.replace('_', "-")];
        if command.get_arguments().any(is_flag) {
            let new: Vec<String> =
                spellings.into_iter().filter(|name| !known.contains(name)).collect();
            command = command.mut_arg(own, |arg| arg.aliases(dedup(new)));
        }
    }
    command
}

fn dedup(mut names: Vec<String>) -> Vec<String> {
    names.dedup();
    names
}

/// What is said of an option of kohya's trainer that is no flag here.
pub(super) fn refused(command: &str, error: &Error) -> Option<Diagnostic> {
    if !["train", "check"].contains(&command) || error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = flag.trim_start_matches('-').split('=').next()?.replace('-', "_");
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
