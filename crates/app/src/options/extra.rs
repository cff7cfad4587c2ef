//! Commands of the terminal alone: lists of names, completions for shells, manual pages.
use crate::failure::Failure;
use crate::show;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use std::path::{Path, PathBuf};
use wayword_interface::Diagnostic;
use wayword_session::lists::{self, Named};
use wayword_session::{Request, schema};

/// The commands.
pub(super) fn commands() -> Vec<Command> {
    let list = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Write one JSON object to standard output"),
        )
    };
    let shell = Arg::new("shell")
        .required(true)
        .value_parser(value_parser!(Shell))
        .help("Shell that the script is for");
    let folder = Arg::new("dir")
        .required(true)
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Folder for the pages");
    let subject = Arg::new("name")
        .required(true)
        .value_name("events|COMMAND")
        .help("What the schema is of: `events`, or a command such as `draw`");
    vec![
        list(
            "samplers",
            "List the samplers and noise schedules, and their names in other programs",
        ),
        list("optimizers", "List the optimizers and learning-rate schedules"),
        Command::new("completions").about("Write a shell's completion script").arg(shell),
        Command::new("man").about("Write manual pages").arg(folder),
        Command::new("schema")
            .about("Write the JSON schema of the events or of a request")
            .arg(subject),
    ]
}

/// Runs one of them; `None` if it is another command.
pub(super) fn run(
    name: &str,
    matches: &ArgMatches,
    program: impl Fn() -> Command,
) -> Option<Result<(), Failure>> {
    Some(match name {
        "samplers" => tell(
            matches,
            &[("samplers", lists::samplers()), ("schedules", lists::noise_schedules())],
        ),
        "optimizers" => tell(
            matches,
            &[("optimizers", lists::optimizers()), ("schedulers", lists::schedulers())],
        ),
        "completions" => {
            let shell = matches.get_one::<Shell>("shell").copied()?;
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program(), "wayword", &mut script);
            show::data(String::from_utf8_lossy(&script).trim_end())
        }
        "schema" => schema_of(matches.get_one::<String>("name")?),
        "man" => pages(program(), matches.get_one::<PathBuf>("dir")?),
        _ => return None,
    })
}

fn tell(matches: &ArgMatches, all: &[(&str, Vec<Named>)]) -> Result<(), Failure> {
    if matches.get_flag("json") {
        let object: serde_json::Map<String, serde_json::Value> =
            all.iter().map(|(name, list)| ((*name).to_owned(), serde_json::json!(list))).collect();
        return show::data(&show::json(&object));
    }
    for (i, (title, names)) in all.iter().enumerate() {
        if i > 0 {
            show::data("")?;
        }
        show::data(&format!("{title}:"))?;
        lists::lines(names).iter().try_for_each(|line| show::data(&format!("  {line}")))?;
    }
    Ok(())
}

fn schema_of(name: &str) -> Result<(), Failure> {
    let found = schema::schema(name).ok_or_else(|| {
        let known = Request::COMMANDS.join(", ");
        Diagnostic::new(format!("there is no schema of `{name}`"))
            .with_hint(format!("give events, or one of {known}"))
    })?;
    show::data(&serde_json::to_string_pretty(&found).unwrap_or_default())
}

/// A page for the program and each command.
fn pages(program: Command, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(program, folder)?;
    show::data(&folder.display().to_string())
}
