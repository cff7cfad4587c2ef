//! How a job is asked to stop, or to go on with its next picture.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that asks a job to end after the step that is running, and one that asks it to end the
/// present picture only. Clones are the same flags.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    stop: AtomicBool,
    skip: AtomicBool,
}

impl Stop {
    /// Asks the job to stop.
    pub fn request(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Asks a drawing to leave the pictures that are being drawn as they are after this step, and to
    /// go on with the next.
    pub fn request_skip(&self) {
        self.0.skip.store(true, Ordering::Relaxed);
    }

    /// Whether the present pictures shall end.
    #[must_use]
    pub fn is_skip_requested(&self) -> bool {
        self.0.skip.load(Ordering::Relaxed)
    }

    /// The next pictures begin, which nobody asked to skip yet.
    pub fn forget_skip(&self) {
        self.0.skip.store(false, Ordering::Relaxed);
    }
}
