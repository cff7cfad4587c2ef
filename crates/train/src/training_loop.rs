//! The training loop: how an embedding is learned, from top to bottom.
//!
//! All weights are frozen. The only numbers that change are the embedding's vectors, which stand behind the
//! vocabulary; a step asks how each place of the text should change so that the UNet predicts the
//! noise better, sums that over the places of each vector, and moves the vectors a little.
pub mod compose;
pub mod micro_batch;
pub mod saver;
mod starts;
mod train_state;

use crate::batches::{Batches, EVALUATION_BATCHES};
use crate::checkpoint::Saver;
use crate::event::{Event, Outcome, StepReport};
use crate::fidelity::{Directions, Probes};
use crate::latents;
use crate::lora;
use crate::plan::TrainPlan;
use crate::recipe::LOW;
use crate::report;
use crate::run_folder::RunFolder;
use crate::run_folder::curves::Curves;
use crate::run_folder::vectors as kept_vectors;
use crate::state::Counters;
use crate::stopping::{self, EndReason, Ended};
use crate::vectors::{self, VectorGradients};
use crate::verdict::{self, Verdict};
use crate::{Error, Result};
use micro_batch::MicroBatch;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use train_state::TrainState;
use wayword_diffusion::tokenizer::VOCABULARY;
use wayword_diffusion::{AdapterGuard, Base, JobSize, Memory};
use wayword_interface::{Diagnostic, Events, Stop, Warning};

/// A state is saved when the last one is older than this; a killed run repeats at most as much.
const STATE_AGE: Duration = Duration::from_secs(5);

/// What a run is told beside its plan; no number depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// What a step keeps between forward and backward.
    pub memory: Memory,
    /// Throws away a run of the same name.
    pub overwrite: bool,
}

/// What a run that goes on is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResumeOptions {
    /// What a step keeps between forward and backward.
    pub memory: Memory,
    /// Steps that are added at the end; the schedule's shape runs anew over them.
    pub extend: Option<usize>,
}

/// Learns the embeddings of a new run.
///
/// # Errors
/// If there is a run already, a file cannot be read or written, or numbers stop being finite.
pub fn train(
    base: &Base,
    plan: &TrainPlan,
    options: RunOptions,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let mut old = Vec::new();
    for embedding in &plan.embeddings {
        old.extend(Saver::existing(&plan.out, &embedding.name)?);
    }
    if let Some(file) = old.first().filter(|_| !options.overwrite && !plan.run().exists()) {
        let what = "a file of this name already exists";
        return Err(Error::run(file, what)
            .with_hint("choose another {train.name}, or use {train.overwrite}"));
    }
    let run = RunFolder::create(&plan.run(), plan, options.overwrite)?;
    for file in old {
        std::fs::remove_file(&file).map_err(|source| Error::File { path: file.clone(), source })?;
    }
    go_on(base, plan, &run, options.memory, events, stop)
}

/// Goes on with the run in the folder `path`, as if it had never stopped.
///
/// # Errors
/// If it is no run's folder, the base or a picture is another than at its start, and as [`train`].
pub fn resume(
    base: &Base,
    path: &Path,
    options: ResumeOptions,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let (run, mut plan) = TrainPlan::open(path)?;
    let (then, now) = (&plan.base, &base.info);
    if then.token_rms != now.token_rms || then.token_width != now.token_width {
        let what = format!("the run was begun with another base, {}", then.path.display());
        return Err(Error::run(path, what).with_hint("pass that base with {train.base}"));
    }
    if let Some(then) = &plan.base.sha256
        && base.fingerprint().ok().flatten().is_some_and(|now| now != *then)
    {
        let what = format!("the run was begun with another base, {}", plan.base.path.display());
        return Err(Error::run(path, what).with_hint("pass that base with {train.base}"));
    }
    if let Some(steps) = options.extend {
        let picked = plan.chosen;
        plan.extend(steps)?;
        if let Some(picked) = picked {
            saver::remove_spare_files(&plan)?;
            let text =
                format!("step {picked} had been picked: the embedding is the last step's again");
            let hint = "choose again with `wayword pick` when the run is finished";
            events.event(Event::Warned(Warning::new(text).with_hint(hint)));
        }
        run.write_plan(&plan)?;
    }
    go_on(base, &plan, &run, options.memory, events, stop)
}

/// From the saved state, or from the start where there is none, to the end.
fn go_on(
    base: &Base,
    plan: &TrainPlan,
    run: &RunFolder,
    memory: Memory,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let embeddings: Vec<&str> =
        plan.embeddings.iter().map(|embedding| embedding.name.as_str()).collect();
    run.sweep_beside(&plan.out, &embeddings)?;
    let adapters = lora::open(&plan.loras)?;
    let stopped = |place: &Counters, vectors: &[f32]| {
        let (step, of, run) = (place.step, plan.steps, run.path().to_owned());
        events.event(Event::Stopped { step, of, run });
        outcome(plan, place, vectors, None)
    };
    let Some(sources) = latents::encode(base, plan, run.path(), events, stop)? else {
        return Ok(stopped(&Counters::default(), &[]));
    };
    let draw_events = |event| events.event(Event::Draw(event));
    let model = base.activate_unless_stopped(&adapters, JobSize::Heavy, &draw_events, stop)?;
    let Some(model) = &model else { return Ok(stopped(&Counters::default(), &[])) };
    if let Some(previews) = &plan.previews {
        previews.check(base, plan)?;
    }
    let mut batches = Batches::new(base, plan, &sources)?;
    let evaluation_set = batches.evaluation_set()?;
    let rates = plan.rates()?;
    let saver = saver::saver(plan);
    let width = base.info.token_width;
    let mut gradients =
        VectorGradients::new(VOCABULARY as u32, plan.vectors(), width, plan.kohya_numbers);
    let mut start = None;
    if let Some(starts) = &plan.starts
        && !run.file("state.safetensors").exists()
    {
        let (file, whole) = (run.file("starts.json"), (model, plan, starts));
        match starts::choose(whole, &batches, memory, &file, events, stop)? {
            Some(chosen) => start = Some(chosen),
            None => return Ok(stopped(&Counters::default(), &[])),
        }
    }
    let mut state = TrainState::begin(model, plan, run, &evaluation_set, start, events)?;
    if state.counters.step < plan.steps {
        // Of a run that was at its end, and was made longer.
        state.counters.evaluation_after = None;
    }
    let directions = if plan.may_end_early() {
        let first = plan.first_vectors(base)?;
        let set = batches.comparison_set(EVALUATION_BATCHES, LOW)?;
        Some(Directions::new(model, plan, &first, &set, Probes::USUAL)?)
    } else {
        None
    };
    let mut ended_plan = None;
    let epochs = plan.counts().epochs as usize;
    let (began, first) = (Instant::now(), state.counters.step);
    // Those that a stop left out are drawn now.
    let ended = first.checked_sub(1).filter(|step| batches.ends_epoch(*step));
    let ended = ended.map(|step| batches.epoch_of(step) + 1);
    state.preview((model, plan, run), ended, events, stop)?;

    while state.counters.step < plan.steps {
        let started = Instant::now();
        let step = state.counters.step;
        let micro_batches = batches.of_step(step);
        gradients.clear();
        let mut losses = 0.0;
        for numbered in &micro_batches {
            let batch = batches.make(numbered)?;
            // kohya divides by the planned number of batches also where fewer are left over.
            let share = 1.0 / plan.accumulate as f32;
            let result = micro_batch::micro_step(model, &state.vectors, &batch, share, memory)?;
            finite(step, "the loss", [result.loss])?;
            gradients.add(&batch.ids, &result.gradient);
            losses += f64::from(result.loss);
        }
        let gradient_norm = gradients.clip(plan.max_grad_norm);
        finite(step, "the gradient", [gradient_norm as f32])?;
        let rate = rates.rate(step);
        state.update(plan, &gradients, rate, rates.momentum(step));
        finite(step, "a vector of the embedding", state.vectors.iter().copied())?;

        if step == 0 || batches.ends_epoch(step - 1) {
            state.counters.losses = (0.0, 0);
        }
        state.counters.step += 1;
        state.counters.micro_batches += micro_batches.len();
        state.counters.losses.0 += losses;
        state.counters.losses.1 += micro_batches.len();
        let seconds = started.elapsed().as_secs_f64();
        state.counters.seconds += seconds;
        let done = (state.counters.step - first) as f64;
        let norm = vectors::mean_norm(&state.vectors, width);
        let report = StepReport {
            step: state.counters.step,
            of: plan.steps,
            epoch: batches.epoch_of(step) + 1,
            epochs,
            loss: losses / micro_batches.len() as f64,
            mean_loss: state.counters.losses.0 / state.counters.losses.1 as f64,
            rate: state.own_rate().unwrap_or(rate),
            gradient_norm,
            vector_norm: norm,
            vector_norm_to_vocabulary: norm / plan.vocabulary_norm(),
            seconds,
            remaining: began.elapsed().as_secs_f64() / done * (plan.steps - step - 1) as f64,
        };
        state.record(&report)?;
        events.event(Event::Step(report));

        // All that is due after this step is on disk before the state says that it is done.
        let epoch = batches.epoch_of(step) + 1;
        let of_step = |name: &str| plan.save.after_step(name, step + 1);
        let mut written = state.save(&saver, plan, of_step, events)?;
        let ended = batches.ends_epoch(step).then_some(epoch);
        if let Some(epoch) = ended {
            let of_epoch = |name: &str| plan.save.after_epoch(name, epoch, epochs);
            written |= state.save(&saver, plan, of_epoch, events)?;
        }
        if is_evaluated_after(plan, step + 1) {
            let learned = state.learned(plan);
            let loss = evaluate(model, &learned, &evaluation_set)?;
            let fidelity = directions.as_ref().map(|d| d.compare(model, &learned)).transpose()?;
            state.evaluated(loss, fidelity, events)?;
            if let (Some(_), Some(why)) = (&directions, stopping::reason(&state.looks)) {
                // On disk before a state after this step is, so that a killed run ends here too.
                ended_plan = Some(end_early(plan, run, &state, why, events)?);
            }
        }
        if written {
            state.save_state()?;
            page(run, plan, &state.counters, events);
        }
        state.preview((model, plan, run), ended, events, stop)?;
        if ended_plan.is_some() {
            break;
        }
        model.give_way(stop);
        if stop.is_requested() && state.counters.step < plan.steps {
            state.save_state()?;
            return Ok(stopped(&state.counters, &state.vectors));
        }
        if state.saved.elapsed() > STATE_AGE {
            state.save_state()?;
        }
    }

    let plan = ended_plan.as_ref().unwrap_or(plan);
    if state.counters.evaluation_after.is_none() {
        let last = state.looks.last().filter(|look| look.step == state.counters.step);
        let loss = match last {
            Some(look) => look.loss,
            None => {
                let loss = evaluate(model, &state.learned(plan), &evaluation_set)?;
                state.evaluated(loss, None, events)?;
                loss
            }
        };
        state.counters.evaluation_after = Some(loss);
        state.save_state()?;
    }
    let path = state.save_last(plan, run, events)?;
    // A run that was at its end has its page, which may show a pick.
    let is_new = first < plan.steps || !run.file("report.html").exists();
    if is_new && let Some(path) = page(run, plan, &state.counters, events) {
        events.event(Event::Reported { path });
    }
    let mut outcome = outcome(plan, &state.counters, &state.vectors, path);
    outcome.verdict = final_verdict(plan, run, &state.vectors)?;
    warn_of(&outcome.verdict, events);
    events.event(Event::Finished(outcome.clone()));
    Ok(outcome)
}

/// Ends a run after the step that it is at; the plan that says so.
fn end_early(
    plan: &TrainPlan,
    run: &RunFolder,
    state: &TrainState,
    why: EndReason,
    events: &dyn Events<Event>,
) -> Result<TrainPlan> {
    let lowest = state.looks.iter().min_by(|a, b| a.loss.total_cmp(&b.loss));
    let (after, planned) = (state.counters.step, plan.steps);
    let ended = Ended { after, planned, why, lowest_at: lowest.map_or(after, |look| look.step) };
    let text = format!(
        "the run ends after step {after} of {planned}: {}; the evaluation loss was lowest after step {}",
        why.text(),
        ended.lowest_at
    );
    let hint =
        "go on with {train.resume} and {train.extend}, or say how long it is with {train.steps}";
    events.event(Event::Warned(Warning::new(text).with_hint(hint)));
    let plan = plan.end_early(ended);
    run.write_plan(&plan)?;
    Ok(plan)
}

/// What the recorded losses say of a run that is at its end.
fn final_verdict(plan: &TrainPlan, run: &RunFolder, last: &[f32]) -> Result<Verdict> {
    let fixed = Curves::read(&run.file("log.jsonl"))?.fixed;
    let first = kept_vectors::read_first(&run.file("rows.bin"))?;
    let turned = first.map_or(1.0, |first| verdict::cosine(&first.vectors, last));
    let verdict = verdict::of(&fixed, turned, verdict::is_fresh(plan));
    Ok(Verdict { ended: plan.ended.filter(|ended| ended.after == plan.steps), ..verdict })
}

/// Warns of what went wrong; the run is kept as it was asked for.
fn warn_of(verdict: &Verdict, events: &dyn Events<Event>) {
    let warn = |text: String, hint: &str| {
        events.event(Event::Warned(Warning::new(text).with_hint(hint)));
    };
    if !verdict.learned {
        warn(
            "the run learned nothing: the evaluation loss (fixed noise) did not fall".into(),
            verdict.advice(),
        );
    } else if let Some(step) = verdict.overtrained_from {
        let best = verdict.lowest_at.unwrap_or(step);
        let text = format!(
            "overtraining began at about step {step}: the evaluation loss (fixed noise) was lowest after step {best}"
        );
        warn(text, "choose the best step with `wayword pick`, or train with fewer {train.steps}");
    }
}

/// Writes the run's page. The embedding is there; a page about it is no reason to fail.
fn page(
    run: &RunFolder,
    plan: &TrainPlan,
    counters: &Counters,
    events: &dyn Events<Event>,
) -> Option<PathBuf> {
    let written = report::write(run.path(), plan, counters);
    let warn = |error: Error| {
        let warning = Diagnostic::from(error).in_context("the run's page was not written");
        events.event(Event::Warned(Warning(warning)));
    };
    written.map_err(warn).ok()
}

/// Whether the evaluation loss is measured on the way: where files are written, but at most
/// every hundred steps, as it takes as long as some three of them.
pub(crate) fn is_evaluated_after(plan: &TrainPlan, step: usize) -> bool {
    let every = match plan.save.every_steps {
        0 => 200,
        every => every * 100usize.div_ceil(every),
    };
    let is_look = plan.stopping.is_some_and(|every| step.is_multiple_of(every));
    step < plan.steps && (step.is_multiple_of(every) || is_look)
}

/// The mean loss of the evaluation set.
fn evaluate(
    model: &AdapterGuard<'_>,
    vectors: &[f32],
    evaluation_set: &[MicroBatch],
) -> Result<f64> {
    let mut sum = 0.0;
    for batch in evaluation_set {
        sum += f64::from(micro_batch::evaluate(model, vectors, batch)?);
    }
    let mean = sum / evaluation_set.len() as f64;
    finite(0, "the evaluation loss", [mean as f32]).map(|()| mean)
}

/// Refuses numbers that nothing can be learned from.
fn finite(step: usize, what: &str, values: impl IntoIterator<Item = f32>) -> Result<()> {
    match values.into_iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::Diverged { step: step + 1, what: format!("{what} is {value}") }),
    }
}

fn outcome(plan: &TrainPlan, place: &Counters, vectors: &[f32], path: Option<PathBuf>) -> Outcome {
    Outcome {
        step: place.step,
        of: plan.steps,
        path,
        run: plan.run(),
        evaluation_before: place.evaluation_before,
        evaluation_after: place.evaluation_after,
        vector_norm: vectors::mean_norm(vectors, plan.base.token_width),
        seconds: place.seconds,
        verdict: Verdict::default(),
    }
}
