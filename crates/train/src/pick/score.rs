//! The scores of a candidate.
use super::Candidate;
use super::candidates::Room;
use crate::batches::Batches;
use crate::fidelity::Directions;
use crate::plan::TrainPlan;
use crate::recipe::LOW;
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::training_loop::micro_batch::{self, MicroBatch};
use crate::{Result, vectors};
use wayword_diffusion::AdapterGuard;

/// Scores candidates, all with the same noise.
pub(super) struct Scorer<'a> {
    model: &'a AdapterGuard<'a>,
    plan: &'a TrainPlan,
    kept: &'a KeptVectors,
    set: Vec<MicroBatch>,
    directions: Directions,
    /// The vectors of the candidate before.
    before: Option<Vec<f32>>,
    /// Forwards of one sample so far.
    pub(super) forwards: usize,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(
        model: &'a AdapterGuard<'a>,
        plan: &'a TrainPlan,
        kept: &'a KeptVectors,
        batches: &Batches<'_>,
        room: &Room,
    ) -> Result<Self> {
        // How alike pictures are follows the loss at much noise and not that at little.
        let set = batches.comparison_set(room.samples, LOW)?;
        let start = plan.first_vectors(model.base())?;
        let directions = Directions::new(model, plan, &start, &set, room.probes)?;
        let forwards = room.probes.forwards();
        Ok(Self { model, plan, kept, set, directions, before: None, forwards })
    }

    /// A candidate's scores.
    pub(super) fn score(&mut self, steps: StepChoice) -> Result<Candidate> {
        let candidate_vectors = self.kept.all(steps)?;
        let mut losses = Vec::with_capacity(self.set.len());
        for batch in &self.set {
            losses.push(f64::from(micro_batch::evaluate(self.model, &candidate_vectors, batch)?));
        }
        let fidelity = self.directions.compare(self.model, &candidate_vectors)?;
        self.forwards += self.set.len() + self.directions.forwards();
        let width = self.plan.base.token_width;
        let norm = vectors::mean_norm(&candidate_vectors, width);
        let vocabulary = self.plan.vocabulary_norm();
        let drift = self.before.as_ref().map_or(0.0, |before| distance(before, &candidate_vectors));
        let length = candidate_vectors.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        self.before = Some(candidate_vectors);
        Ok(Candidate {
            steps,
            loss: mean(&losses),
            loss_by_timestep: thirds(&losses),
            fidelity,
            norm: norm / vocabulary.max(1e-12),
            drift: drift / length.max(1e-12),
            similarity: None,
        })
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Means of the first, middle and last third: the set's timesteps rise.
fn thirds(values: &[f64]) -> [f64; 3] {
    let n = values.len();
    let part = |i: usize| mean(&values[i * n / 3..((i + 1) * n / 3).max(i * n / 3 + 1).min(n)]);
    [part(0), part(1), part(2)]
}
