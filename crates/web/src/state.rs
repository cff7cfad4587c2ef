//! What all requests share: the session, the jobs, the opened folders, who may ask.
use crate::answer::{Answer, Refusal};
use crate::folders::Opened;
use crate::jobs::{Entry, Jobs};
use crate::journal::Journal;
use crate::sdapi::options::Stored;
use axum::http::StatusCode;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use wayword_formats::atomic::write_bytes;
use wayword_formats::kind::{FileKind, kind};
use wayword_session::{Library, Listed, Request, Session};

/// The server's state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) session: Session,
    pub(crate) jobs: Jobs,
    pub(crate) journal: Journal,
    pub(crate) opened: Opened,
    /// The base of the command line.
    pub(crate) base: Option<PathBuf>,
    /// Names under which the server may be reached.
    pub(crate) hosts: Vec<String>,
    /// What everybody must know; `None`: nobody is asked.
    pub(crate) token: Option<String>,
    /// `USER:PASSWORD` of API clients.
    pub(crate) api_auth: Option<String>,
    /// Settings of A1111's API.
    pub(crate) options: Mutex<Stored>,
    /// Held while choices for prepared photos are written.
    pub(crate) choosing: Mutex<()>,
    /// Whether it ends.
    pub(crate) stopping: AtomicBool,
    /// The last job whose files the library may not know yet has this number.
    pub(crate) scanned: AtomicU64,
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl App {
    /// Puts a request into the session's queue.
    ///
    /// # Errors
    /// If the server ends, or too many jobs wait.
    pub(crate) fn submit(
        &self,
        request: Request,
        task: Option<String>,
        is_a1111: bool,
    ) -> Answer<Arc<Entry>> {
        if self.stopping.load(Ordering::Relaxed) {
            let text = "the server is about to end";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        // A client of A1111's API waits for its answer.
        let is_kept = !is_a1111 && (!request.is_light() || request.command() == "prepare");
        let entry =
            self.jobs.add(request, task, is_a1111, |request| self.session.submit(request))?;
        if let Some(base) = entry.base().filter(|base| base.exists()) {
            // What is remembered is a comfort.
            let _ = write_bytes(&self.last_base(), base.to_string_lossy().as_bytes());
        }
        if is_kept {
            self.journal.begin(&entry, &self.jobs.tell(&entry));
        }
        Ok(entry)
    }

    /// What lies in the folders; they are looked through again after a job that wrote files.
    pub(crate) fn library(&self) -> Arc<Library> {
        let last = self.jobs.last_written();
        if self.scanned.swap(last, Ordering::Relaxed) != last {
            self.session.rescan();
        }
        self.session.library()
    }

    /// Where the base of the last job is remembered.
    fn last_base(&self) -> PathBuf {
        self.opened.out.join(".wayword/last-base")
    }

    /// The base of jobs that name none: the one that was chosen, that of the command line, the last
    /// used, the only one that is found.
    pub(crate) fn base(&self) -> Option<PathBuf> {
        let chosen = self.options.lock().map(|options| options.checkpoint.clone());
        if let Some(path) = chosen.ok().flatten().filter(|path| path.exists()) {
            return Some(path);
        }
        if let Some(base) = &self.base {
            return Some(base.clone());
        }
        let last = std::fs::read_to_string(self.last_base()).map(PathBuf::from);
        if let Some(last) = last.ok().filter(|base| base.exists()) {
            return Some(last);
        }
        let mut found = self.checkpoints();
        if found.len() == 1 { found.pop().map(|one| one.path) } else { None }
    }

    /// Checkpoints that are found, with that of the command line.
    pub(crate) fn checkpoints(&self) -> Vec<Listed> {
        let library = self.library();
        let mut found: Vec<Listed> = checkpoints(&library);
        if let Some(base) = self.base.as_ref().filter(|base| base.exists()) {
            let real = base.canonicalize().unwrap_or_else(|_| base.clone());
            if !found.iter().any(|one| one.path.canonicalize().is_ok_and(|path| path == real)) {
                let name = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.insert(0, Listed { name, path: real });
            }
        }
        found
    }
}

/// The files of a library's checkpoints that are checkpoints: folders hold other models, too.
fn checkpoints(library: &Library) -> Vec<Listed> {
    let is_base = |path: &PathBuf| {
        path.is_dir() || kind(path).is_ok_and(|kind| matches!(kind, FileKind::Checkpoint))
    };
    library.checkpoints.iter().filter(|one| is_base(&one.path)).cloned().collect()
}
