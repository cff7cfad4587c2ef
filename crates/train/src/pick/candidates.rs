//! Which steps are looked at, and how closely, so that scores cost a tenth of the run at most.
use crate::fidelity::Probes;
use crate::plan::TrainPlan;
use crate::run_folder::steps::StepChoice;

/// Means of neighbors that are scored, around the best steps.
pub(super) const MEANS: usize = 3;

/// What the scores may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Steps that are scored.
    pub(super) steps: usize,
    /// Samples of the loss.
    pub(super) samples: usize,
    /// Where fidelity is measured.
    pub(super) probes: Probes,
}

impl Room {
    /// For a run: a tenth of its evaluations, of which a forward is a third.
    pub(super) fn of(plan: &TrainPlan) -> Self {
        Self::of_evaluations(super::evaluations(plan))
    }

    fn of_evaluations(run: usize) -> Self {
        let forwards = run * 3 / 10;
        let large = Self { steps: 20, samples: 8, probes: Probes::USUAL };
        let small = Self { steps: 12, samples: 4, probes: Probes { images: 1, prompts: 2 } };
        // Besides the steps: the start, its directions as the reference, and the means.
        let fit = |room: Self| Self {
            steps: (forwards / room.forwards()).saturating_sub(2 + MEANS).min(room.steps),
            ..room
        };
        let (large, small) = (fit(large), fit(small));
        if large.steps >= 8 { large } else { Self { steps: small.steps.max(3), ..small } }
    }

    /// Forwards of all: besides the steps the start, its directions as the reference, and the means.
    pub(super) fn total(&self) -> usize {
        (self.steps + 2 + MEANS) * self.forwards()
    }

    /// Forwards of one candidate.
    pub(super) fn forwards(&self) -> usize {
        self.samples + self.probes.forwards()
    }
}

/// Steps to look at, evenly, the last among them and 0 not.
pub(super) fn steps(last: usize, count: usize) -> Vec<usize> {
    let count = count.clamp(1, last.max(1));
    let mut steps: Vec<usize> = (1..=count).map(|i| i * last / count).collect();
    steps.dedup();
    steps
}

/// Means over the neighborhood of the best steps: from the step before to the step after.
/// `best` are places in `steps`.
pub(super) fn means(steps: &[usize], best: &[usize]) -> Vec<StepChoice> {
    let mut out = Vec::new();
    for place in best.iter().take(MEANS) {
        let first = place.checked_sub(1).map_or(1, |before| steps[before]);
        let last = steps.get(place + 1).or(steps.last()).copied().unwrap_or(1);
        if first < last {
            out.push(StepChoice::Mean(first, last));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_cost_a_tenth_of_a_run_at_most() {
        for run in [200, 400, 553, 800, 1000, 2000, 20_000] {
            let room = Room::of_evaluations(run);
            let forwards = room.total();
            assert!(forwards * 10 <= run * 3, "{run}: {room:?} takes {forwards} forwards");
        }
        assert_eq!(Room::of_evaluations(1000).steps, 11);
        assert_eq!(Room::of_evaluations(3).steps, 3, "very short runs are looked at all the same");
    }

    #[test]
    fn steps_end_with_the_last_and_means_lie_around_the_best() {
        assert_eq!(steps(1000, 4), [250, 500, 750, 1000]);
        assert_eq!(steps(2, 12), [1, 2]);
        assert_eq!(steps(0, 12), [0]);
        let means = means(&[250, 500, 750, 1000], &[0, 2, 3, 1]);
        let want = [(1, 500), (500, 1000), (750, 1000)];
        assert_eq!(means, want.map(|(a, b)| StepChoice::Mean(a, b)));
    }
}
