//! Events as lines, for logs: the first step, about twenty on the way, and whatever is slow.
use super::{forecast, unused};
use crate::show::note;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use wayword_interface::counted;
use wayword_session::numbers::estimated;
use wayword_session::{Event, StartReport, StepReport};

/// A step that takes longer gets a line of its own.
const LONG: Duration = Duration::from_secs(30);

/// Remembers when the last line was written.
#[derive(Default)]
pub(crate) struct Lines {
    last: Mutex<Option<Instant>>,
}

impl Lines {
    /// Whether step `step` of `of` is worth a line.
    fn due(&self, step: usize, of: usize) -> bool {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let late = last.is_some_and(|t| t.elapsed() >= LONG);
        let every = (of / 20).max(1);
        let due = step == 1 || step == of || step.is_multiple_of(every) || late;
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    /// Loading, drawing, training.
    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Loading { what, path } => {
                note(&format!("loading {what} {}", path.display()));
            }
            Event::Phase { phase } => note(phase),
            Event::Loaded { unused: names, .. } => {
                if let Some(line) = unused(names) {
                    note(&line);
                }
            }
            Event::Forecast { pictures, seconds, memory } => {
                note(&forecast(*pictures, *seconds, *memory));
            }
            Event::Picture { index, of, seed } => {
                note(&format!("image {} of {of}, seed {seed}", index + 1));
            }
            Event::Plan(summary) => {
                for line in crate::show::plan::lines(summary, crate::show::plan::CAPTIONS) {
                    note(&line);
                }
            }
            Event::Encoded { done, of } if done == of => {
                note(&format!("{} encoded", counted(*of, "image")))
            }
            Event::Measured { step, fixed_noise_loss: loss } => {
                let step = counted(*step, "step");
                note(&format!("evaluation loss (fixed noise) after {step}: {loss:.4}"));
            }
            Event::Started(StartReport { start, of, loss, fidelity }) => {
                note(&format!("short run {start} of {of}: loss {loss:.4}, fidelity {fidelity:.2}"));
            }
            Event::Step(report) if self.due(report.step, report.of) => note(&step(report)),
            Event::Similarity { step, similarity, .. } => {
                note(&format!("similarity after {}: {similarity:.3}", counted(*step, "step")));
            }
            Event::Saved { path, .. } | Event::Preview { path, .. } | Event::Report { path } => {
                note(&format!("wrote {}", path.display()));
            }
            _ => {}
        }
    }
}

/// A step in a line.
fn step(report: &StepReport) -> String {
    format!(
        "step {} of {}: loss {:.4} (mean {:.4}), lr {:.2e}, {} a step, {} left",
        report.step,
        report.of,
        report.loss,
        report.mean_loss,
        report.rate,
        seconds(report.seconds),
        estimated(report.remaining)
    )
}

/// Seconds of a step with two digits that matter.
fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let report = StepReport {
            step: 200,
            of: 1000,
            epoch: 1,
            epochs: 1,
            loss: 0.12345,
            mean_loss: 0.2,
            rate: 1e-3,
            gradient_norm: 0.5,
            vector_norm: 0.4,
            vector_norm_to_vocabulary: 2.0,
            seconds: 0.051,
            remaining: 41.0,
        };
        assert_eq!(
            step(&report),
            "step 200 of 1000: loss 0.1235 (mean 0.2000), lr 1.00e-3, 51 ms a step, 41.0 s left"
        );
    }

    #[test]
    fn some_twenty_steps_get_a_line() {
        let lines = Lines::default();
        assert_eq!((1..=1000).filter(|s| lines.due(*s, 1000)).count(), 21);
        assert_eq!((1..=3).filter(|s| lines.due(*s, 3)).count(), 3);
    }
}
