//! Runs the program in a folder of its own, with nothing of this machine's user in reach.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder, a home and the program.
pub(crate) struct Program {
    dir: tempfile::TempDir,
}

/// What a run gave.
pub(crate) struct Run {
    /// Exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new() -> Program {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        std::fs::create_dir(dir.path().join("here")).unwrap();
        Program { dir }
    }

    /// The folder in which it runs.
    pub(crate) fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    /// A path in that folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.here().join(name)
    }

    /// The command, ready to run or to change.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_wayword")), arguments)
    }

    /// The same with another copy of the program.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let home = self.dir.path().join("home");
        command
            .args(arguments)
            .current_dir(self.here())
            .env_clear()
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("TMPDIR", self.dir.path())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.of(self.command(arguments).output().unwrap())
    }

    /// Runs it and insists that it ends well.
    pub(crate) fn well(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}\n{}\n{}", run.out, run.err);
        run
    }

    /// An output as text, with the folder's name taken out, as it differs from run to run.
    pub(crate) fn of(&self, output: Output) -> Run {
        let here = self.here();
        let clean = |bytes: Vec<u8>| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let real = here.canonicalize().unwrap();
            text.replace(&*real.to_string_lossy(), "HERE").replace(&*here.to_string_lossy(), "HERE")
        };
        Run { code: output.status.code(), out: clean(output.stdout), err: clean(output.stderr) }
    }
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    wayword_testing::repository().join(path)
}

/// The bundled small model.
pub(crate) fn model() -> String {
    repository("demo/wayword-mini.safetensors").to_string_lossy().into_owned()
}

/// The pictures that the demo learns from.
pub(crate) fn zarva() -> String {
    repository("demo/concepts/100_zarva woman").to_string_lossy().into_owned()
}
