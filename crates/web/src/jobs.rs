//! The jobs of the server: their numbers, their order, what is told about each.
use crate::answer::{Answer, Refusal};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_session::{Job, JobState, Outcome, Request};

/// Jobs that are over and still listed.
const KEPT: usize = 100;
/// Jobs that may wait or run.
const WAITING: usize = 500;

/// A job and its request.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its number, greater than that of every earlier job, also of earlier servers.
    pub(crate) id: u64,
    pub(crate) job: Job,
    pub(crate) command: &'static str,
    request: Value,
    is_light: bool,
    /// Milliseconds since 1970 at its submission.
    created: u64,
    /// The name that an A1111 client gave it.
    pub(crate) task: Option<String>,
    /// Whether it came by A1111's API.
    pub(crate) is_a1111: bool,
}

impl Entry {
    /// A number of its request.
    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        let found = self.request.get(name).and_then(Value::as_u64);
        found.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    }

    /// The base that it loads.
    pub(crate) fn base(&self) -> Option<PathBuf> {
        let base = self.request.get("base").and_then(Value::as_str);
        base.filter(|_| !self.is_light).map(PathBuf::from)
    }

    /// The folder of the run that it trains.
    pub(crate) fn run(&self) -> Option<PathBuf> {
        run(self.command, &self.request)
    }
}

/// The folder of the run that a request trains.
pub(crate) fn run(command: &str, request: &Value) -> Option<PathBuf> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    match (text("resume"), text("out"), text("name"), command) {
        (Some(run), ..) => Some(run.into()),
        (None, Some(out), Some(name), "train") => {
            Some(PathBuf::from(out).join(format!("{name}.run")))
        }
        _ => None,
    }
}

/// All jobs, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    list: Mutex<VecDeque<Arc<Entry>>>,
}

impl Jobs {
    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job that `submit` makes; forgets the oldest that are over.
    ///
    /// # Errors
    /// If too many wait.
    pub(crate) fn add(
        &self,
        request: Request,
        task: Option<String>,
        is_a1111: bool,
        submit: impl FnOnce(Request) -> Job,
    ) -> Answer<Arc<Entry>> {
        // Held over the submission, so that the list has the session's order.
        let mut list = self.list();
        let waiting = list.iter().filter(|entry| !entry.job.state().is_over()).count();
        if waiting >= WAITING {
            let text = format!("{waiting} jobs wait already");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, text).hint("try again later"));
        }
        let created = crate::state::now_ms();
        let id = list.back().map_or(created, |last| created.max(last.id + 1));
        let entry = Arc::new(Entry {
            id,
            command: request.command(),
            request: serde_json::to_value(&request).unwrap_or_default(),
            is_light: request.is_light(),
            created,
            task,
            is_a1111,
            job: submit(request),
        });
        list.push_back(Arc::clone(&entry));
        let mut over = list.iter().filter(|entry| entry.job.state().is_over()).count();
        while over > KEPT {
            let Some(at) = list.iter().position(|entry| entry.job.state().is_over()) else { break };
            list.remove(at);
            over -= 1;
        }
        Ok(entry)
    }

    /// The job of a number.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn get(&self, id: &str) -> Answer<Arc<Entry>> {
        let number = id.parse::<u64>().ok();
        let found = self.list().iter().find(|entry| Some(entry.id) == number).cloned();
        found.ok_or_else(|| {
            Refusal::missing(format!("there is no job {id}"))
                .hint("see the list of jobs; runs of earlier servers are listed as runs")
        })
    }

    /// The number of the last heavy job that is over; 0 before there is one.
    pub(crate) fn last_written(&self) -> u64 {
        let is_over = |entry: &&Arc<Entry>| !entry.is_light && entry.job.state().is_over();
        self.list().iter().filter(is_over).map(|entry| entry.id).max().unwrap_or(0)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.list().iter().cloned().collect()
    }

    /// The drawing of A1111's API that runs, else the first that waits.
    pub(crate) fn a1111(&self) -> Option<Arc<Entry>> {
        let list = self.list();
        let of = |state| list.iter().find(|e| e.is_a1111 && e.job.state() == state).cloned();
        of(JobState::Running).or_else(|| of(JobState::Queued))
    }

    /// The last job with the name that a client gave it.
    pub(crate) fn task(&self, task: &str) -> Option<Arc<Entry>> {
        self.list().iter().rev().find(|entry| entry.task.as_deref() == Some(task)).cloned()
    }

    /// Asks all to stop.
    pub(crate) fn stop(&self) {
        // The last first, so that none begins that is about to be stopped.
        self.all().iter().rev().for_each(|entry| entry.job.stop());
    }

    /// How many heavy jobs come before it; 0 for one that does not wait.
    pub(crate) fn place(&self, entry: &Entry) -> usize {
        if entry.is_light || entry.job.state() != JobState::Queued {
            return 0;
        }
        let before = |e: &&Arc<Entry>| e.id < entry.id && !e.is_light && !e.job.state().is_over();
        self.list().iter().filter(before).count()
    }

    /// What is told about a job.
    pub(crate) fn tell(&self, entry: &Entry) -> Value {
        let state = entry.job.state();
        let mut told = json!({
            "id": entry.id.to_string(), "command": entry.command, "state": state,
            "place": self.place(entry), "progress": entry.job.progress(), "created": entry.created,
            "request": entry.request,
        });
        match entry.job.result() {
            Some(Ok(outcome)) => told["result"] = result(&outcome),
            Some(Err(failure)) => told["error"] = crate::answer::diagnostic(&failure.diagnostic),
            None => {}
        }
        told
    }
}

/// A job's result as JSON, without the command's name.
pub(crate) fn result(outcome: &Outcome) -> Value {
    let mut value = serde_json::to_value(outcome).unwrap_or_default();
    let explained =
        if let Outcome::Explain(explained) = outcome { Some(explained.to_lines()) } else { None };
    let mut result = value["result"].take();
    crate::answer::name_fields(&mut result);
    if let (Some(lines), Some(map)) = (explained, result.as_object_mut()) {
        map.insert("lines".into(), lines.into());
    }
    result
}
