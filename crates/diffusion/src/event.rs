//! What a job tells while it runs, and how it is asked to stop.
use crate::LoadReport;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that happened in loading or drawing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A file is being read.
    Loading {
        /// What it is: `base model`, `VAE`, `embeddings`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// The base model is ready.
    Loaded(LoadReport),
    /// One sampler step of one group of pictures is done.
    Step {
        /// Steps done of this group.
        step: usize,
        /// Steps of this group.
        of: usize,
        /// Pictures before this group.
        first: usize,
        /// All pictures.
        pictures: usize,
    },
    /// A picture is done.
    Picture {
        /// Its place, from 0.
        index: usize,
        /// All pictures.
        of: usize,
        /// Its seed.
        seed: u64,
    },
    /// A file was written.
    Saved(PathBuf),
    /// Something that the user should know, but that stops nothing.
    Warned(Warning),
    /// The job ended.
    Finished {
        /// Pictures made.
        pictures: usize,
        /// Seconds it took.
        seconds: f64,
    },
}

/// A remark that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is the matter.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Warning {
    /// A remark without advice.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }
}

/// A sink of events. Closures are sinks.
pub trait Events: Sync {
    /// Takes one event; must not block for long.
    fn event(&self, event: Event);
}

impl<F: Fn(Event) + Sync> Events for F {
    fn event(&self, event: Event) {
        self(event);
    }
}

/// A sink that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Events for Quiet {
    fn event(&self, _: Event) {}
}

/// A flag that asks a job to end after the step that runs. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
