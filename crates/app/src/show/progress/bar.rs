//! Events as a bar on the terminal: place, loss, rate, time left.
use super::{forecast, unused};
use crate::show::wrap;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayword_interface::counted;
use wayword_session::numbers::estimated;
use wayword_session::{Event, JobProgress, StepReport};

/// Redraws a second; more cannot be read.
const REDRAWS: u8 = 15;

/// The bar of the work that runs, if any.
#[derive(Default)]
pub(crate) struct Bar {
    running: Mutex<Option<(String, ProgressBar)>>,
    /// What stands beside the bar, behind the time left.
    beside: Mutex<String>,
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

    /// Shows how far the job is: the phase, the time left, and what else there is room for.
    pub(super) fn show(&self, progress: &JobProgress) {
        let mut running = self.running();
        if running.as_ref().is_none_or(|(phase, _)| *phase != progress.phase) {
            if let Some((_, old)) = running.take() {
                old.finish_and_clear();
            }
            *running = Some((progress.phase.clone(), new(&progress.phase, progress.of > 0)));
        }
        if let Some((_, bar)) = &*running {
            bar.set_length(progress.of as u64);
            bar.set_position(progress.done as u64);
            let left = progress.seconds_left.map(|s| format!("{} left", estimated(s)));
            let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
            let (phase, done, of) = (&progress.phase, progress.done, progress.of);
            let before = format!("{phase} {:20} {done}/{of}  ", "").chars().count();
            let room = wrap::width().map(|width| width.saturating_sub(before));
            bar.set_message(message(left.as_deref(), &beside, room));
        }
    }

    fn tell_beside(&self, text: String) {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = text;
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
                self.tell_beside(String::new());
                self.note(&format!("loading {what} {}", path.display()));
            }
            Event::Loaded { unused: names, .. } => {
                if let Some(line) = unused(names) {
                    self.note(&line);
                }
            }
            Event::Forecast { pictures, seconds, memory } => {
                self.note(&forecast(*pictures, *seconds, *memory));
            }
            Event::DrawStep { step, of, first, pictures } => {
                let picture = format!("image {} of {pictures}  step {step} of {of}", first + 1);
                self.tell_beside(picture);
            }
            Event::Drawn { .. } => self.clear(),
            Event::Plan(summary) => {
                self.clear();
                for line in crate::show::plan::lines(summary, crate::show::plan::CAPTIONS) {
                    self.note(&line);
                }
            }
            Event::Encoded { done, of } => self.tell_beside(format!("image {done} of {of}")),
            Event::Phase { .. } => self.tell_beside(String::new()),
            Event::Measured { step, fixed_noise_loss: loss } => {
                let step = counted(*step, "step");
                self.note(&format!("evaluation loss (fixed noise) after {step}: {loss:.4}"));
            }
            Event::Started(report) => {
                let (done, of, loss) = (report.start, report.of, report.loss);
                self.tell_beside(format!("short run {done} of {of}, loss {loss:.4}"));
            }
            Event::Step(report) => self.tell_beside(step(report)),
            Event::Similarity { step, similarity, .. } => {
                self.note(&format!("similarity after {}: {similarity:.3}", counted(*step, "step")));
            }
            Event::Saved { path, .. } | Event::Preview { path, .. } | Event::Report { path } => {
                self.note(&format!("wrote {}", path.display()));
            }
            Event::Stopped { .. } | Event::Finished(_) => self.clear(),
            _ => {}
        }
    }
}

/// A bar, or a moving sign where nobody knows how long it takes.
fn new(phase: &str, known: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS));
    let template = if known {
        "{prefix} {bar:20} {pos}/{len}  {wide_msg}"
    } else {
        "{prefix} {spinner} {elapsed}  {wide_msg}"
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
    bar.set_prefix(phase.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What stands beside the bar: the time left first, then as many whole parts as there is room for.
fn message(left: Option<&str>, beside: &str, room: Option<usize>) -> String {
    let mut message = left.unwrap_or_default().to_owned();
    for part in beside.split("  ").filter(|part| !part.is_empty()) {
        let gap = if message.is_empty() { "" } else { "  " };
        let columns = [&*message, gap, part].map(|text| text.chars().count()).iter().sum::<usize>();
        if room.is_some_and(|room| columns > room) {
            break;
        }
        message.push_str(gap);
        message.push_str(part);
    }
    message
}

/// What stands behind the time left of a training.
fn step(report: &StepReport) -> String {
    let rate = if report.seconds > 1.0 {
        format!("{:.1} s/step", report.seconds)
    } else {
        format!("{:.1} steps/s", 1.0 / report.seconds.max(1e-6))
    };
    let (mean, loss) = (report.mean_loss, report.loss);
    format!("mean loss {mean:.4}  {rate}  loss {loss:.4}  lr {:.1e}", report.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A training's line at 80 columns: what is before the message takes at most 44.
    #[test]
    fn the_time_left_is_seen_at_80_columns() {
        let before = "training ".len() + 20 + " 1000/1000  ".len();
        let beside = "mean loss 0.1234  1.2 steps/s  loss 0.1000";
        let line = message(Some("1 h 59 min left"), beside, Some(80 - before));
        assert_eq!(line, "1 h 59 min left  mean loss 0.1234");
        assert_eq!(message(None, beside, None), beside);
        assert_eq!(message(Some("9 s left"), beside, Some(4)), "9 s left");
        assert_eq!(message(None, "", Some(10)), "");
    }
}
