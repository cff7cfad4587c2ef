//! How the evaluations of a run are spent: on one start, or on several of which the best goes on.
//!
//! An evaluation is one sample forward and backward; a sample forward alone counts a third. The
//! evaluation loss that every run reports is not counted.
use serde::{Deserialize, Serialize};
use wayword_interface::choices;

/// Evaluations where nothing else is asked for.
pub const BUDGET: usize = 1000;

/// The lowest timestep of the short runs (docs/quality.md).
pub(crate) const LOW: usize = 400;

/// The fewest evaluations that can be asked for.
pub const LEAST_BUDGET: usize = 50;

choices! {
    /// How the evaluations of a run are spent.
    pub enum Recipe {
        /// One start at the init word; all evaluations are its steps
        Classic = "classic",
        /// Several short starts at the words that fit the images best; the best one goes on
        Fast = "fast",
    }
}

/// What comes before the first step under `fast`.
///
/// Words of the vocabulary are ranked by how the loss would fall along the gradient at the init
/// word, the first of them by the loss itself. Short runs start at the best, the best of them go
/// on, until one is left: there the training begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Starts {
    /// Evaluations of the whole run.
    pub budget: usize,
    /// Samples of the gradient by which the vocabulary is ranked; 0 for no ranking.
    pub gradients: usize,
    /// Words that are then measured.
    pub words: usize,
    /// Samples of each measure of a word.
    pub word_samples: usize,
    /// Short runs and steps of each round; in the next round the best of them go on.
    pub rounds: Vec<(usize, usize)>,
    /// Samples by which short runs are compared.
    pub samples: usize,
    /// The lowest timestep at which short runs learn and are compared, and words are: with less noise
    /// the loss says little of who is shown.
    #[serde(default)]
    pub low: usize,
    /// A factor on the learning rate of the short runs.
    pub rate: f64,
    /// Share of a round's steps whose mean is compared and goes on.
    pub average: f64,
    /// Pictures by which starts are compared and from which they do not learn, by their places.
    pub left_out: Vec<usize>,
}

impl Starts {
    /// What a budget allows with these pictures; `ranking`: whether words may be looked for.
    #[must_use]
    pub fn of(budget: usize, pictures: &[usize], ranking: bool) -> Self {
        let small = budget < 800;
        let scale = |n: usize| (n * budget / BUDGET).clamp(1, n);
        let rounds = match (small, ranking) {
            (false, _) => vec![(6, 30), (2, 60)],
            (true, true) => vec![(3, (budget / 10).min(20))],
            (true, false) => vec![(2, (budget / 10).min(20))],
        };
        Self {
            budget,
            gradients: if ranking { 16.min(budget / 12) } else { 0 },
            words: if ranking { scale(24).max(20.min(budget / 10)) } else { 0 },
            word_samples: if small { (budget / 25).min(8) } else { 8 },
            rounds,
            samples: if small { 6.max(budget / 16).min(12) } else { 24 },
            low: LOW,
            rate: 1.0,
            average: 0.5,
            left_out: left_out(pictures),
        }
    }

    /// Evaluations before the first step.
    #[must_use]
    pub fn cost(&self) -> f64 {
        let compared = self.rounds.iter().any(|(starts, _)| *starts > 1);
        let compare = if compared { self.samples as f64 / 3.0 } else { 0.0 };
        let round_cost =
            |(starts, steps): &(usize, usize)| *starts as f64 * (*steps as f64 + compare);
        let words = if self.gradients > 0 { self.words + 1 } else { 0 };
        let ranking = self.gradients as f64 + (words * self.word_samples) as f64 / 3.0;
        ranking + self.rounds.iter().map(round_cost).sum::<f64>()
    }

    /// Steps that the budget leaves, of `samples` each.
    #[must_use]
    pub fn steps(&self, samples: usize) -> usize {
        let left = (self.budget as f64 - self.cost()) / samples.max(1) as f64;
        (left.floor() as usize).max(1)
    }
}

/// One picture in five, and none of fewer than six.
fn left_out(pictures: &[usize]) -> Vec<usize> {
    if pictures.len() < 6 {
        return Vec::new();
    }
    pictures.iter().copied().skip(2).step_by(5).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_never_costs_more_than_its_budget() {
        let pictures: Vec<usize> = (0..15).collect();
        for budget in (LEAST_BUDGET..1500).step_by(7) {
            for ranking in [false, true] {
                let starts = Starts::of(budget, &pictures, ranking);
                let steps = starts.steps(1);
                let total = starts.cost() + steps as f64;
                assert!(total <= budget as f64 && total > budget as f64 - 1.0, "{budget}: {total}");
                assert!(steps * 5 >= budget, "{budget}: only {steps} steps");
            }
        }
    }

    #[test]
    fn one_picture_in_five_is_left_out_and_none_of_few() {
        let pictures: Vec<usize> = (0..15).collect();
        assert_eq!(left_out(&pictures), [2, 7, 12]);
        assert_eq!(left_out(&pictures[..6]), [2]);
        assert!(left_out(&pictures[..5]).is_empty());
    }
}
