//! Several short runs, of which the best goes on: what comes before the first step under `fast`.
//!
//! All begin at the init word and differ in their noise, by which a single run is lucky or not. The best
//! has the lowest loss, but of nearly equal ones that which keeps other words alive. All of it depends
//! on the plan alone, so a run that was killed here ends with the same bytes; the short runs
//! that are done stand in the run's folder.
use super::finite;
use super::micro_batch::micro_step;
use crate::batches::Batches;
use crate::error::AtFile;
use crate::event::{Event, StartReport};
use crate::fidelity::Directions;
use crate::optim::Statistics;
use crate::plan::TrainPlan;
use crate::recipe::Starts;
use crate::vectors::VectorGradients;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use wayword_diffusion::AdapterGuard;
use wayword_diffusion::tokenizer::VOCABULARY;
use wayword_formats::atomic;
use wayword_interface::{Events, Stop};
use wayword_tensor::Memory;

/// What a loss of all prompt fidelity counts in the comparison, as a share of the loss. Runs that found
/// their subject differ by a hundredth of the loss or less, from those that did not by a twentieth.
const FIDELITY: f64 = 0.05;

/// A short run that is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Start {
    /// The mean of its last vectors.
    vectors: Vec<f32>,
    /// The loss of that on the set by which they are compared.
    loss: f64,
    /// How much other words still guide as they do with the init word.
    #[serde(default)]
    fidelity: f64,
}

/// Where the training begins, and the losses and fidelities of all short runs.
pub(super) struct Chosen {
    pub(super) vectors: Vec<f32>,
    pub(super) losses: Vec<f64>,
    pub(super) fidelities: Vec<f64>,
}

/// Finds the best start; `None` where a stop was requested. `file` keeps what is done.
pub(super) fn choose(
    (model, plan, starts): (&AdapterGuard<'_>, &TrainPlan, &Starts),
    batches: &Batches<'_>,
    memory: Memory,
    file: &Path,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Option<Chosen>> {
    let mut done = read(file)?;
    let set = batches.comparison_set(starts.samples, starts.low)?;
    let init = plan.first_vectors(model.base())?;
    let directions = Directions::new(model, plan, &init, &set, starts.fidelity())?;
    let short = ShortRuns { model, plan, starts, batches, memory };
    for number in done.len()..starts.runs {
        let Some(vectors) = short.train(number, stop)? else { return Ok(None) };
        let loss = super::evaluate(model, &vectors, &set)?;
        let fidelity = directions.compare(model, &vectors)?;
        done.push(Start { vectors, loss, fidelity });
        let (start, of) = (number + 1, starts.runs);
        events.event(Event::Started(StartReport { start, of, loss, fidelity }));
        write(file, &done)?;
    }
    let losses = done.iter().map(|start| start.loss).collect();
    let fidelities = done.iter().map(|start| start.fidelity).collect();
    let vectors = best(done).map(|best| best.vectors).unwrap_or_default();
    Ok(Some(Chosen { vectors, losses, fidelities }))
}

/// The start that goes on: that of the lowest loss, where lost fidelity makes a loss worse.
fn best(starts: Vec<Start>) -> Option<Start> {
    let cost = |start: &Start| start.loss * (1.0 + FIDELITY * (1.0 - start.fidelity));
    starts.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn write(file: &Path, done: &[Start]) -> Result<()> {
    let text = serde_json::to_vec(done).map_err(std::io::Error::other).at(file)?;
    atomic::write_bytes(file, &text).at(file)
}

/// The short runs that are done.
fn read(file: &Path) -> Result<Vec<Start>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&std::fs::read(file).at(file)?).map_err(|e| {
        Error::run(file, "cannot be read")
            .with_hint("start again with {train.overwrite}")
            .with_source(e)
    })
}

struct ShortRuns<'a> {
    model: &'a AdapterGuard<'a>,
    plan: &'a TrainPlan,
    starts: &'a Starts,
    batches: &'a Batches<'a>,
    memory: Memory,
}

impl ShortRuns<'_> {
    /// The mean of the vectors in the second half of a short run; `None` where a stop was requested.
    fn train(&self, number: usize, stop: &Stop) -> Result<Option<Vec<f32>>> {
        let (plan, steps) = (self.plan, self.starts.steps);
        let mut vectors = plan.first_vectors(self.model.base())?;
        let mut optimizer = plan.optimizer_new(Statistics::NewRows, 0)?;
        let width = plan.base.token_width;
        let mut gradients = VectorGradients::new(VOCABULARY as u32, plan.vectors(), width, false);
        let mut sum = vec![0.0f64; vectors.len()];
        let averaged = steps.div_ceil(2);
        for step in 0..steps {
            self.model.give_way(stop);
            if stop.is_requested() {
                return Ok(None);
            }
            let batch = self.batches.of_start(number, step, self.starts.low)?;
            gradients.clear();
            let result = micro_step(self.model, &vectors, &batch, 1.0, self.memory)?;
            finite(step, "the loss", [result.loss])?;
            gradients.add(&batch.ids, &result.gradient);
            gradients.clip(plan.max_grad_norm);
            let rate = plan.lr * self.starts.rate;
            optimizer.step(&mut vectors, &gradients.new, &gradients.others, rate);
            finite(step, "a vector of the embedding", vectors.iter().copied())?;
            if step + averaged >= steps {
                sum.iter_mut().zip(&vectors).for_each(|(sum, v)| *sum += f64::from(*v));
            }
        }
        Ok(Some(sum.iter().map(|sum| (sum / averaged as f64) as f32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_equal_losses_are_decided_by_fidelity() {
        // Losses and fidelities of ludka and tamsyn, as measured; the second of tamsyn is a stranger.
        let chosen = |found: [(f64, f64); 3]| {
            let start = |(place, (loss, fidelity))| Start { vectors: vec![place], loss, fidelity };
            let places = [0.0f32, 1.0, 2.0].into_iter();
            best(places.zip(found).map(start).collect()).unwrap().vectors[0]
        };
        assert_eq!(chosen([(0.03141, 0.831), (0.03140, 0.515), (0.03147, 0.914)]), 2.0);
        assert_eq!(chosen([(0.02957, 0.942), (0.03121, 0.955), (0.03094, 0.964)]), 0.0);
        assert_eq!(chosen([(0.02957, 0.4), (0.03121, 1.0), (0.04, 1.0)]), 0.0, "not at any price");
    }
}
