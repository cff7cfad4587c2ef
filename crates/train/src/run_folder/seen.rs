//! A run as its folder shows it, for whoever only looks: another process may be writing there.
use super::{curves::Curves, read_plan};
use crate::{Result, checkpoint};
use serde::Deserialize;
use serde_json::Value;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a run's folder says of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRun {
    /// The run's name.
    pub name: String,
    /// The names of its embeddings.
    pub embeddings: Vec<String>,
    /// Steps done, as far as the log says.
    pub step: usize,
    /// Steps planned.
    pub steps: usize,
    /// Whether a process works in it.
    pub is_running: bool,
    /// When the log was last written.
    pub changed: Option<SystemTime>,
}

/// What is needed of a plan; those of older versions have it too.
#[derive(Deserialize)]
struct PlanHead {
    name: String,
    #[serde(default)]
    words: Vec<Word>,
    steps: usize,
}

#[derive(Deserialize)]
struct Word {
    name: String,
}

impl SeenRun {
    /// Whether a folder is a run's.
    #[must_use]
    pub fn is_run(path: &Path) -> bool {
        wayword_formats::embedding::is_run(path)
    }

    /// Looks at a run's folder.
    ///
    /// # Errors
    /// If it is no run's folder, or its plan cannot be read.
    pub fn read(run: &Path) -> Result<Self> {
        let plan: PlanHead = read_plan(run)?;
        let log = run.join("log.jsonl");
        // A run that is only planned has no log yet.
        let curves = Curves::read(&log).unwrap_or_default();
        let lock = File::open(run.join("lock"));
        Ok(Self {
            name: plan.name,
            embeddings: plan.words.into_iter().map(|word| word.name).collect(),
            step: curves.steps.last().map_or(0, |report| report.step),
            steps: plan.steps,
            is_running: lock
                .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))),
            changed: std::fs::metadata(&log).and_then(|about| about.modified()).ok(),
        })
    }

    /// The log, line by line, as it was written; a line that is being written is left out.
    #[must_use]
    pub fn log(run: &Path) -> Vec<Value> {
        lines(&run.join("log.jsonl"))
    }

    /// The similarity of its previews to the training images, where they were compared: a line for each
    /// with `step` and `similarity`.
    #[must_use]
    pub fn similarity(run: &Path) -> Vec<Value> {
        lines(&run.join("similarity.jsonl"))
    }

    /// The files of its embeddings in the folder beside it, sorted: of steps, of epochs, the last.
    #[must_use]
    pub fn files(&self, run: &Path) -> Vec<PathBuf> {
        let is_own = |path: &PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let mut names = std::iter::once(&self.name).chain(&self.embeddings);
            names.any(|name| checkpoint::is_of(name, &file))
        };
        let entries = run.parent().and_then(|folder| std::fs::read_dir(folder).ok());
        let mut files: Vec<PathBuf> =
            entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.retain(is_own);
        files.sort();
        files
    }
}

/// The objects of a file with one JSON object a line; a line that cannot be read is left out.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::RunFolder;
    use serde_json::json;

    #[test]
    fn a_run_is_seen_while_another_writes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = RunFolder::place(dir.path(), "dog-ti");
        let plan = json!({ "name": "dog-ti", "words": [{ "name": "dog-ti" }], "steps": 9 });
        let run = RunFolder::create(&path, &plan, false).unwrap();
        let report = crate::StepReport { step: 3, of: 9, ..Default::default() };
        let line = serde_json::to_string(&report).unwrap();
        std::fs::write(path.join("log.jsonl"), format!("{line}\n{{\"step\":4,\"lo")).unwrap();
        for file in ["dog-ti.safetensors", "dog-ti-last.safetensors", "dog-ti-step00000003.pt"] {
            std::fs::write(dir.path().join(file), b"").unwrap();
        }
        std::fs::write(dir.path().join("dog-ti2.safetensors"), b"").unwrap();
        let seen = SeenRun::read(&path).unwrap();
        assert_eq!((seen.step, seen.steps, seen.is_running), (3, 9, true));
        assert_eq!(seen.files(&path).len(), 3, "the last step's, too, and no other embedding's");
        assert_eq!(SeenRun::log(&path).len(), 1);
        drop(run);
        assert!(!SeenRun::read(&path).unwrap().is_running);
        std::fs::write(path.join("plan.json"), b"{").unwrap();
        assert!(SeenRun::is_run(&path) && SeenRun::read(&path).is_err());
    }
}
