//! `clap`'s description of a command, from the descriptions of a request's options; what was typed
//! as a layer of options.
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use wayword_interface::options::{
    Layer, Need, OptionKind, OptionSpec, Options, Origin, SpecNames, paragraphs,
};
use wayword_interface::{Diagnostic, render_fields};
use wayword_session::Request;

/// The flags of all requests.
pub(crate) static FLAGS: LazyLock<SpecNames> = LazyLock::new(Request::names);

/// The command of a request: its help and a flag for each of its options.
pub(super) fn command<R: Options>() -> Command {
    let about = render_fields(&paragraphs(R::ABOUT), &*FLAGS);
    let first = about.split("\n\n").next().unwrap_or_default().trim_end_matches('.').to_owned();
    let command = Command::new(R::REQUEST).about(first);
    let command = if about.contains("\n\n") { command.long_about(about) } else { command };
    let specs = flags::<R>();
    let there = |name: &&&str| specs.iter().any(|spec| spec.name == **name);
    specs.iter().fold(command, |command, spec| {
        let mut arg = arg(spec).conflicts_with_all(spec.conflicts.iter().filter(there).copied());
        if !spec.requires.is_empty() {
            arg = arg.requires(spec.requires);
        }
        command.arg(match spec.need {
            Need::Optional => arg,
            Need::Always => arg.required(true),
            Need::Unless(others) => {
                arg.required_unless_present_any(others.iter().filter(there).copied())
            }
        })
    })
}

/// The options that can be typed: all but tables.
pub(super) fn flags<R: Options>() -> Vec<&'static OptionSpec> {
    let mut specs = R::specs();
    specs.retain(|spec| is_flag(spec));
    specs
}

fn is_flag(spec: &OptionSpec) -> bool {
    !matches!(spec.kind, OptionKind::List(OptionKind::Tables(_)) | OptionKind::Tables(_))
}

/// One option, without what it has to do with others.
pub(super) fn arg(spec: &'static OptionSpec) -> Arg {
    let mut arg = Arg::new(spec.name)
        .help(render_fields(&spec.help_text(), &*FLAGS))
        .hide_short_help(spec.rare);
    if !spec.group.is_empty() {
        arg = arg.help_heading(spec.group);
    }
    if !spec.positional {
        let flag = spec.flag();
        // Other programs' flags have underscores.
        let names = [&[spec.name], spec.aliases].concat();
        let both = names.iter().flat_map(|name| [name.replace('_', "-"), (*name).to_owned()]);
        let other: BTreeSet<String> = both.filter(|name| *name != flag).collect();
        arg = arg.aliases(other).long(flag);
    }
    if let OptionKind::Switch = spec.kind {
        return arg.action(ArgAction::SetTrue);
    }
    if !spec.value_name.is_empty() {
        arg = arg.value_name(spec.value_name);
    }
    if let Some(default) = spec.default_text().filter(|_| spec.need == Need::Optional) {
        arg = arg.default_value(default);
    }
    let (kind, list) = match spec.kind {
        OptionKind::List(kind) => (*kind, true),
        kind => (kind, false),
    };
    if list {
        arg = arg.action(ArgAction::Append);
        if spec.many || spec.positional {
            arg = arg.num_args(1..);
        }
    }
    match kind {
        OptionKind::Choice(choices) => {
            let hyphens = choices.iter().any(|choice| choice.name.starts_with('-'));
            let values = choices
                .iter()
                .map(|choice| PossibleValue::new(choice.name).help(paragraphs(choice.help)));
            arg.value_parser(PossibleValuesParser::new(values))
                .ignore_case(true)
                .allow_hyphen_values(hyphens)
        }
        _ => {
            let signed = match kind {
                OptionKind::Seed => true,
                OptionKind::Integer(least, _) => least < 0,
                OptionKind::Number => spec.min < 0.0,
                _ => false,
            };
            let check = |text: &str| match spec.fit(&text.into()) {
                Ok(_) => Ok(text.to_owned()),
                Err(unfit) => Err(format!("expected {}", unfit.expected)),
            };
            arg.value_parser(ValueParser::new(check)).allow_negative_numbers(signed)
        }
    }
}

/// What was typed, without defaults.
///
/// # Errors
/// If a value does not fit; `clap` has refused most of these before.
pub(super) fn typed(
    command: &str,
    specs: &[&'static OptionSpec],
    matches: &ArgMatches,
) -> Result<Layer, Diagnostic> {
    let mut layer = Layer::default();
    for spec in specs.iter().filter(|spec| is_flag(spec)) {
        if matches.value_source(spec.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        let value = match spec.kind {
            OptionKind::Switch => true.into(),
            OptionKind::List(_) => {
                matches.get_many::<String>(spec.name).into_iter().flatten().cloned().collect()
            }
            _ => matches.get_one::<String>(spec.name).cloned().into(),
        };
        layer.set(command, specs, spec.name, &value, Origin::Field)?;
    }
    Ok(layer)
}
