//! All that comes before the first step: the plan, what is found in it, memory, the base.
use crate::commands::base;
use crate::failure::Failure;
use crate::options::Train as Options;
use crate::show::{self, Progress};
use wayword_diffusion::{Base, BaseOptions, Memory};
use wayword_interface::{Quiet, Warning};
use wayword_train::estimate::{Forecast, MemoryChoice};
use wayword_train::lora;
use wayword_train::plan::TrainPlan;
use wayword_train::preflight;

/// A checked plan, the base that it is for, and what a step keeps in memory. What can be refused is refused before the base is
/// loaded.
///
/// # Errors
/// If the options or pictures cannot be used, the run does not fit into memory, something is found
/// under `--strict`, or the base cannot be loaded.
pub(crate) fn ready(
    options: &Options,
    progress: &Progress,
) -> Result<(Base, TrainPlan, Memory), Failure> {
    let loading = base::place(&options.base, &options.machine, progress)?;
    let sketch = BaseOptions { device: loading.device.memory_estimator(), ..loading.clone() };
    let mut plan = TrainPlan::check(&options.options, &Base::dry_load(&sketch, &Quiet)?.info)?;
    plan.warnings.extend(preflight::few(&plan, options.preset.as_deref()));
    plan.warnings.extend(preflight::inspect(&plan)?);
    let (memory, warning) = memory(&loading, &plan, options.low_memory)?;
    strict(options, &plan)?;
    let base = Base::load(&loading, progress)?;
    plan.recognize(&base)?;
    plan.warnings.extend(lora::remarks(&base, &plan.loras)?);
    strict(options, &plan)?;
    plan.warnings.extend(warning);
    Ok((base, plan, memory))
}

/// Under `--strict` whatever was found ends the run.
fn strict(options: &Options, plan: &TrainPlan) -> Result<(), Failure> {
    if !options.strict || plan.warnings.is_empty() {
        return Ok(());
    }
    let mut text = format!("--strict: {} warnings", plan.warnings.len());
    for warning in &plan.warnings {
        let shown = warning.render(&show::Flags);
        text.push_str(&format!("\n  {}", shown.message));
        if let Some(hint) = shown.hint {
            text.push_str(&format!("\n    {hint}"));
        }
    }
    Err(Failure::user(text).hint("mend them, or leave --strict out"))
}

/// What a step keeps, by the memory that is free; a warning where that was not asked for.
///
/// # Errors
/// If the run does not fit.
pub(crate) fn memory(
    loading: &BaseOptions,
    plan: &TrainPlan,
    low_memory: bool,
) -> Result<(Memory, Option<Warning>), Failure> {
    let forecast = Forecast::of(loading, plan)?;
    let free = loading.device.device_memory().map(|memory| memory.free);
    let told = |bytes: usize| show::bytes(bytes as u64);
    let warn = |text: String, hint: &str| Some(Warning::new(text).with_hint(hint));
    Ok(match (forecast.choose(free, low_memory), free) {
        (MemoryChoice::Asked, _) => (Memory::Recompute, None),
        (MemoryChoice::Keep, Some(_)) => (Memory::Keep, None),
        (MemoryChoice::Keep, None) => {
            let need = told(forecast.keep);
            let text =
                format!("the run will take {need}; how much is free, this system does not tell");
            (Memory::Keep, warn(text, "where that is too much, use --low-memory"))
        }
        (MemoryChoice::Needed, free) => {
            let text = format!(
                "the run would take {}, and {} are free: blocks are computed twice (--low-memory)",
                told(forecast.keep),
                show::bytes(free.unwrap_or(0))
            );
            let hint = "a step takes about a third longer; the word is the same";
            (Memory::Recompute, warn(text, hint))
        }
        (MemoryChoice::TooLarge, free) => {
            let text = format!(
                "the run would take {}, {} with --low-memory, and {} are free",
                told(forecast.keep),
                told(forecast.recompute),
                show::bytes(free.unwrap_or(0))
            );
            let hint = match plan.batch {
                1 => "end other programs, or use a smaller --resolution",
                _ => {
                    "use a smaller --batch (with --accumulate for the same effect) or --resolution"
                }
            };
            return Err(Failure::user(text).hint(hint));
        }
    })
}
