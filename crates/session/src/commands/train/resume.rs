//! What may be said beside `resume`: nothing that would change the run's numbers.
use crate::Failure;
use crate::request::{Layer, Train};
use serde_json::Value;
use wayword_interface::Diagnostic;
use wayword_interface::options::{Options as _, shown};
use wayword_train::plan::TrainPlan;

/// Options of the machine and of output, which change no number of the run.
const FREE: &[&str] = &[
    "resume",
    "extend",
    "base",
    "vae",
    "threads",
    "device",
    "low_memory",
    "json",
    "strict",
    "pick",
    "no_pick",
    "judge",
];

/// An option that would change the run's numbers is refused; one that says what the run has is not.
pub(super) fn refuse_changes(given: &Layer, plan: &TrainPlan) -> Result<(), Failure> {
    let values = given.values();
    for spec in Train::specs().iter().filter(|spec| !FREE.contains(&spec.name)) {
        let Some(value) = values.get(spec.name) else { continue };
        let had = of_run(plan, spec.name);
        if had.as_ref().is_some_and(|had| equal(had, value)) {
            continue;
        }
        let has = had.map_or(String::new(), |had| format!(", the run has {}", shown(&had)));
        let more = spec.name == "steps" && value.as_f64() > Some(plan.steps as f64);
        let hint = if more {
            let more = value.as_u64().unwrap_or_default().saturating_sub(plan.steps as u64);
            format!("give {{train.extend}} {more} to add steps")
        } else {
            format!("leave {{train.{}}} out, or start another run", spec.name)
        };
        let text = format!("a run that goes on keeps its options: found {}{has}", shown(value));
        return Err(Diagnostic::new(text)
            .with_field(format!("train.{}", spec.name))
            .with_hint(hint)
            .into());
    }
    Ok(())
}

/// What the run has for an option, where its plan tells.
fn of_run(plan: &TrainPlan, option: &str) -> Option<Value> {
    Some(match option {
        "steps" => plan.steps.into(),
        "learning_rate" => plan.lr.into(),
        "seed" => plan.seed.into(),
        "batch" => plan.batch.into(),
        "accumulate" => plan.accumulate.into(),
        "name" => plan.name.clone().into(),
        "precision" => plan.precision.clone().into(),
        "save_every" => plan.save.every_steps.into(),
        _ => return None,
    })
}

/// Equal as numbers or as texts, whichever way they were written.
fn equal(had: &Value, given: &Value) -> bool {
    let number = |value: &Value| value.as_f64().or_else(|| shown(value).parse().ok());
    match (number(had), number(given)) {
        (Some(had), Some(given)) => (had - given).abs() <= 1e-9 * had.abs(),
        _ => shown(had) == shown(given),
    }
}
