//! All that comes before the first step: the plan, what is found in it, memory, the base.
use crate::Failure;
use crate::commands::base::{self, BaseLocation};
use crate::event::Progress;
use crate::failure::unrendered;
use crate::request::Train as Options;
use crate::session::Context;
use std::sync::Arc;
use wayword_diffusion::forecast::dry_load;
use wayword_diffusion::{Base, Memory};
use wayword_interface::{Warning, counted};
use wayword_train::estimate::{self, Forecast, MemoryChoice};
use wayword_train::lora;
use wayword_train::plan::{PlanSummary, TrainPlan};
use wayword_train::preflight;

/// A checked plan, the base that it is for, and what a step keeps in memory. What can be refused is
/// refused before the base is loaded.
///
/// # Errors
/// If the options or pictures cannot be used, the run does not fit into memory, something is found
/// under `--strict`, or the base cannot be loaded.
pub(crate) fn ready(
    options: &Options,
    context: &Context<'_>,
) -> Result<(Arc<Base>, TrainPlan, Memory), Failure> {
    let loading = base::place(&options.base, &options.machine, context)?;
    // The base's sizes, by which everything is decided before it is loaded.
    let (stop, sizes) = (context.progress.stop, dry_load(&loading.options)?);
    context.progress.phase("reading images");
    let mut plan = TrainPlan::check_unless_stopped(&options.options, &sizes.info, stop)?;
    match (plan.unusual_rate(), &options.kohya) {
        // Its user chose it there; nothing is wrong with the file.
        (Some(warning), Some(_)) => context.progress.note(warning.message()),
        (warning, _) => plan.warnings.extend(warning),
    }
    plan.warnings.extend(preflight::few(&plan, options.preset.as_deref()));
    plan.warnings.extend(preflight::inspect(&plan, stop)?);
    let (memory, warning) = memory((&loading, &sizes), &plan, options.low_memory)?;
    strict(options, &plan)?;
    let base = context.hashed_base(&loading)?;
    plan.recognize(&base)?;
    plan.warnings.extend(lora::remarks(&base, &plan.loras)?);
    strict(options, &plan)?;
    plan.warnings.extend(warning);
    Ok((base, plan, memory))
}

/// The plan as it is told, with what its steps take; one is done to measure it.
///
/// # Errors
/// If that step fails.
pub(crate) fn forecast(
    base: &Base,
    plan: &TrainPlan,
    memory: Memory,
    progress: &Progress<'_>,
) -> Result<PlanSummary, Failure> {
    progress.phase("measuring a step");
    Ok(plan.summary(Some(estimate::estimate(base, plan, memory)?)))
}

/// Under `--strict` whatever was found ends the run.
fn strict(options: &Options, plan: &TrainPlan) -> Result<(), Failure> {
    if !options.strict || plan.warnings.is_empty() {
        return Ok(());
    }
    let mut text = format!("{{train.strict}}: {}", counted(plan.warnings.len(), "warning"));
    for warning in &plan.warnings {
        let shown = unrendered(&warning.0);
        text.push_str(&format!("\n  {}", shown.message));
        if let Some(hint) = shown.hint {
            text.push_str(&format!("\n    {hint}"));
        }
    }
    Err(Failure::user(text).hint("fix them, or omit {train.strict}"))
}

/// What a step keeps, by the memory that is free; a warning where that was not asked for.
///
/// # Errors
/// If the run does not fit.
pub(crate) fn memory(
    (loading, sizes): (&BaseLocation, &Base),
    plan: &TrainPlan,
    low_memory: bool,
) -> Result<(Memory, Option<Warning>), Failure> {
    let forecast = Forecast::of(sizes, plan)?;
    let free = loading.options.device.device_memory().map(|memory| memory.free);
    let size = |bytes: usize| crate::numbers::bytes(bytes as u64);
    let warn = |text: String, hint: &str| Some(Warning::new(text).with_hint(hint));
    Ok(match (forecast.choose(free, low_memory), free) {
        (MemoryChoice::Asked, _) => (Memory::Recompute, None),
        (MemoryChoice::Keep, Some(_)) => (Memory::Keep, None),
        (MemoryChoice::Keep, None) => {
            let need = size(forecast.keep);
            let text =
                format!("the run will take {need}; how much is free, this system does not tell");
            (Memory::Keep, warn(text, "where that is too much, use {train.low_memory}"))
        }
        (MemoryChoice::Needed, free) => {
            let text = format!(
                "the run would take {}, and {} are free: gradient checkpointing is used ({{train.low_memory}})",
                size(forecast.keep),
                crate::numbers::bytes(free.unwrap_or(0))
            );
            let hint = "a step takes about a third longer; the embedding is the same";
            (Memory::Recompute, warn(text, hint))
        }
        (MemoryChoice::TooLarge, free) => {
            let text = format!(
                "the run would take {}, {} with {{train.low_memory}}, and {} are free",
                size(forecast.keep),
                size(forecast.recompute),
                crate::numbers::bytes(free.unwrap_or(0))
            );
            let hint = match plan.batch {
                1 => "end other programs, or use a smaller {train.resolution}",
                _ => {
                    "use a smaller {train.batch} (with {train.accumulate} for the same effect) or {train.resolution}"
                }
            };
            return Err(Failure::memory(text).hint(hint));
        }
    })
}
