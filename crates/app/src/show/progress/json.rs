//! Events as JSON, one object a line on standard output. A reader that went away ends nothing.
use crate::show;
use serde_json::{Value, json};
use wayword_diffusion as diffusion;
use wayword_interface::Warning;
use wayword_train::event::Event;

fn put(value: &Value) {
    let _ = show::data(&value.to_string());
}

/// A struct's fields with the event's name before them.
fn put_named(event: &str, fields: &impl serde::Serialize) {
    let mut object = serde_json::Map::new();
    object.insert("event".into(), event.into());
    if let Ok(Value::Object(fields)) = serde_json::to_value(fields) {
        object.extend(fields);
    }
    put(&Value::Object(object));
}

/// A warning.
pub(super) fn warned(warning: &Warning) {
    let shown = warning.render(&show::Flags);
    put(&json!({ "event": "warned", "text": shown.message, "hint": shown.hint }));
}

/// Loading and drawing.
pub(super) fn draw_event(event: &diffusion::Event) {
    match event {
        diffusion::Event::Loading { what, path } => {
            put(&json!({ "event": "loading", "what": what, "path": path }));
        }
        diffusion::Event::Loaded(report) => put(&json!({
            "event": "loaded",
            "tensors": report.tensors,
            "unused": report.unused,
            "left_out": report.left_out,
        })),
        diffusion::Event::Step { step, of, first, pictures } => put(&json!({
            "event": "draw_step",
            "step": step,
            "of": of,
            "first": first,
            "pictures": pictures,
        })),
        diffusion::Event::Picture { index, of, seed } => {
            put(&json!({ "event": "picture", "index": index, "of": of, "seed": seed }));
        }
        diffusion::Event::Saved(path) => put(&json!({ "event": "saved", "path": path })),
        diffusion::Event::Finished { pictures, seconds } => {
            put(&json!({ "event": "drawn", "pictures": pictures, "seconds": seconds }));
        }
        _ => {}
    }
}

/// Training.
pub(super) fn train_event(event: &Event) {
    match event {
        Event::Planned(summary) => put_named("plan", summary),
        Event::Encoded { done, of } => {
            put(&json!({ "event": "encoded", "done": done, "of": of }));
        }
        Event::Evaluated { step, loss } => {
            put(&json!({ "event": "measured", "step": step, "fixed_noise_loss": loss }));
        }
        Event::Step(report) => put_named("step", report),
        Event::Saved { path, step } => {
            put(&json!({ "event": "saved", "path": path, "step": step }));
        }
        Event::Previewed { path, step } => {
            put(&json!({ "event": "preview", "path": path, "step": step }));
        }
        Event::Reported { path } => put(&json!({ "event": "report", "path": path })),
        Event::Stopped { step, of, run } => {
            put(&json!({ "event": "stopped", "step": step, "of": of, "run": run }));
        }
        Event::Finished(outcome) => put_named("finished", outcome),
        _ => {}
    }
}
