//! How a run spends its evaluations: which timesteps it learns from, how fast, and for how long.
//!
//! An evaluation is one sample forward and backward; a forward alone counts a third. The
//! evaluation loss that every run reports is not counted.
use crate::fidelity::Probes;
use serde::{Deserialize, Serialize};
use wayword_interface::choices;

/// Evaluations where nothing else is asked for.
pub const BUDGET: usize = 1000;

/// The fewest evaluations that can be asked for.
pub const LEAST_BUDGET: usize = 50;

/// With less noise than here the loss says little of who is shown (docs/quality.md).
pub(crate) const LOW: usize = 400;

/// Steps that learn at much noise only, and their share of a short run at most (docs/quality.md).
const STEPS: usize = 400;
const SHARE: f64 = 0.7;

/// The least budget that is spent on several short runs, how many there are, their steps in a budget
/// of 1000, and the samples by which they are compared (docs/quality.md).
const ROOM: usize = 800;
const RUNS: usize = 3;
const STARTS_STEPS: usize = 180;
const SAMPLES: usize = 24;

/// What `fast` multiplies the usual learning rate by at much noise (docs/quality.md).
pub(crate) const RATE: f64 = 2.0;

choices! {
    /// How a run spends its evaluations.
    pub enum Recipe {
        /// Three short runs at timesteps from 400 up and twice the usual rate, of which the best
        /// goes on; a small budget or given steps make it one run that begins so
        Fast = "fast",
        /// The usual rate, and all timesteps in every step
        Classic = "classic",
    }
}

/// Short runs before the first step, of which the best goes on. They learn and are compared at much
/// noise only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Starts {
    /// How many.
    pub runs: usize,
    /// Steps of each.
    pub steps: usize,
    /// Samples by which they are compared.
    pub samples: usize,
    /// Noisy images at which their fidelity is measured; runs of older versions have none, and the
    /// loss alone decides.
    #[serde(default)]
    pub probes: usize,
    /// Prompts with other words, at each of them.
    #[serde(default)]
    pub prompts: usize,
    /// The lowest timestep that is drawn.
    pub low: usize,
    /// A factor on the learning rate.
    pub rate: f64,
}

impl Starts {
    /// What a budget allows: nothing where it is too small for more than one run.
    #[must_use]
    pub fn of(budget: usize, rate: f64) -> Option<Self> {
        let steps = budget * STARTS_STEPS / BUDGET;
        (budget >= ROOM).then_some(Self {
            runs: RUNS,
            steps,
            samples: SAMPLES,
            probes: Probes::USUAL.images,
            prompts: Probes::USUAL.prompts,
            low: LOW,
            rate,
        })
    }

    /// Evaluations before the first step; a forward alone counts a third.
    #[must_use]
    pub fn cost(&self) -> f64 {
        let fidelity = self.fidelity().forwards();
        // Once more for the init word.
        let forwards = self.runs * (self.samples + fidelity) + fidelity;
        (self.runs * self.steps) as f64 + forwards as f64 / 3.0
    }

    /// Where the fidelity of a short run is measured.
    pub(crate) const fn fidelity(&self) -> Probes {
        Probes { images: self.probes, prompts: self.prompts }
    }
}

/// The first steps of a run, which learn at much noise only: who is shown is decided there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HighNoise {
    /// The lowest timestep that is drawn.
    pub low: usize,
    /// How many steps.
    pub steps: usize,
}

impl HighNoise {
    /// What `fast` does in a run of so many steps.
    #[must_use]
    pub fn of(steps: usize) -> Self {
        Self { low: LOW, steps: STEPS.min((SHARE * steps as f64) as usize) }
    }

    /// The lowest timestep of a step, counted from 0.
    #[must_use]
    pub const fn low(self, step: usize) -> usize {
        if step < self.steps { self.low } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_leave_steps_for_the_training() {
        assert_eq!(Starts::of(799, RATE), None);
        for budget in (800..5000).step_by(70) {
            let starts = Starts::of(budget, RATE).unwrap();
            let share = starts.cost() / budget as f64;
            assert!((0.5..0.6).contains(&share), "{budget}: {share}");
        }
    }

    #[test]
    fn short_runs_of_older_versions_are_read_and_measure_no_fidelity() {
        let old = r#"{"runs":3,"steps":180,"samples":24,"low":400,"rate":2.0}"#;
        let old: Starts = serde_json::from_str(old).unwrap();
        assert_eq!((old.probes, old.prompts), (0, 0));
        assert!((old.cost() - 564.0).abs() < 1e-9);
    }

    #[test]
    fn much_noise_comes_first_and_ends() {
        let first = HighNoise::of(1000);
        assert_eq!([0, 399, 400, 999].map(|step| first.low(step)), [400, 400, 0, 0]);
        assert_eq!(HighNoise::of(200).steps, 140);
        assert_eq!(HighNoise::of(1).low(0), 0, "a single step learns from all timesteps");
    }
}
