//! Events as a bar on the terminal: place, loss, rate, time left.
use super::unused;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayword_session::numbers::duration;
use wayword_session::{Event, StepReport};

/// Redraws a second; more cannot be read.
const REDRAWS: u8 = 15;

/// The bar of the work that runs, if any.
#[derive(Default)]
pub(crate) struct Bar {
    running: Mutex<Option<(String, ProgressBar)>>,
}

impl Bar {
    /// A line above the bar.
    pub(super) fn note(&self, text: &str) {
        self.aside(|| super::super::note(text));
    }

    /// Something else writes to the terminal meanwhile.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        match &*self.running() {
            Some((_, bar)) => bar.suspend(write),
            None => write(),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<(String, ProgressBar)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the bar of this kind of work, which begins with its first event.
    fn advance(&self, what: &str, done: usize, of: usize, message: String) {
        let mut running = self.running();
        if running.as_ref().is_none_or(|(name, _)| name != what) {
            if let Some((_, old)) = running.take() {
                old.finish_and_clear();
            }
            *running = Some((what.to_owned(), new(what)));
        }
        if let Some((_, bar)) = &*running {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            bar.set_message(message);
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some((_, bar)) = self.running().take() {
            bar.finish_and_clear();
        }
    }

    /// Loading, drawing, training.
    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Loading { what, path } => {
                self.clear();
                self.note(&format!("loading {what} {}", path.display()));
            }
            Event::Loaded { unused: names, .. } => {
                if let Some(line) = unused(names) {
                    self.note(&line);
                }
            }
            Event::DrawStep { step, of, first, pictures } => {
                let message = format!("picture {} of {pictures}", first + 1);
                self.advance("drawing", *step, *of, message);
            }
            Event::Drawn { .. } => self.clear(),
            Event::Plan(summary) => {
                self.clear();
                for line in crate::show::plan::lines(summary, crate::show::plan::CAPTIONS) {
                    self.note(&line);
                }
            }
            Event::Encoded { done, of } => self.advance("pictures", *done, *of, String::new()),
            Event::Measured { step, fixed_noise_loss: loss } => {
                self.note(&format!("loss at fixed noise after {step} steps: {loss:.4}"));
            }
            Event::Started { start, of, origin, loss, .. } => {
                self.advance("starts", *start, *of, crate::show::plan::start(origin, *loss));
            }
            Event::Step(report) => self.advance("training", report.step, report.of, step(report)),
            Event::Saved { path, .. } | Event::Preview { path, .. } | Event::Report { path } => {
                self.note(&format!("wrote {}", path.display()));
            }
            Event::Stopped { .. } | Event::Finished(_) => self.clear(),
            _ => {}
        }
    }
}

fn new(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS));
    let style = ProgressStyle::with_template("{prefix:8} {bar:32} {pos}/{len}  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What stands beside the bar.
fn step(report: &StepReport) -> String {
    let rate = if report.seconds > 1.0 {
        format!("{:.1} s/step", report.seconds)
    } else {
        format!("{:.1} steps/s", 1.0 / report.seconds.max(1e-6))
    };
    format!(
        "loss {:.4}  mean {:.4}  lr {:.1e}  {rate}  {} left",
        report.loss,
        report.mean_loss,
        report.rate,
        duration(report.remaining)
    )
}
