//! Several starts, of which the best goes on: what comes before the first step under `fast`.
//!
//! All of it depends on the plan alone, so a run that was killed here ends with the same bytes; which
//! short runs are done is kept in the run's folder ([`super::starts_file`]).
use super::finite;
use super::micro_batch::micro_step;
use super::starts_file::Saved;
use crate::Result;
use crate::batches::Batches;
use crate::event::{Event, StartReport};
use crate::optim::{Optimizer, Statistics};
use crate::plan::TrainPlan;
use crate::recipe::Starts;
use crate::vectors::{self, VectorGradients};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::path::Path;
use wayword_diffusion::AdapterGuard;
use wayword_diffusion::tokenizer::VOCABULARY;
use wayword_interface::{Events, Stop};
use wayword_tensor::Memory;

/// A short run.
pub(super) struct Start {
    /// Its number, by which its samples are drawn.
    pub(super) number: usize,
    /// The word where it began.
    pub(super) origin: String,
    pub(super) vectors: Vec<f32>,
    pub(super) optimizer: Optimizer,
    pub(super) steps: usize,
    /// The mean of its last steps, and the loss of that.
    pub(super) mean: Vec<f32>,
    pub(super) loss: Option<f64>,
}

/// Where the training begins, and how that was found.
pub(super) struct Chosen {
    pub(super) vectors: Vec<f32>,
    pub(super) report: Value,
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
    let width = model.base().info.token_width;
    let search = Search { model, plan, starts, batches, memory, width };
    let optimizer = || plan.optimizer_new(Statistics::NewRows, 0);
    let (mut runs, mut report, mut place) = match Saved::read(file)? {
        Some(saved) => {
            let (place, report) = ((saved.round, saved.done), saved.report.clone());
            (saved.runs(file, optimizer)?, report, place)
        }
        None => {
            let first = plan.first_vectors(model.base())?;
            let Some(ranked) = search.ranked_words(&first, stop)? else { return Ok(None) };
            let words: Vec<_> = ranked.iter().map(|word| (&word.name, word.loss)).collect();
            let report = json!({ "words": words, "rounds": [] });
            let mut runs = Vec::new();
            for (number, (origin, vectors)) in
                search.origins(&first, &ranked).into_iter().enumerate()
            {
                let (optimizer, mean) = (optimizer()?, vectors.clone());
                runs.push(Start { number, origin, vectors, optimizer, steps: 0, mean, loss: None });
            }
            Saved::write(file, (0, 0), &report, &mut runs)?;
            (runs, report, (0, 0))
        }
    };
    let set = batches.common_set(&starts.left_out, starts.samples, starts.low)?;
    let compared = starts.rounds.iter().any(|(count, _)| *count > 1);
    while let Some((count, steps)) = starts.rounds.get(place.0) {
        runs.truncate(*count);
        while let Some(start) = runs.get_mut(place.1) {
            if !search.train(start, *steps, stop)? {
                return Ok(None);
            }
            if compared {
                start.loss = Some(super::evaluate(model, &start.mean, &set)?);
            }
            place.1 += 1;
            events.event(Event::Started(StartReport {
                round: place.0 + 1,
                rounds: starts.rounds.len(),
                start: place.1,
                of: *count,
                origin: start.origin.clone(),
                loss: start.loss,
            }));
            Saved::write(file, place, &report, &mut runs)?;
        }
        runs.sort_by(|a, b| a.loss.partial_cmp(&b.loss).unwrap_or(Ordering::Equal));
        let shown: Vec<_> = runs.iter().map(|s| (s.number, &s.origin, s.steps, s.loss)).collect();
        if let Some(rounds) = report["rounds"].as_array_mut() {
            rounds.push(json!(shown));
        }
        place = (place.0 + 1, 0);
        Saved::write(file, place, &report, &mut runs)?;
    }
    let best = runs.into_iter().next();
    let vectors = best.map(|best| best.mean).unwrap_or_default();
    Ok(Some(Chosen { vectors, report }))
}

/// A word of the vocabulary and its loss.
struct Word {
    name: String,
    vector: Vec<f32>,
    loss: f64,
}

struct Search<'a> {
    model: &'a AdapterGuard<'a>,
    plan: &'a TrainPlan,
    starts: &'a Starts,
    batches: &'a Batches<'a>,
    memory: Memory,
    width: usize,
}

impl Search<'_> {
    fn gradients(&self) -> VectorGradients {
        VectorGradients::new(VOCABULARY as u32, self.plan.vectors(), self.width, false)
    }

    /// The init word and the words that promise most, best first; `None` where a stop was
    /// requested.
    fn ranked_words(&self, first: &[f32], stop: &Stop) -> Result<Option<Vec<Word>>> {
        if self.starts.gradients == 0 {
            return Ok(Some(Vec::new()));
        }
        let base = self.model.base();
        let mut gradients = self.gradients();
        for batch in self.batches.common_set(&[], self.starts.gradients, self.starts.low)? {
            if self.stops(stop) {
                return Ok(None);
            }
            let result = micro_step(self.model, first, &batch, 1.0, self.memory)?;
            gradients.add(&batch.ids, &result.gradient);
        }
        let mut total = vec![0.0f32; self.width];
        for vector in gradients.new.chunks_exact(self.width) {
            total.iter_mut().zip(vector).for_each(|(t, g)| *t += g);
        }
        let table = base.token_table();
        let dot = |id: u32| -> f64 {
            let row = table.get(id as usize * self.width..(id as usize + 1) * self.width);
            let row = row.unwrap_or_default();
            row.iter().zip(&total).map(|(v, g)| f64::from(*v) * f64::from(*g)).sum()
        };
        let is_word = |name: &str| name.len() > 2 && name.bytes().all(|b| b.is_ascii_alphabetic());
        let mut words: Vec<(f64, String, u32)> = base
            .tokenizer
            .whole_words()
            .filter(|(name, _)| is_word(name))
            .map(|(name, id)| (dot(id), name, id))
            .collect();
        words.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        words.truncate(self.starts.words);
        let set = self.batches.common_set(&[], self.starts.word_samples, self.starts.low)?;
        let mut ranked = vec![Word {
            name: self.plan.embeddings[0].init.to_string(),
            vector: first[..self.width].to_vec(),
            loss: super::evaluate(self.model, first, &set)?,
        }];
        for (_, name, id) in words {
            if self.stops(stop) {
                return Ok(None);
            }
            let vector = base.token_vector(id)?;
            let loss = super::evaluate(self.model, &vector.repeat(self.plan.vectors()), &set)?;
            ranked.push(Word { name, vector, loss });
        }
        ranked[1..].sort_by(|a, b| a.loss.total_cmp(&b.loss));
        Ok(Some(ranked))
    }

    /// Lets small drawings finish; whether a stop was requested.
    fn stops(&self, stop: &Stop) -> bool {
        self.model.give_way(stop);
        stop.is_requested()
    }

    /// Where the short runs begin: the mean of the best words, the best word, the init word, and
    /// the next best.
    fn origins(&self, first: &[f32], ranked: &[Word]) -> Vec<(String, Vec<f32>)> {
        let count = self.starts.rounds.first().map_or(1, |(count, _)| *count);
        let init = ("init".to_owned(), first.to_vec());
        let mut origins = Vec::new();
        if let [_, best @ ..] = ranked
            && !best.is_empty()
        {
            let few = &best[..best.len().min(4)];
            origins.push(("mean".to_owned(), self.mean(few)));
            origins.push((best[0].name.clone(), best[0].vector.repeat(self.plan.vectors())));
            origins.push(init.clone());
            let next = best[1..].iter().take(count.saturating_sub(3));
            origins.extend(next.map(|w| (w.name.clone(), w.vector.repeat(self.plan.vectors()))));
        }
        origins.resize(count, init);
        origins
    }

    /// The mean of some words, as long as they are in the mean.
    fn mean(&self, words: &[Word]) -> Vec<f32> {
        let count = words.len() as f32;
        let sum = |i: usize| words.iter().map(|w| w.vector[i]).sum::<f32>() / count;
        let mut mean: Vec<f32> = (0..self.width).map(sum).collect();
        let norm = |v: &[f32]| vectors::norms(v, self.width)[0];
        let wanted = words.iter().map(|w| norm(&w.vector)).sum::<f64>() / f64::from(count);
        let factor = (wanted / norm(&mean).max(1e-12)) as f32;
        mean.iter_mut().for_each(|v| *v *= factor);
        mean.repeat(self.plan.vectors())
    }

    /// Goes on with a short run; `false` where a stop was requested. The file still has it as it was before.
    fn train(&self, start: &mut Start, steps: usize, stop: &Stop) -> Result<bool> {
        let rate = self.plan.lr * self.starts.rate;
        let averaged =
            ((steps as f64 * self.starts.average).round() as usize).clamp(1, steps.max(1));
        let mut mean = vec![0.0f64; start.vectors.len()];
        let mut gradients = self.gradients();
        for step in 0..steps {
            if self.stops(stop) {
                return Ok(false);
            }
            let plan = self.batches.of_start(start.number, start.steps, &self.starts.left_out);
            let batch = self.batches.make_from(&plan, self.starts.low)?;
            gradients.clear();
            let result = micro_step(self.model, &start.vectors, &batch, 1.0, self.memory)?;
            finite(start.steps, "the loss", [result.loss])?;
            gradients.add(&batch.ids, &result.gradient);
            gradients.clip(self.plan.max_grad_norm);
            start.optimizer.step(&mut start.vectors, &gradients.new, &gradients.others, rate);
            start.steps += 1;
            if step + averaged >= steps {
                mean.iter_mut().zip(&start.vectors).for_each(|(m, v)| *m += f64::from(*v));
            }
        }
        if steps > 0 {
            start.mean = mean.iter().map(|m| (m / averaged as f64) as f32).collect();
        }
        Ok(true)
    }
}
