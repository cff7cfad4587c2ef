//! How a command fails: a kind that decides the exit code, the chain of causes, and hints.
use crate::show::Flags;
use std::error::Error;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use wayword_interface::Diagnostic;

/// What went wrong, as far as the exit code is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The user's files or values do not fit: exit code 1.
    User,
    /// The command line cannot be read, or it only asked for help: clap has said what and chose
    /// the exit code.
    CommandLine(u8),
    /// Stopped by Ctrl-C after the work was saved: exit code 130, as shells expect.
    Stopped,
    /// Whoever read our output went away: no error at all.
    BrokenPipe,
}

/// A failed command.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// The user's input does not fit. Message: lower case, no full stop.
    pub(crate) fn user(message: impl Into<String>) -> Failure {
        Failure::of(Kind::User, message)
    }

    /// A command that ended early, but tidily.
    pub(crate) fn stopped(message: impl Into<String>) -> Failure {
        Failure::of(Kind::Stopped, message)
    }

    /// The command line was refused, or help was asked for; nothing is left to say.
    pub(crate) fn command_line(code: u8) -> Failure {
        Failure::of(Kind::CommandLine(code), String::new())
    }

    /// An error with everything that led to it.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Failure {
        let mut failure = Failure::of(Kind::User, error.to_string());
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::BrokenPipe
            {
                failure.kind = Kind::BrokenPipe;
            }
            let text = error.to_string();
            // Some errors repeat their cause in their own text.
            if !failure.message.contains(&text) {
                failure.causes.push(text);
            }
            cause = error.source();
        }
        failure
    }

    /// An error of the operating system, with the file that it is about.
    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> Failure {
        let mut failure = Failure::from_error(error);
        failure.causes.insert(0, failure.message.clone());
        failure.message = format!("{what} {}", path.display());
        failure
    }

    /// Adds a way out. Shown after a blank line as `hint: …`.
    pub(crate) fn hint(mut self, hint: impl Display) -> Failure {
        self.hints.push(hint.to_string());
        self
    }

    /// Names the place that it is about, before what went wrong there.
    pub(crate) fn at(mut self, place: &str) -> Failure {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// What decides the exit code.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The first line, without `error: `.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What led to it, outermost first.
    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Ways out.
    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// 0 well (or nobody listens), 1 failed, 2 command line, 130 stopped.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::User => ExitCode::from(1),
            Kind::CommandLine(code) => ExitCode::from(code),
            Kind::Stopped => ExitCode::from(130),
            Kind::BrokenPipe => ExitCode::SUCCESS,
        }
    }

    fn of(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }
}

/// `?` on the errors of the libraries.
macro_rules! from_library {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::from(Diagnostic::from(error))
            }
        }
    )*};
}

impl From<Diagnostic> for Failure {
    fn from(error: Diagnostic) -> Failure {
        let shown = error.render(&Flags);
        let gone = error
            .find::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe);
        let mut failure =
            Failure::of(if gone { Kind::BrokenPipe } else { Kind::User }, shown.message);
        failure.causes = shown.causes;
        failure.hints.extend(shown.hint);
        failure
    }
}

/// `?` on errors that know no way out.
macro_rules! from_plain {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::from_error(&error)
            }
        }
    )*};
}

from_library!(
    wayword_formats::Error,
    wayword_prompt::PromptError,
    wayword_diffusion::Error,
    wayword_diffusion::sigmas::UnknownName,
    wayword_train::Error
);
from_plain!(
    std::io::Error,
    serde_json::Error,
    image::ImageError,
    ctrlc::Error,
    ab_glyph::InvalidFont
);

#[cfg(test)]
mod tests {
    use super::*;

    fn from_the_library(io: std::io::ErrorKind) -> Failure {
        Diagnostic::new("cannot be read, see {train.resume}")
            .with_field("train.save_every")
            .with_hint("pass {train.learning_rate} 1e-3")
            .with_source(std::io::Error::from(io))
            .into()
    }

    #[test]
    fn fields_are_shown_as_flags_and_causes_and_hints_are_kept_apart() {
        let failure = from_the_library(std::io::ErrorKind::NotFound).hint("or another");
        assert_eq!(failure.message(), "--save-every: cannot be read, see --resume");
        assert_eq!(failure.causes(), ["entity not found"]);
        assert_eq!(failure.hints(), ["pass --lr 1e-3", "or another"]);
        assert_eq!(failure.kind(), Kind::User);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = from_the_library(std::io::ErrorKind::BrokenPipe);
        assert_eq!(gone.kind(), Kind::BrokenPipe);
    }
}
