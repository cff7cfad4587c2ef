//! `wayword train`: a plan from the options, the run, and how it ended.
pub(super) mod layers;
pub(super) mod ready;

use super::base;
use crate::failure::Failure;
use crate::options::{Prediction, Train as Options};
use crate::show::{self, Progress};
use crate::stop;
use std::path::Path;
use wayword_diffusion::{Base, Memory};
use wayword_interface::Events as _;
use wayword_interface::options::Layer;
use wayword_train::estimate;
use wayword_train::event::{Event, Outcome};
use wayword_train::plan::TrainPlan;
use wayword_train::run_folder::RunFolder;
use wayword_train::training_loop::{self, RunOptions};

/// Runs the command.
///
/// # Errors
/// If the options cannot be used, a file cannot be read or written, the numbers stop being finite,
/// or Ctrl-C ended the run early.
pub(crate) fn run(flags: &Layer) -> Result<(), Failure> {
    let typed: Options = flags.read()?;
    let progress = Progress::new(typed.machine.json);
    if typed.resume.is_some() {
        return learn(&typed, &progress);
    }
    let options = layers::gather(flags, &progress)?;
    match &options.save_config {
        Some(path) => layers::save(&options, path, &progress),
        None => learn(&options, &progress),
    }
}

/// A run from its start or from where it was stopped.
fn learn(options: &Options, progress: &Progress) -> Result<(), Failure> {
    let stop = stop::on_ctrl_c("the step that runs is finished and saved")?;
    let outcome = match &options.resume {
        Some(run) => {
            let (base, memory) = load_for(options, run, progress)?;
            progress.note(&format!("going on with {}", run.display()));
            training_loop::resume(&base, run, memory, progress, &stop)?
        }
        None => {
            refuse_begun(options)?;
            let (base, plan, memory) = ready::ready(options, progress)?;
            let estimate = estimate::estimate(&base, &plan, memory)?;
            progress.event(Event::Planned(Box::new(plan.summary(Some(estimate)))));
            let run = RunOptions { memory, overwrite: options.overwrite };
            training_loop::train(&base, &plan, run, progress, &stop)?
        }
    };
    end(&outcome, options.base.base.as_deref(), progress)
}

/// A run of the same name is refused by the library; here it is before a large base is loaded.
fn refuse_begun(options: &Options) -> Result<(), Failure> {
    let Some(name) = &options.options.name else { return Ok(()) };
    let run = RunFolder::place(&std::path::absolute(&options.options.out)?, name);
    if options.overwrite || !run.join("plan.json").exists() {
        return Ok(());
    }
    let shown = run.display();
    Err(Failure::user(format!("{shown}: there is a run of this name already"))
        .hint(format!("go on with it by --resume \"{shown}\", or throw it away by --overwrite")))
}

/// The base of a run that goes on: as the options say, else as the run remembers.
fn load_for(options: &Options, run: &Path, progress: &Progress) -> Result<(Base, Memory), Failure> {
    let (mut base, mut machine) = (options.base.clone(), options.machine.clone());
    // Where it cannot be read, the library says so when it opens the run.
    let plan = std::fs::read(run.join("plan.json")).ok();
    let plan: Option<TrainPlan> = plan.and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(plan) = &plan {
        base.base.get_or_insert_with(|| plan.base.path.clone());
        if let Some(vae) = &plan.base.vae {
            base.vae.get_or_insert_with(|| vae.path.clone());
        }
        machine.precision = Some(base::precision_of(&plan.precision));
        if plan.loss.v_prediction {
            base.prediction.get_or_insert(Prediction::V);
        }
    } else if !run.join("plan.json").is_file() {
        return Err(Failure::user(format!("{}: no run was begun here", run.display()))
            .hint("give the folder NAME.run that a training made beside its files"));
    }
    let loading = base::place(&base, &machine, progress)?;
    let mut memory = Memory::Keep;
    if let Some(plan) = plan {
        let warning;
        (memory, warning) = ready::memory(&loading, &plan, options.low_memory)?;
        if let Some(warning) = warning {
            progress.event(Event::Warned(warning));
        }
    }
    Ok((Base::load(&loading, progress)?, memory))
}

/// Says how the run ended: the word's file on standard output, the rest beside it.
pub(super) fn end(
    outcome: &Outcome,
    base: Option<&Path>,
    progress: &Progress,
) -> Result<(), Failure> {
    let Some(path) = &outcome.path else {
        let run = outcome.run.display();
        let message = format!("after step {} of {}; all of it is saved", outcome.step, outcome.of);
        return Err(Failure::stopped(message)
            .hint(format!("go on with `wayword train --resume \"{run}\"`")));
    };
    let after = outcome.evaluation_after.map_or(String::new(), |l| format!(" -> {l:.4}"));
    progress.note(&format!(
        "{} steps in {}; loss at fixed noise {:.4}{after}",
        outcome.of,
        show::duration(outcome.seconds),
        outcome.evaluation_before
    ));
    if progress.is_json() {
        return Ok(());
    }
    let word = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = base.map_or(String::new(), |base| format!(" --base \"{}\"", base.display()));
    progress.note(&format!(
        "draw with it: wayword draw \"photo of {word}\"{base} --embeddings \"{}\"",
        folder.display()
    ));
    show::data(&path.display().to_string())
}
