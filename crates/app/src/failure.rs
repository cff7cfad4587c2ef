//! How the program fails: what decides the exit code, and a diagnostic in the names of flags.
use crate::show::Flags;
use std::process::ExitCode;
use wayword_interface::{Diagnostic, Rendered};

/// What went wrong, as far as the exit code is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The user's files or values do not fit: exit code 1.
    User,
    /// The command line cannot be read, or it only asked for help: clap has said what and chose
    /// the exit code.
    CommandLine(u8),
    /// The command line cannot be read, and we say why: exit code 2.
    Usage,
    /// Memory does not suffice: exit code 3.
    Memory,
    /// A disk is full or a folder may not be written: exit code 4.
    Disk,
    /// Stopped by Ctrl-C after the work was saved: exit code 130, as shells expect.
    Stopped,
    /// Whoever read our output went away: no error at all.
    BrokenPipe,
}

/// A failed command.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What decides the exit code.
    pub(crate) kind: FailureKind,
    /// What people read.
    pub(crate) shown: Rendered,
}

impl Failure {
    /// The command line was refused, or help was asked for; nothing is left to say.
    pub(crate) fn command_line(code: u8) -> Failure {
        Failure { kind: FailureKind::CommandLine(code), shown: Rendered::default() }
    }

    /// As the last event of `--json`.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!({
            "event": "failed",
            "message": self.shown.message,
            "caused_by": self.shown.causes,
            "hint": self.shown.hint,
            "exit_code": self.code(),
        })
        .to_string()
    }

    /// 0 well (or nobody listens), 1 input, 2 command line, 3 memory, 4 disk, 130 stopped.
    fn code(&self) -> u8 {
        match self.kind {
            FailureKind::BrokenPipe => 0,
            FailureKind::User => 1,
            FailureKind::Usage => 2,
            FailureKind::Memory => 3,
            FailureKind::Disk => 4,
            FailureKind::CommandLine(code) => code,
            FailureKind::Stopped => 130,
        }
    }

    /// The program's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<Diagnostic> for Failure {
    fn from(error: Diagnostic) -> Failure {
        let gone = error
            .find::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe);
        let kind = if gone { FailureKind::BrokenPipe } else { FailureKind::User };
        Failure { kind, shown: error.render(&Flags) }
    }
}

impl From<wayword_session::Failure> for Failure {
    fn from(failure: wayword_session::Failure) -> Failure {
        let kind = failure.kind;
        let failure = Failure::from(failure.diagnostic);
        let kind = match kind {
            _ if failure.kind == FailureKind::BrokenPipe => FailureKind::BrokenPipe,
            wayword_session::FailureKind::Input => FailureKind::User,
            wayword_session::FailureKind::Memory => FailureKind::Memory,
            wayword_session::FailureKind::Disk => FailureKind::Disk,
            wayword_session::FailureKind::Stopped => FailureKind::Stopped,
        };
        Failure { kind, ..failure }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Diagnostic::of(error).into()
    }
}

impl From<ctrlc::Error> for Failure {
    fn from(error: ctrlc::Error) -> Failure {
        Diagnostic::of(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn causes_and_hints_are_kept_apart() {
        let inner = Error::new(ErrorKind::NotFound, "no such file");
        let error = Diagnostic::new("cannot read the embedding").with_source(inner);
        let failure = Failure::from(error.with_hint("leave {train.resume} out"));
        assert_eq!(failure.shown.message, "cannot read the embedding");
        assert_eq!(failure.shown.causes, ["no such file"]);
        assert_eq!(failure.shown.hint.as_deref(), Some("leave --resume out"));
        assert_eq!(failure.kind, FailureKind::User);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = Failure::from(Error::from(ErrorKind::BrokenPipe));
        assert_eq!(gone.kind, FailureKind::BrokenPipe);
    }
}
