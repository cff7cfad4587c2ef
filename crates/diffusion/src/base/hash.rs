//! A file's SHA-256, computed beside the work.
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use wayword_formats::hash::{HashCache, sha256};
use wayword_interface::Stop;

/// How often one who waits looks whether it is to stop.
const LOOK_FOR_STOP: Duration = Duration::from_millis(50);

/// A hash that a thread computes; cheap to clone.
#[derive(Debug, Clone)]
pub struct FileHash {
    path: PathBuf,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The hash, or the reader's words.
    value: Mutex<Option<std::result::Result<String, String>>>,
    ready: Condvar,
}

impl FileHash {
    /// Starts computing; `cache` is the file in which hashes are remembered.
    #[must_use]
    pub fn start(path: &Path, cache: Option<PathBuf>) -> Self {
        let this = Self { path: path.to_owned(), state: Arc::default() };
        let task = this.clone();
        let run = move || {
            let value = match cache {
                Some(cache) => HashCache::open(&cache).sha256(&task.path),
                None => sha256(&task.path),
            };
            task.set(value.map_err(|e| e.to_string()));
        };
        if let Err(e) = std::thread::Builder::new().name("hash".into()).spawn(run) {
            this.set(Err(e.to_string()));
        }
        this
    }

    fn set(&self, value: std::result::Result<String, String>) {
        *self.state.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.state.ready.notify_all();
    }

    /// Waits until the hash is there; `false` where a stop was requested before.
    #[must_use]
    pub fn is_ready_unless_stopped(&self, stop: &Stop) -> bool {
        let mut value = self.state.value.lock().unwrap_or_else(PoisonError::into_inner);
        while value.is_none() {
            if stop.is_requested() {
                return false;
            }
            let waited = self.state.ready.wait_timeout(value, LOOK_FOR_STOP);
            (value, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// The hash, 64 hex digits; waits for it.
    ///
    /// # Errors
    /// If the file could not be read.
    pub fn wait(&self) -> Result<String> {
        let mut value = self.state.value.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*value {
                Some(Ok(hash)) => return Ok(hash.clone()),
                Some(Err(reason)) => {
                    let path = self.path.clone();
                    return Err(Error::Hash { path, reason: reason.clone() });
                }
                None => {
                    value = self.state.ready.wait(value).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}
