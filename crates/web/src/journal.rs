//! Heavy jobs on disk, so that the next server finds those that its end interrupted.
use crate::jobs::Entry;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_formats::atomic::write_bytes;
use wayword_session::{JobState, SeenRun};

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
    /// when a server was killed, are left out; so are trainings that have begun, which are runs.
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
        let has_begun = |job: &Value| {
            let command = job["command"].as_str().unwrap_or_default();
            crate::jobs::run(command, &job["request"]).is_some_and(|run| SeenRun::is_run(&run))
        };
        left.retain(|job| !has_begun(job));
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
        self.settle_those(JobState::is_over);
    }

    /// The same after all were asked to stop because the server ends: those that did stop are the
    /// next server's.
    pub(crate) fn leave(&self) {
        self.settle_those(|state| state.is_over() && state != JobState::Stopped);
    }

    fn settle_those(&self, is_settled: impl Fn(JobState) -> bool) {
        let mut open = lock(&self.open);
        open.retain(|entry| {
            let is_settled = is_settled(entry.job.state());
            if is_settled {
                self.append(&json!({ "id": entry.id.to_string() }));
            }
            !is_settled
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
