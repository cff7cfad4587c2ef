//! A job: its state, its events, its result; shared by whoever watches it.
use crate::{Event, Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wayword_interface::Stop;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Others come first.
    Queued,
    /// It works.
    Running,
    /// It has a result.
    Finished,
    /// Something was wrong.
    Failed,
    /// It was asked to stop, and did.
    Stopped,
}

impl JobState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Stopped)
    }
}

/// How much of the present phase is done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// `queued`, `loading`, `encoding`, `training`, `drawing`, `decoding`, or what an
    /// [`Event::Phase`] says.
    pub phase: String,
    /// Parts of the phase that are done.
    pub done: usize,
    /// All parts; 0 where nobody knows.
    pub of: usize,
    /// Seconds to the end of the phase, where they can be told.
    pub seconds_left: Option<f64>,
}

/// A job's handle. Clones are the same job.
#[derive(Debug, Clone)]
pub struct Job(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stop: Stop,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    state: JobState,
    events: Vec<Event>,
    progress: JobProgress,
    phase_began: Instant,
    result: Option<Result<Arc<Outcome>, Failure>>,
}

impl Inner {
    /// Empties the last preview of a picture: a newer one takes its place, and a long job would
    /// hold thousands of them. The event itself stays, so that replays count alike.
    fn forget_preview(&mut self, picture: usize) {
        let last = self.events.iter_mut().rev().find_map(|event| match event {
            Event::DrawPreview { index, png, .. } if *index == picture => Some(png),
            _ => None,
        });
        if let Some(png) = last {
            *png = String::new();
        }
    }
}

impl Job {
    pub(crate) fn new() -> Self {
        let progress = JobProgress { phase: "queued".into(), ..JobProgress::default() };
        Self(Arc::new(Shared {
            stop: Stop::default(),
            inner: Mutex::new(Inner {
                state: JobState::Queued,
                events: Vec::new(),
                progress,
                phase_began: Instant::now(),
                result: None,
            }),
            changed: Condvar::new(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it to stop after the step that runs. One that is still queued ends at once.
    pub fn stop(&self) {
        self.0.stop.request();
        // In one hold of the lock, so that it does not begin in between.
        let mut inner = self.inner();
        if inner.state == JobState::Queued {
            inner.state = JobState::Stopped;
            inner.result = Some(Err(Failure::stopped("before it began")));
            self.0.changed.notify_all();
        }
    }

    /// Asks a drawing or a grid to leave its present pictures as they are after the step that runs, and
    /// to go on with the next. Other jobs have nothing to skip.
    pub fn skip(&self) {
        self.0.stop.request_skip();
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.inner().state
    }

    /// How much of the present phase is done.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        self.inner().progress.clone()
    }

    /// What happened, from the `first`th event on.
    #[must_use]
    pub fn events_since(&self, first: usize) -> Vec<Event> {
        self.inner().events.get(first..).unwrap_or_default().to_vec()
    }

    /// What `pick` makes of the last event that it takes.
    #[must_use]
    pub fn last_event<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.inner().events.iter().rev().find_map(pick)
    }

    /// As [`Job::events_since`], but waits for an event or the job's end, at most so long. The
    /// state is that after these events.
    #[must_use]
    pub fn wait_for_events(&self, first: usize, most: Duration) -> (Vec<Event>, JobState) {
        let waiting = |inner: &mut Inner| inner.events.len() <= first && !inner.state.is_over();
        let waited = self.0.changed.wait_timeout_while(self.inner(), most, waiting);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (inner.events.get(first..).unwrap_or_default().to_vec(), inner.state)
    }

    /// Its result, once there is one.
    #[must_use]
    pub fn result(&self) -> Option<Result<Arc<Outcome>, Failure>> {
        self.inner().result.clone()
    }

    /// Waits for its result.
    ///
    /// # Errors
    /// Why there is none: it failed, or it was stopped.
    pub fn wait(&self) -> Result<Arc<Outcome>, Failure> {
        let mut inner = self.inner();
        loop {
            if let Some(result) = &inner.result {
                return result.clone();
            }
            inner = self.0.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What it was asked for and has not done yet.
    #[must_use]
    pub fn stop_flag(&self) -> &Stop {
        &self.0.stop
    }

    /// It runs now; `false` where it has ended already.
    pub(crate) fn begin(&self) -> bool {
        let mut inner = self.inner();
        if inner.state != JobState::Queued {
            return false;
        }
        inner.state = JobState::Running;
        self.0.changed.notify_all();
        true
    }

    pub(crate) fn push(&self, event: Event) {
        let mut inner = self.inner();
        let update = match &event {
            Event::Loading { .. } => Some(("loading", 0, 0, None)),
            Event::Encoded { done, of } => Some(("encoding", *done, *of, None)),
            Event::Step(report) => {
                Some(("training", report.step, report.of, Some(report.remaining)))
            }
            Event::DrawStep { step, of, first, pictures } => {
                // What is left of a picture after its last step is the VAE's.
                let phase = if step == of { "decoding" } else { "drawing" };
                Some((phase, first * of + step, pictures * of, None))
            }
            Event::Forecast { pictures, seconds, .. } => {
                Some(("drawing", 0, *pictures, Some(*seconds)))
            }
            Event::Started(report) => Some(("comparing short runs", report.start, report.of, None)),
            Event::Phase { phase } => Some((phase.as_str(), 0, 0, None)),
            _ => None,
        };
        if let Some((phase, done, of, left)) = update {
            // Drawing and decoding take turns, and are timed together.
            let drawn = |phase: &str| phase == "drawing" || phase == "decoding";
            if inner.progress.phase != phase && !(drawn(phase) && drawn(&inner.progress.phase)) {
                inner.phase_began = Instant::now();
            }
            let spent = inner.phase_began.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a rough forecast")]
            let guessed =
                (done > 0 && of >= done).then(|| spent / done as f64 * (of - done) as f64);
            inner.progress =
                JobProgress { phase: phase.into(), done, of, seconds_left: left.or(guessed) };
        }
        if let Event::DrawPreview { index, .. } = &event {
            inner.forget_preview(*index);
        }
        inner.events.push(event);
        self.0.changed.notify_all();
    }

    pub(crate) fn end(&self, result: Result<Outcome, Failure>) {
        let mut inner = self.inner();
        if inner.result.is_some() {
            return;
        }
        inner.state = match &result {
            Ok(_) => JobState::Finished,
            Err(failure) if failure.is_stop() => JobState::Stopped,
            Err(_) => JobState::Failed,
        };
        inner.result = Some(result.map(Arc::new));
        // A server keeps hundreds of jobs that are over.
        inner.events.shrink_to_fit();
        self.0.changed.notify_all();
    }
}
