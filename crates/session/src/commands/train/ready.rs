//! All that comes before the first step: the plan, what is found in it, memory, the base.
use crate::Failure;
use crate::commands::base::{self, BaseLocation};
use crate::commands::prepare::auto::{self, Prepared};
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
use wayword_train::plan::{PlanSummary, PreparedPhotos, TrainPlan, images_exist};
use wayword_train::preflight;

/// What comes before the first step.
pub(crate) struct Ready {
    pub(crate) base: Arc<Base>,
    pub(crate) plan: TrainPlan,
    /// What a step keeps in memory.
    pub(crate) memory: Memory,
    /// What became of photos that were prepared.
    pub(crate) prepared: Prepared,
}

/// A checked plan and the base that it is for. What can be refused is refused before the base is
/// loaded. `write`: images of prepared photos are to stay.
///
/// # Errors
/// If the options or pictures cannot be used, the run does not fit into memory, something is found
/// under `--strict`, or the base cannot be loaded.
pub(crate) fn ready(
    options: &Options,
    write: bool,
    context: &Context<'_>,
) -> Result<Ready, Failure> {
    images_exist(&options.options)?;
    let loading = base::place(&options.base, &options.machine, context)?;
    // The base's sizes, by which everything is decided before it is loaded.
    let (stop, sizes) = (context.progress.stop, dry_load(&loading.options)?);
    let prepared = auto::prepare(options, sizes.info.resolution, write, context)?;
    context.progress.phase("reading images");
    let mut plan = TrainPlan::check_unless_stopped(&prepared.options, &sizes.info, stop)?;
    match (plan.unusual_rate(), &options.kohya) {
        // Its user chose it there; nothing is wrong with the file.
        (Some(warning), Some(_)) => context.progress.note(warning.message()),
        (warning, _) => plan.warnings.extend(warning),
    }
    plan.warnings.extend(preflight::few(&plan, options.preset.as_deref()));
    can_decode(&loading, &plan)?;
    plan.warnings.extend(preflight::inspect(&plan, stop)?);
    let (memory, warning) = memory((&loading, &sizes), &plan, options.low_memory)?;
    strict(options, &plan)?;
    let base = context.hashed_base(&loading)?;
    plan.recognize(&base)?;
    plan.warnings.extend(lora::remarks(&base, &plan.loras)?);
    strict(options, &plan)?;
    plan.warnings.extend(warning);
    Ok(Ready { base, plan, memory, prepared })
}

/// Whether the pictures can be decoded in the memory that is free, as far as the system tells.
fn can_decode(loading: &BaseLocation, plan: &TrainPlan) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let free = loading.options.device.device_memory().map(|memory| memory.free);
    let (Some(free), Some((need, largest))) = (free, preflight::decoding(&plan.pictures, threads))
    else {
        return Ok(());
    };
    if need as u64 <= free {
        return Ok(());
    }
    let (name, (width, height)) = (largest.path.display(), largest.size);
    let (need, free) = (crate::numbers::bytes(need as u64), crate::numbers::bytes(free));
    let text = format!(
        "{name}: decoding images of up to {width}x{height} pixels takes {need}, and {free} are free"
    );
    Err(Failure::memory(text).hint("scale the largest images down, or close other programs"))
}

/// The plan as it is told, with what its steps take; one is done to measure it.
///
/// # Errors
/// If that step fails.
pub(crate) fn forecast(
    base: &Base,
    plan: &TrainPlan,
    memory: Memory,
    photos: &[PreparedPhotos],
    progress: &Progress<'_>,
) -> Result<PlanSummary, Failure> {
    progress.phase("measuring a step");
    let estimate = estimate::estimate(base, plan, memory)?;
    Ok(PlanSummary { photos: photos.to_vec(), ..plan.summary(Some(estimate)) })
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
