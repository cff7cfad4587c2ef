//! When a run may end before its last planned step: nothing more is learned, or other words begin to
//! suffer. Both are looked at on the same images and noise each time, as DVAR does it
//! (arXiv 2302.04841): not how low the loss is tells, but that it stands still.
use crate::batches::EVALUATION_BATCHES;
use crate::fidelity::Probes;
use crate::verdict::LEARNED;
use serde::{Deserialize, Serialize};

/// Steps between two looks.
pub(crate) const EVERY: usize = 100;
/// Runs that are shorter end where they were planned to.
pub(crate) const LEAST: usize = 5 * EVERY;
/// Looks over which the loss must have stood still.
const WINDOW: usize = 4;
/// What the variance of the last losses may be, as a share of that of all.
const STILL: f64 = 0.02;
/// How far below its best of the run fidelity must stay for two looks.
const SUFFERS: f64 = 0.1;

/// A look at a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps done.
    pub step: usize,
    /// The evaluation loss.
    #[serde(rename = "fixed_loss")]
    pub loss: f64,
    /// Prompt fidelity (`fidelity`), where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<f64>,
}

/// Why a run ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The evaluation loss stands still.
    NothingLearned,
    /// Fidelity fell and stayed low.
    WordsSuffer,
}

impl EndReason {
    /// The reason in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NothingLearned => "nothing more is learned",
            Self::WordsSuffer => "other words of a prompt begin to suffer",
        }
    }
}

/// A run that ended before its last planned step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ended {
    /// Steps done.
    pub after: usize,
    /// Steps that were planned, over which the learning rate falls.
    pub planned: usize,
    /// Why.
    pub why: EndReason,
    /// The step of the lowest evaluation loss.
    pub lowest_at: usize,
}

/// Forwards of one sample that a look takes.
pub(crate) const fn forwards() -> usize {
    EVALUATION_BATCHES + Probes::USUAL.forwards()
}

/// Evaluations that a look costs; a forward alone counts a third.
pub(crate) fn cost() -> f64 {
    forwards() as f64 / 3.0
}

/// Whether a run should end, and why; `all` are its looks in their order, the start first.
pub(crate) fn reason(all: &[Evaluation]) -> Option<EndReason> {
    let fidelities: Vec<f64> = all.iter().skip(1).filter_map(|look| look.fidelity).collect();
    if let [before @ .., a, b] = &fidelities[..] {
        let best = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if a.max(*b) < best - SUFFERS {
            return Some(EndReason::WordsSuffer);
        }
    }
    let losses: Vec<f64> = all.iter().map(|look| look.loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    if losses.first().is_none_or(|first| first - lowest < LEARNED * first) {
        return None;
    }
    let window = losses.len().checked_sub(WINDOW).filter(|first| *first > 0)?;
    (variance(&losses[window..]) < STILL * variance(&losses)).then_some(EndReason::NothingLearned)
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(losses: &[f64], fidelities: &[f64]) -> Vec<Evaluation> {
        let fidelity = |i: usize| fidelities.get(i).copied();
        let look = |(i, loss): (usize, &f64)| Evaluation {
            step: i * EVERY,
            loss: *loss,
            fidelity: fidelity(i),
        };
        losses.iter().enumerate().map(look).collect()
    }

    #[test]
    fn a_run_ends_when_its_loss_stands_still() {
        let falls = [0.20, 0.18, 0.17, 0.16, 0.15, 0.14];
        assert_eq!(reason(&looks(&falls, &[])), None);
        let still = [0.20, 0.171, 0.170, 0.1705, 0.170];
        assert_eq!(reason(&looks(&still, &[])), Some(EndReason::NothingLearned));
        assert_eq!(reason(&looks(&still[..4], &[])), None, "too early to say");
        assert_eq!(reason(&looks(&[0.2; 9], &[])), None, "a run that never began to learn goes on");
        assert_eq!(reason(&[]), None);
    }

    #[test]
    fn a_run_ends_when_other_words_suffer_twice() {
        let falls = [0.20, 0.18, 0.17, 0.16, 0.15];
        let suffers = looks(&falls, &[1.0, 0.92, 0.9, 0.80, 0.78]);
        assert_eq!(reason(&suffers), Some(EndReason::WordsSuffer));
        assert_eq!(reason(&looks(&falls, &[1.0, 0.92, 0.9, 0.78, 0.88])), None, "once is chance");
        assert_eq!(
            reason(&looks(&falls, &[1.0, 0.5, 0.5, 0.5, 0.5])),
            None,
            "the start is no best"
        );
    }
}
