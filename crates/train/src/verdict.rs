//! What a run's recorded losses say: whether anything was learned, and where overtraining began.
use crate::Result;
use crate::embedding::Init;
use crate::plan::TrainPlan;
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::stopping::Ended;
use serde::{Deserialize, Serialize};

/// The least fall of the evaluation loss, as a share of the loss at the start.
pub(crate) const LEARNED: f64 = 0.01;
/// How far the loss must stay above its lowest, as a share of its fall, to count as overtraining.
const RISEN: f64 = 0.1;
/// Runs that are shorter are not judged.
const SHORT: usize = 50;
/// A turn of the vectors below this cosine is a change of direction.
const STILL: f64 = 0.99;

/// What is to be said of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Verdict {
    /// Whether the evaluation loss fell by at least a hundredth.
    pub learned: bool,
    /// Whether the vectors have another direction than at the start.
    pub moved: bool,
    /// The step of the lowest loss, of those that were recorded.
    pub lowest_at: Option<usize>,
    /// The recorded step from which on the loss stays a tenth of its fall above the lowest.
    pub overtrained_from: Option<usize>,
    /// Where and why the run ended before all its planned steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { learned: true, moved: true, lowest_at: None, overtrained_from: None, ended: None }
    }
}

impl Verdict {
    /// What to try where nothing was learned.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        if self.moved {
            "try another {train.seed} or another {train.init}, and look whether the images show one subject"
        } else {
            "the vectors hardly moved: use a higher {train.learning_rate} or more {train.steps}"
        }
    }
}

/// The verdict on steps and evaluation losses, in their order, the start first; `turned` is the
/// cosine between the first and the last vectors. What was not `fresh` had learned before the first
/// step, and need not have learned more.
#[must_use]
pub fn of(fixed: &[(usize, f64)], turned: f64, fresh: bool) -> Verdict {
    let moved = turned < STILL;
    let (Some((_, first)), [_, later @ ..]) = (fixed.first(), fixed) else {
        return Verdict { moved, ..Verdict::default() };
    };
    let Some((place, (step, lowest))) =
        later.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1))
    else {
        return Verdict { moved, ..Verdict::default() };
    };
    let fall = first - lowest;
    let short = later.last().is_some_and(|(step, _)| *step < SHORT);
    let fell = fall >= LEARNED * first;
    let behind = &later[place + 1..];
    let risen = |(_, loss): &&(usize, f64)| *loss > lowest + RISEN * fall.max(0.0);
    let high = behind.iter().rev().take_while(risen).count();
    let overtrained_from = (fell && !short && high > 0).then(|| behind[behind.len() - high].0);
    let learned = fell || short || !fresh;
    Verdict { learned, moved, lowest_at: Some(*step), overtrained_from, ended: None }
}

/// Whether a run begins at words rather than at what another training had learned.
#[must_use]
pub fn is_fresh(plan: &TrainPlan) -> bool {
    let learned = |init: &Init| matches!(init, Init::File(_) | Init::Vectors { .. });
    !plan.embeddings.iter().any(|e| learned(&e.init))
}

/// The cosine between a run's first and last vectors, all taken as one.
///
/// # Errors
/// If the run keeps no vectors.
pub fn turned(kept: &KeptVectors) -> Result<f64> {
    let first = kept.steps().first().copied().unwrap_or_default();
    let (a, b) = (kept.all(StepChoice::One(first))?, kept.all(StepChoice::One(kept.last()))?);
    Ok(cosine(&a, &b))
}

/// The cosine of the angle between two arrays.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_read_as_people_read_them() {
        let verdict_of = |losses: &[f64]| {
            let fixed: Vec<_> = losses.iter().enumerate().map(|(i, l)| (i * 200, *l)).collect();
            of(&fixed, 0.3, true)
        };
        let falls = verdict_of(&[0.20, 0.18, 0.17, 0.165]);
        assert!(falls.learned && falls.lowest_at == Some(600) && falls.overtrained_from.is_none());
        let rises = verdict_of(&[0.20, 0.17, 0.16, 0.161, 0.18, 0.19]);
        assert_eq!((rises.lowest_at, rises.overtrained_from), (Some(400), Some(800)));
        let flat = verdict_of(&[0.20, 0.1995, 0.1999]);
        assert!(!flat.learned && flat.overtrained_from.is_none(), "{flat:?}");
        assert!(flat.advice().contains("{train.seed}"));
        assert!(super::of(&[(0, 0.2)], 1.0, true).advice().contains("{train.learning_rate}"));
        assert!(super::of(&[], 1.0, true).learned, "nothing recorded, nothing said");
        let more = super::of(&[(0, 0.2), (200, 0.1995)], 0.9, false);
        assert!(more.learned && more.overtrained_from.is_none(), "it had learned before: {more:?}");
        let brief = super::of(&[(0, 0.2), (40, 0.2)], 0.9, true);
        assert!(brief.learned, "too short to say: {brief:?}");
        let worse = verdict_of(&[0.20, 0.21, 0.25]);
        assert!(!worse.learned && worse.overtrained_from.is_none());
    }
}
