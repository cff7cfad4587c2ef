//! The rule that orders candidates.
//!
//! *Learned* is the share of the run's fall of the loss that a candidate has reached: 0 is the
//! start, 1 is all that come near the best. Where pictures were judged it is their similarity
//! instead.
//!
//! | by | best is |
//! |---|---|
//! | `similarity` | the most learned |
//! | `balance` | the most learned, less half of what is lost of fidelity against the best candidate |
//! | `fidelity` | the highest fidelity of those that have learned at least 0.8 of the most learned |
//!
//! Of those within a hundredth (with `fidelity`: of equals) the latest is taken: at the end the rate
//! is low and vectors are calm, while single steps on the way wander (docs/quality.md).
use super::Candidate;
use crate::run_folder::steps::StepChoice;
use std::cmp::Ordering;
use wayword_interface::choices;

/// From this share of the fall of the loss on candidates count as equal: single steps wander by as
/// much, and the lowest is often a step whose pictures are less alike than those around it.
const ALIKE: f64 = 0.9;
/// What a loss of fidelity counts against what is learned, with `balance`.
const WEIGHT: f64 = 0.5;
/// How much fidelity wanders between steps of which none loses any (docs/quality.md).
const CALM: f64 = 0.05;
/// Values that differ by no more are equal.
const EQUAL: f64 = 0.01;
/// Share of the most learned that `fidelity` asks for.
const ENOUGH: f64 = 0.8;
/// How far below the best all later steps are where overtraining has begun.
const WORSE: f64 = 0.1;

choices! {
    /// What counts in the choice of a step.
    pub enum By {
        /// Similarity to the training images, less half of the lost prompt fidelity
        Balance = "balance",
        /// Similarity to the training images
        Similarity = "similarity",
        /// Prompt fidelity, of the steps that have learned enough
        Fidelity = "fidelity",
    }
}

/// Places of the candidates, best first.
#[must_use]
pub fn order(by: By, start: &Candidate, candidates: &[Candidate]) -> Vec<usize> {
    ordered(by, start, candidates).0
}

/// Those of the order that are worth a closer look: the best, and of those as good as it the ones that
/// lie far apart; where they are too few, the next best.
#[must_use]
pub fn spread(by: By, start: &Candidate, candidates: &[Candidate], count: usize) -> Vec<usize> {
    let (order, equal) = ordered(by, start, candidates);
    let wanted = count.min(equal);
    let place = |i: usize| order[i * (equal - 1) / (wanted - 1).max(1)];
    let mut chosen: Vec<usize> = (0..wanted).map(place).collect();
    chosen.extend(&order[equal..]);
    chosen.truncate(count);
    chosen
}

/// Places of the candidates, best first, and how many of them are as good as the best.
fn ordered(by: By, start: &Candidate, candidates: &[Candidate]) -> (Vec<usize>, usize) {
    let values = values(by, start, candidates);
    let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // What a step has learned wanders; who asks for the highest fidelity means it.
    let range = if by == By::Fidelity { 0.0 } else { EQUAL };
    let value = |place: usize| if values[place] >= best - range { best } else { values[place] };
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| {
        let later = || candidates[*b].steps.middle().cmp(&candidates[*a].steps.middle());
        value(*b).partial_cmp(&value(*a)).unwrap_or(Ordering::Equal).then_with(later)
    });
    let equal = values.iter().filter(|value| **value >= best - range).count();
    (order, equal)
}

/// What each candidate has learned: the similarity of its pictures where all were judged, else the
/// share of the fall of the loss, in which those near the best are equal.
#[must_use]
pub fn learned(start: &Candidate, candidates: &[Candidate]) -> Vec<f64> {
    let judged: Option<Vec<f64>> = candidates.iter().map(|c| c.similarity).collect();
    judged.unwrap_or_else(|| {
        let least = candidates.iter().map(|c| c.loss).fold(start.loss, f64::min);
        let fall = (start.loss - least).max(1e-12);
        candidates.iter().map(|c| ((start.loss - c.loss) / fall / ALIKE).min(1.0)).collect()
    })
}

/// The value of each candidate by the rule.
#[must_use]
pub fn values(by: By, start: &Candidate, candidates: &[Candidate]) -> Vec<f64> {
    let learned = learned(start, candidates);
    let most = learned.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let truest = candidates.iter().map(|c| c.fidelity).fold(f64::NEG_INFINITY, f64::max);
    let value = |(candidate, learned): (&Candidate, &f64)| match by {
        By::Similarity => *learned,
        By::Balance => learned - WEIGHT * (truest - candidate.fidelity - CALM).max(0.0),
        By::Fidelity if *learned >= ENOUGH * most => candidate.fidelity,
        // Behind all that have learned enough, in the order of what they have learned.
        By::Fidelity => learned - 10.0,
    };
    candidates.iter().zip(&learned).map(value).collect()
}

/// The step from which on all that were looked at are worse than the best by more than a little:
/// less is learned, or other words suffer. `steps` are single steps in their order.
#[must_use]
pub fn overtrained_from(start: &Candidate, steps: &[Candidate]) -> Option<usize> {
    let values = values(By::Balance, start, steps);
    let best = values.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let bad = values.iter().rev().take_while(|value| **value < best.1 - WORSE).count();
    let first = values.len() - bad;
    (bad > 0 && first > best.0).then(|| steps[first].steps.middle())
}

/// Why a candidate is the best, in a sentence.
#[must_use]
pub fn why(by: By, start: &Candidate, candidates: &[Candidate], chosen: StepChoice) -> String {
    let Some(best) = candidates.iter().find(|c| c.steps == chosen) else { return String::new() };
    let last = candidates.iter().rfind(|c| matches!(c.steps, StepChoice::One(_)));
    let last = last.unwrap_or(best);
    let what = match by {
        By::Similarity => "most similar to the training images",
        By::Balance => "best balance of similarity and prompt fidelity",
        By::Fidelity => "highest prompt fidelity of the steps that have learned enough",
    };
    let numbers = match (best.similarity, last.similarity) {
        (Some(of_best), Some(of_last)) => {
            format!("similarity {of_best:.3} (last step {of_last:.3}), ")
        }
        (Some(of_best), None) => format!("similarity {of_best:.3}, "),
        _ => String::new(),
    };
    format!(
        "{what}: {numbers}loss {:.4} (start {:.4}, last step {:.4}), fidelity {:.2} (last step {:.2})",
        best.loss, start.loss, last.loss, best.fidelity, last.fidelity
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(step: usize, loss: f64, fidelity: f64) -> Candidate {
        Candidate {
            steps: StepChoice::One(step),
            loss,
            loss_by_timestep: [loss; 3],
            fidelity,
            norm: 1.0,
            drift: 0.0,
            similarity: None,
        }
    }

    #[test]
    fn each_rule_takes_what_it_says() {
        let start = candidate(0, 0.2, 1.0);
        let all = [
            candidate(100, 0.19, 0.95),
            candidate(200, 0.105, 0.9),
            candidate(300, 0.10, 0.6),
            candidate(400, 0.10, 0.6),
        ];
        assert_eq!(order(By::Similarity, &start, &all), [3, 2, 1, 0], "of equals the later one");
        assert_eq!(order(By::Balance, &start, &all)[0], 1);
        assert_eq!(order(By::Fidelity, &start, &all), [1, 3, 2, 0]);
        assert!(why(By::Balance, &start, &all, StepChoice::One(200)).contains("loss 0.1050"));
        let wanders = [all[2].clone(), candidate(400, 0.105, 0.6)];
        assert_eq!(
            order(By::Similarity, &start, &wanders),
            [1, 0],
            "as good as equal: the later one"
        );
        let mut judged = all.clone();
        for (one, similarity) in judged.iter_mut().zip([0.2, 0.5, 0.9, 0.7]) {
            one.similarity = Some(similarity);
        }
        assert_eq!(order(By::Similarity, &start, &judged), [2, 3, 1, 0]);
    }

    #[test]
    fn steps_that_only_wander_leave_the_last() {
        let start = candidate(0, 0.2, 1.0);
        let all =
            [candidate(100, 0.1, 0.95), candidate(200, 0.104, 0.92), candidate(300, 0.102, 0.91)];
        assert_eq!(order(By::Balance, &start, &all), [2, 1, 0]);
        assert_eq!(spread(By::Balance, &start, &all, 2), [2, 0], "the last and one far from it");
        assert_eq!(spread(By::Balance, &start, &all, 1), [2]);
        assert_eq!(spread(By::Balance, &start, &all, 9), [2, 1, 0]);
        assert!(spread(By::Balance, &start, &[], 3).is_empty());
        let mut judged = all.clone();
        for (one, similarity) in judged.iter_mut().zip([0.805, 0.79, 0.80]) {
            one.similarity = Some(similarity);
        }
        assert_eq!(order(By::Balance, &start, &judged), [2, 0, 1], "a hundredth is no difference");
    }

    #[test]
    fn overtraining_begins_where_all_that_follows_is_worse() {
        let start = candidate(0, 0.2, 1.0);
        let good: Vec<_> = (1..6).map(|i| candidate(i * 100, 0.2 - 0.01 * i as f64, 0.9)).collect();
        assert_eq!(overtrained_from(&start, &good), None);
        let mut bad = good.clone();
        bad.push(candidate(600, 0.15, 0.5));
        bad.push(candidate(700, 0.15, 0.4));
        assert_eq!(overtrained_from(&start, &bad), Some(600));
        assert_eq!(overtrained_from(&start, &[]), None);
    }

    #[test]
    fn a_run_that_learned_nothing_has_an_order_too() {
        let start = candidate(0, 0.2, 1.0);
        let all = [candidate(1, 0.3, 0.9), candidate(2, 0.2, 0.9)];
        assert_eq!(order(By::Balance, &start, &all), [1, 0]);
        assert!(values(By::Balance, &start, &all).iter().all(|v| v.is_finite()));
    }
}
