//! `wayword rerun`: the run that made a word, once more.
use super::train::ready;
use super::{base, train};
use crate::Failure;
use crate::Outcome;
use crate::request::{self, Rerun as Options};
use crate::session::Context;
use std::path::{Path, PathBuf};
use wayword_diffusion::forecast::dry_load;
use wayword_interface::Warning;
use wayword_train::lora;
use wayword_train::rerun::Recorded;
use wayword_train::run_folder::RunFolder;
use wayword_train::training_loop::RunOptions;

/// Runs the command.
///
/// # Errors
/// If there is no run card, the base or a picture is another than it was, or as a training.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<Outcome, Failure> {
    let progress = &context.progress;
    let mut recorded = Recorded::read(&options.file)?;
    refuse_begun(options, &recorded)?;
    let path = base_of(options, &recorded)?;
    progress.note(&format!("repeating {}", recorded.from.display()));
    recorded.find_files(&options.images)?;
    // Before a large file is loaded; the hash is remembered.
    recorded.check_base(&path, &base::hash(&path, context)?)?;
    let mut plan = recorded.again(&options.out);
    let (then, by) = (plan.device.clone(), std::mem::take(&mut plan.warnings));
    let prediction =
        if plan.loss.v_prediction { request::Prediction::V } else { request::Prediction::Epsilon };
    let place = request::Base {
        base: Some(path.clone()),
        vae: plan.base.vae.as_ref().map(|file| file.path.clone()),
        prediction: Some(prediction),
    };
    let machine = request::Machine {
        precision: Some(base::precision_of(&plan.precision)),
        device: options.device.clone(),
        threads: options.threads,
        json: options.json,
    };
    let loading = base::place(&place, &machine, context)?;
    let sizes = dry_load(&loading.options)?;
    let (memory, warning) = ready::memory((&loading, &sizes), &plan, options.low_memory)?;
    let base = context.hashed_base(&loading)?;
    let name = plan.base.name.clone();
    plan.base.path = std::path::absolute(&path)?;
    plan.recognize(&base)?;
    let remarks = lora::remarks(&base, &plan.loras)?;
    (plan.base.name, plan.warnings) = (name, by);
    plan.warnings.extend(remarks.into_iter().chain(warning));
    if plan.device != then {
        let text = format!("the run was made on {then}, this is {}", plan.device);
        let hint = Some("the last bits of the word may differ".into());
        plan.warnings.push(Warning::new(text).with_hint_if(hint));
    }
    let run = RunOptions { memory, overwrite: options.overwrite };
    let outcome = train::learn((&base, None), &plan, run, &[], context)?;
    train::end(outcome, Some(path), context)
}

/// The files of the first run are not to be lost by a slip.
fn refuse_begun(options: &Options, recorded: &Recorded) -> Result<(), Failure> {
    let run = RunFolder::place(&options.out, &recorded.plan.name);
    if options.overwrite || !run.join("plan.json").exists() {
        return Ok(());
    }
    let message = format!("{}: a run of this name already exists", run.display());
    Err(Failure::user(message).hint("choose another folder with {rerun.out} DIR"))
}

/// The base as it was named, else where the run had it.
fn base_of(options: &Options, recorded: &Recorded) -> Result<PathBuf, Failure> {
    if let Some(path) = &options.base {
        return if path.exists() {
            Ok(path.clone())
        } else {
            Err(Failure::user(format!("no such checkpoint: {}", path.display())))
        };
    }
    let base = &recorded.plan.base;
    if base.path.is_absolute() && base.path.exists() {
        return Ok(base.path.clone());
    }
    let name = base.known.as_deref().unwrap_or(&base.name);
    let shown = if base.path.is_absolute() { &base.path } else { Path::new(&base.name) };
    Err(Failure::user(format!("the run's checkpoint is not at hand: {}", shown.display()))
        .hint(format!("say where it is by {{rerun.base}}: {name}")))
}
