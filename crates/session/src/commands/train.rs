//! `wayword train`: a plan from the options, the run, and how it ended.
mod judged;
pub(super) mod layers;
pub(super) mod ready;
mod resume;

use super::{base, pick};
use crate::Failure;
use crate::Trained;
use crate::request::{IfExists, Prediction, Train as Options};
use crate::session::Context;
use judged::JudgedPreviews;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::forecast::dry_load;
use wayword_diffusion::{Base, Memory};
use wayword_interface::options::Layer;
use wayword_interface::{Events, Warning};
use wayword_train::event::{Event, Outcome};
use wayword_train::lora::PlannedLora;
use wayword_train::plan::{PreparedPhotos, TrainPlan};
use wayword_train::run_folder::{self, RunFolder};
use wayword_train::training_loop::{self, ResumeOptions, RunOptions};

/// Runs the command.
///
/// # Errors
/// If the options cannot be used, a file cannot be read or written, the numbers stop being finite,
/// or Ctrl-C ended the run early.
pub(crate) fn run(flags: &Layer, context: &Context<'_>) -> Result<crate::Outcome, Failure> {
    let typed: Options = flags.read()?;
    if let Some(run) = &typed.resume {
        let plan = plan_of(run);
        if let Some(plan) = &plan {
            resume::refuse_changes(flags, plan)?;
        }
        return go_on(&typed, run, plan, context);
    }
    let options = layers::gather(flags, &context.progress)?;
    if let Some(path) = &options.save_config {
        layers::save(&options, path)?;
        return Ok(crate::Outcome::Config(path.clone()));
    }
    if let Some(run) = begun(&options)?.filter(|_| !options.overwrite) {
        let file = run.with_extension("safetensors");
        match options.if_exists {
            Some(IfExists::Skip) if file.is_file() => {
                context.progress.note(&format!("{} is there: nothing to do", file.display()));
                return Ok(crate::Outcome::Skipped(file));
            }
            Some(IfExists::Skip | IfExists::Resume) => {
                return go_on(&options, &run, plan_of(&run), context);
            }
            Some(IfExists::Fail) | None => return Err(refused(&run)),
        }
    }
    begin(&options, context)
}

/// The folder of a run of this name, where there is one.
fn begun(options: &Options) -> Result<Option<PathBuf>, Failure> {
    let Some(name) = &options.options.name else { return Ok(None) };
    let run = RunFolder::place(&std::path::absolute(&options.options.out)?, name);
    Ok(run.join("plan.json").exists().then_some(run))
}

/// A run from its start.
fn begin(options: &Options, context: &Context<'_>) -> Result<crate::Outcome, Failure> {
    let ready = ready::ready(options, true, context)?;
    let run = RunOptions { memory: ready.memory, overwrite: options.overwrite };
    let (photos, judge) = (&ready.prepared.photos, options.judge.as_deref());
    if judge.is_some() && ready.plan.previews.is_none() && !ready.plan.pick {
        let text = "{train.judge} compares nothing: neither {train.sample_every} nor {train.pick} is given";
        context.progress.warn(Warning::new(text).with_hint("add {train.sample_every} N"));
    }
    let outcome = learn((&ready.base, judge), &ready.plan, run, photos, context)?;
    finish(options, outcome, &ready.base, context)
}

/// The steps of a plan that is ready, after its forecast is told with what became of `photos`. The
/// base comes with the image encoder that previews are compared by, where one was named.
pub(crate) fn learn(
    (base, judge): (&Arc<Base>, Option<&Path>),
    plan: &TrainPlan,
    run: RunOptions,
    photos: &[PreparedPhotos],
    context: &Context<'_>,
) -> Result<Outcome, Failure> {
    let progress = &context.progress;
    let summary = ready::forecast(base, plan, run.memory, photos, progress)?;
    progress.event(Event::Planned(Box::new(summary)));
    let judged = JudgedPreviews::new(plan, (&plan.run(), false), judge, base, context)?;
    let events = GivingWay { context, base, loras: Some(&plan.loras), judged };
    Ok(training_loop::train(base, plan, run, &events, progress.stop)?)
}

/// A run from where it was stopped.
fn go_on(
    options: &Options,
    run: &Path,
    plan: Option<TrainPlan>,
    context: &Context<'_>,
) -> Result<crate::Outcome, Failure> {
    let progress = &context.progress;
    let (base, memory) = load_for(options, run, plan.clone(), context)?;
    let judge = options.judge.as_deref();
    let judged =
        plan.as_ref().map(|plan| JudgedPreviews::new(plan, (run, true), judge, &base, context));
    let judged = judged.transpose()?.flatten();
    progress.note(&format!("resuming {}", run.display()));
    let loras = plan.as_ref().map(|plan| plan.loras.as_slice());
    let events = GivingWay { context, base: &base, loras, judged };
    let resume = ResumeOptions { memory, extend: options.extend };
    let outcome = training_loop::resume(&base, run, resume, &events, progress.stop)?;
    finish(options, outcome, &base, context)
}

/// A training's events: previews are compared with the training images, and between the steps it gives
/// way to small drawings.
struct GivingWay<'a> {
    context: &'a Context<'a>,
    base: &'a Arc<Base>,
    /// What the training has on; `None` where its plan cannot be read.
    loras: Option<&'a [PlannedLora]>,
    judged: Option<JudgedPreviews<'a>>,
}

impl Events<Event> for GivingWay<'_> {
    fn event(&self, event: Event) {
        let is_step = matches!(event, Event::Step(_));
        let preview = match &event {
            Event::Previewed { path, step } => Some((path.clone(), *step)),
            _ => None,
        };
        self.context.progress.event(event);
        if let (Some((path, step)), Some(judged)) = (preview, &self.judged) {
            judged.compare(&path, step);
        }
        if let (true, Some(loras)) = (is_step, self.loras) {
            self.context.core.give_way(self.base, loras);
        }
    }
}

/// A run of the same name is refused by the library; here it is before a large base is loaded.
fn refused(run: &Path) -> Failure {
    let shown = run.display();
    Failure::user(format!("{shown}: a run of this name already exists")).hint(format!(
        "resume it with {{train.resume}} \"{shown}\", or delete it with {{train.overwrite}}"
    ))
}

/// The base of a run that goes on: as the options say, else as the run remembers.
pub(super) fn load_for(
    options: &Options,
    run: &Path,
    plan: Option<TrainPlan>,
    context: &Context<'_>,
) -> Result<(Arc<Base>, Memory), Failure> {
    let progress = &context.progress;
    let (mut base, mut machine) = (options.base.clone(), options.machine.clone());
    if let Some(plan) = &plan {
        base.base.get_or_insert_with(|| plan.base.path.clone());
        if let Some(vae) = &plan.base.vae {
            base.vae.get_or_insert_with(|| vae.path.clone());
        }
        machine.precision = Some(base::precision_of(&plan.precision));
        if plan.loss.v_prediction {
            base.prediction.get_or_insert(Prediction::V);
        }
    } else {
        // It says what is wrong with the folder.
        run_folder::read_plan::<TrainPlan>(run)?;
    }
    let loading = base::place(&base, &machine, context)?;
    let mut memory = Memory::Keep;
    if let Some(plan) = plan {
        let warning;
        let sizes = dry_load(&loading.options)?;
        (memory, warning) = ready::memory((&loading, &sizes), &plan, options.low_memory)?;
        if let Some(warning) = warning {
            progress.event(Event::Warned(warning));
        }
    }
    Ok((context.hashed_base(&loading)?, memory))
}

/// The plan of a run. Where it cannot be read, the library says so when it opens the run.
pub(super) fn plan_of(run: &Path) -> Option<TrainPlan> {
    run_folder::read_plan(run).ok()
}

/// What came of a run, and the best step where it is asked for.
fn finish(
    options: &Options,
    outcome: Outcome,
    base: &Base,
    context: &Context<'_>,
) -> Result<crate::Outcome, Failure> {
    let run = outcome.run.clone();
    let mut ended = end(outcome, options.base.base.clone(), context)?;
    let asked = &options.options;
    let planned = || plan_of(&run).is_some_and(|plan| plan.pick);
    let picks = !asked.no_pick && (asked.pick || planned());
    if let (true, crate::Outcome::Train(trained)) = (picks, &mut ended) {
        trained.picked =
            Some(Box::new(pick::after(&run, options.judge.as_deref(), base, context)?));
    }
    Ok(ended)
}

/// What came of a run; one that was stopped has no result.
pub(super) fn end(
    outcome: Outcome,
    base: Option<PathBuf>,
    context: &Context<'_>,
) -> Result<crate::Outcome, Failure> {
    if outcome.is_finished() {
        if let Some(folder) = outcome.path.as_deref().and_then(Path::parent) {
            context.core.environment.remember_out(folder);
        }
        return Ok(crate::Outcome::Train(Trained { outcome, base, picked: None }));
    }
    let run = outcome.run.display();
    let message = format!("after step {} of {}; all of it is saved", outcome.step, outcome.of);
    Err(Failure::stopped(message)
        .hint(format!("go on with `wayword train {{train.resume}} \"{run}\"`")))
}
