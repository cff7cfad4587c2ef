//! `wayword train`: where options come from beside the flags, and which flags were typed.
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};
use std::path::PathBuf;

/// Files of options.
#[derive(Debug, Clone, Default, Args)]
pub struct Layers {
    /// Options from a file, `wayword.toml`, under the names of the flags; flags win over it
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = "Recipes")]
    pub config: Option<PathBuf>,

    /// Write all options to a file for --config, and end
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = "Recipes")]
    pub save_config: Option<PathBuf>,

    /// Recipe that the rest is built on: person, object or style [default: person]
    #[arg(long, value_name = "NAME", conflicts_with = "resume", help_heading = "Recipes")]
    pub preset: Option<String>,

    /// Options of kohya's trainer: a .json of its GUI, a .toml of a run, or a command line in a file
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = "Recipes")]
    pub kohya: Option<PathBuf>,
}

/// Flags that were typed; the others only have their defaults.
#[derive(Debug, Clone, Default)]
pub struct Typed(Vec<String>);

impl Typed {
    /// Whether the flag of this name was typed.
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|typed| typed == flag)
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        let typed = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
        Ok(Self(typed.map(|id| id.replace('_', "-")).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}
