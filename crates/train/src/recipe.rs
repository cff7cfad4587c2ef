//! The recipe: how a word is learned, from top to bottom.
//!
//! All weights are frozen. The only numbers that change are the word's rows, which stand behind the
//! vocabulary; a step asks how each place of the text should change so that the UNet predicts the
//! noise better, sums that over the places of each row, and moves the rows a little.
pub mod compose;
pub mod micro;
mod progress;
mod saver;

use crate::batches::Batches;
use crate::checkpoint::Saver;
use crate::event::{Event, Outcome, StepReport};
use crate::latents;
use crate::lora;
use crate::plan::TrainPlan;
use crate::report;
use crate::resume::Place;
use crate::rows::{self, RowGradients};
use crate::run_folder::RunFolder;
use crate::{Error, Result};
use micro::MicroBatch;
use progress::Progress;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::VOCABULARY;
use wayword_interface::{Events, Stop, Warning};

/// A state is saved when the last one is older than this; a killed run repeats at most as much.
const STATE_AGE: Duration = Duration::from_secs(5);

/// Learns the words of a new run. `overwrite` throws away a run of the same name.
///
/// # Errors
/// If there is a run already, a file cannot be read or written, or numbers stop being finite.
pub fn train(
    base: &Base,
    plan: &TrainPlan,
    overwrite: bool,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let mut old = Vec::new();
    for word in &plan.words {
        old.extend(Saver::existing(&plan.out, &word.name)?);
    }
    if let Some(file) = old.first().filter(|_| !overwrite && !plan.run().exists()) {
        let what = "there is a file of this name already";
        return Err(Error::run(file, what).with_hint("choose another --name, or use --overwrite"));
    }
    let run = RunFolder::create(&plan.run(), plan, overwrite)?;
    for file in old {
        std::fs::remove_file(&file).map_err(|source| Error::File { path: file.clone(), source })?;
    }
    go_on(base, plan, &run, events, stop)
}

/// Goes on with the run in the folder `path`, as if it had never stopped.
///
/// # Errors
/// If it is no run's folder, the base or a picture is another than at its start, and as [`train`].
pub fn resume(
    base: &Base,
    path: &Path,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let (run, mut plan) = RunFolder::open::<TrainPlan>(path)?;
    // The folder may have been moved since.
    let place = std::path::absolute(path).ok();
    if let Some(out) = place.as_deref().and_then(Path::parent) {
        plan.out = out.into();
    }
    let (then, now) = (&plan.base, &base.info);
    if then.token_rms != now.token_rms || then.token_width != now.token_width {
        let what = format!("the run was begun with another base, {}", then.path.display());
        return Err(Error::run(path, what).with_hint("give that base by --base"));
    }
    if let Some(then) = &plan.base.sha256
        && base.fingerprint().ok().flatten().is_some_and(|now| now != *then)
    {
        let what = format!("the run was begun with another base, {}", plan.base.path.display());
        return Err(Error::run(path, what).with_hint("give that base by --base"));
    }
    go_on(base, &plan, &run, events, stop)
}

/// From the saved state, or from the start where there is none, to the end.
fn go_on(
    base: &Base,
    plan: &TrainPlan,
    run: &RunFolder,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Outcome> {
    let words: Vec<&str> = plan.words.iter().map(|word| word.name.as_str()).collect();
    run.sweep_beside(&plan.out, &words)?;
    lora::check(base, &plan.loras, run.path())?;
    let stopped = |place: &Place, rows: &[f32]| {
        let (step, of, run) = (place.step, plan.steps, run.path().to_owned());
        events.event(Event::Stopped { step, of, run });
        outcome(plan, place, rows, None)
    };
    let Some(sources) = latents::encode(base, plan, run.path(), events, stop)? else {
        return Ok(stopped(&Place::default(), &[]));
    };
    if let Some(previews) = &plan.previews {
        previews.check(base, plan)?;
    }
    let mut batches = Batches::new(base, plan, &sources)?;
    let fixed = batches.fixed()?;
    let schedule = plan.schedule()?;
    let saver = saver::saver(plan);
    let width = base.info.token_width;
    let mut gradients =
        RowGradients::new(VOCABULARY as u32, plan.vectors(), width, plan.kohya_numbers);
    let mut here = Progress::begin(base, plan, run, &fixed, events)?;
    let epochs = plan.counts().epochs as usize;
    let (began, first) = (Instant::now(), here.place.step);
    // Those that a stop left out are drawn now.
    let ended = first.checked_sub(1).filter(|step| batches.ends_epoch(*step));
    let ended = ended.map(|step| batches.epoch_of(step) + 1);
    here.preview((base, plan, run), ended, events, stop)?;

    while here.place.step < plan.steps {
        let started = Instant::now();
        let step = here.place.step;
        let micros = batches.of_step(step);
        gradients.clear();
        let mut losses = 0.0;
        for numbered in &micros {
            let batch = batches.make(numbered)?;
            // kohya divides by the planned number of batches also where fewer are left over.
            let share = 1.0 / plan.accumulate as f32;
            let result = micro::micro_step(base, &here.rows, &batch, share, base.memory)?;
            finite(step, "the loss", [result.loss])?;
            gradients.add(&batch.ids, &result.gradient);
            losses += f64::from(result.loss);
        }
        let gradient_norm = gradients.clip(plan.max_grad_norm);
        finite(step, "the gradient", [gradient_norm as f32])?;
        let rate = schedule.rate(step as u64);
        here.update(plan, &gradients, rate, schedule.momentum(step as u64));
        finite(step, "a row of the word", here.rows.iter().copied())?;

        if step == 0 || batches.ends_epoch(step - 1) {
            here.place.losses = (0.0, 0);
        }
        here.place.step += 1;
        here.place.micro += micros.len();
        here.place.losses.0 += losses;
        here.place.losses.1 += micros.len();
        let seconds = started.elapsed().as_secs_f64();
        here.place.seconds += seconds;
        let done = (here.place.step - first) as f64;
        let report = StepReport {
            step: here.place.step,
            of: plan.steps,
            epoch: batches.epoch_of(step) + 1,
            epochs,
            loss: losses / micros.len() as f64,
            mean_loss: here.place.losses.0 / here.place.losses.1 as f64,
            rate: here.own_rate().unwrap_or(rate),
            gradient_norm,
            row_norm: mean_norm(&here.rows, width),
            row_norm_to_vocabulary: mean_norm(&here.rows, width) / vocabulary_norm(plan),
            seconds,
            remaining: began.elapsed().as_secs_f64() / done * (plan.steps - step - 1) as f64,
        };
        here.record(&report)?;
        events.event(Event::Step(report));

        // All that is due after this step is on disk before the state says that it is done.
        let epoch = batches.epoch_of(step) + 1;
        let of_step = |name: &str| plan.save.after_step(name, step + 1);
        let mut written = here.save(&saver, plan, of_step, events)?;
        let ended = batches.ends_epoch(step).then_some(epoch);
        if let Some(epoch) = ended {
            let of_epoch = |name: &str| plan.save.after_epoch(name, epoch, epochs);
            written |= here.save(&saver, plan, of_epoch, events)?;
        }
        if is_measured_after(plan, step + 1) {
            let loss = measure(base, &here.learned(plan), &fixed)?;
            here.measured(loss, events)?;
        }
        if written {
            here.save_state()?;
        }
        here.preview((base, plan, run), ended, events, stop)?;
        if stop.is_requested() && here.place.step < plan.steps {
            here.save_state()?;
            return Ok(stopped(&here.place, &here.rows));
        }
        if here.saved.elapsed() > STATE_AGE {
            here.save_state()?;
        }
    }

    if here.place.fixed_after.is_none() {
        let loss = measure(base, &here.learned(plan), &fixed)?;
        here.place.fixed_after = Some(loss);
        here.measured(loss, events)?;
        here.save_state()?;
    }
    let path = here.save_last(&saver, plan, events)?;
    match report::write(run.path(), plan, &here.place) {
        Ok(path) => events.event(Event::Reported { path }),
        // The word is there; a page about it is no reason to fail.
        Err(error) => {
            let text = format!("the run's page was not written: {error}");
            events.event(Event::Warned(Warning::new(text).with_hint_if(error.hint())));
        }
    }
    let outcome = outcome(plan, &here.place, &here.rows, path);
    events.event(Event::Finished(outcome.clone()));
    Ok(outcome)
}

/// Whether the loss at fixed noise is measured on the way: where files are written, but at most
/// every hundred steps, as it takes as long as some three of them.
pub(crate) fn is_measured_after(plan: &TrainPlan, step: usize) -> bool {
    let every = match plan.save.every_steps {
        0 => 200,
        every => every * 100usize.div_ceil(every),
    };
    step < plan.steps && step.is_multiple_of(every)
}

/// The mean loss of the fixed set.
fn measure(base: &Base, rows: &[f32], fixed: &[MicroBatch]) -> Result<f64> {
    let mut sum = 0.0;
    for batch in fixed {
        sum += f64::from(micro::measure(base, rows, batch)?);
    }
    let mean = sum / fixed.len() as f64;
    finite(0, "the loss at fixed noise", [mean as f32]).map(|()| mean)
}

/// Refuses numbers that nothing can be learned from.
fn finite(step: usize, what: &str, values: impl IntoIterator<Item = f32>) -> Result<()> {
    match values.into_iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::Diverged { step: step + 1, what: format!("{what} is {value}") }),
    }
}

fn mean_norm(rows: &[f32], width: usize) -> f64 {
    let norms = rows::norms(rows, width);
    norms.iter().sum::<f64>() / norms.len().max(1) as f64
}

/// The norm of a row of the vocabulary, as the root of the mean square.
fn vocabulary_norm(plan: &TrainPlan) -> f64 {
    f64::from(plan.base.token_rms) * (plan.base.token_width as f64).sqrt()
}

fn outcome(plan: &TrainPlan, place: &Place, rows: &[f32], path: Option<PathBuf>) -> Outcome {
    Outcome {
        step: place.step,
        of: plan.steps,
        path,
        run: plan.run(),
        fixed_before: place.fixed_before,
        fixed_after: place.fixed_after,
        row_norm: mean_norm(rows, plan.base.token_width),
        seconds: place.seconds,
    }
}
