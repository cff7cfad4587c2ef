//! Heavy jobs on disk, so that a server that was killed finds them again as interrupted.
use crate::jobs::Entry;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_formats::atomic::write_bytes;

/// Interrupted jobs that are listed.
const KEPT: usize = 50;

/// A file with a line for each job that began to wait and for each that ended.
#[derive(Debug)]
pub(crate) struct Journal {
    file: PathBuf,
    /// Jobs of earlier servers that never ended, as they are told.
    interrupted: Mutex<Vec<Value>>,
    /// Jobs of this server whose end is not written yet.
    open: Mutex<Vec<Arc<Entry>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// The journal of an output folder. Lines that cannot be read, as one that was being written
    /// when a server was killed, are left out.
    pub(crate) fn open(out: &Path) -> Self {
        let file = out.join(".wayword/jobs.jsonl");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut left: Vec<Value> = Vec::new();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            left.retain(|job| job["id"] != line["id"]);
            if line.get("request").is_some() {
                left.push(line);
            }
        }
        left.drain(..left.len().saturating_sub(KEPT));
        let lines: String = left.iter().map(|job| format!("{job}\n")).collect();
        // A journal that cannot be written is no reason not to serve.
        let _ = write_bytes(&file, lines.as_bytes());
        for job in &mut left {
            job["state"] = json!("interrupted");
        }
        Self { file, interrupted: Mutex::new(left), open: Mutex::default() }
    }

    fn append(&self, line: &Value) {
        let file = std::fs::File::options().create(true).append(true).open(&self.file);
        // As in `open`.
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }

    /// A job waits from now on.
    pub(crate) fn begin(&self, entry: &Arc<Entry>, told: &Value) {
        let line = json!({
            "id": told["id"], "command": told["command"], "created": told["created"],
            "request": told["request"],
        });
        self.append(&line);
        lock(&self.open).push(Arc::clone(entry));
    }

    /// Writes the ends of jobs that are over since it was last called.
    pub(crate) fn settle(&self) {
        let mut open = lock(&self.open);
        open.retain(|entry| {
            let is_over = entry.job.state().is_over();
            if is_over {
                self.append(&json!({ "id": entry.id.to_string() }));
            }
            !is_over
        });
    }

    /// Jobs of earlier servers that never ended.
    pub(crate) fn interrupted(&self) -> Vec<Value> {
        lock(&self.interrupted).clone()
    }

    /// Forgets an interrupted job; `false` if there is none of this number.
    pub(crate) fn forget(&self, id: &str) -> bool {
        let mut interrupted = lock(&self.interrupted);
        let before = interrupted.len();
        interrupted.retain(|job| job["id"] != id);
        let found = interrupted.len() < before;
        if found {
            self.append(&json!({ "id": id }));
        }
        found
    }
}
