//! JSON schemas: of events, and of requests.
use crate::{Event, Request};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// The version of the events: it grows when a field goes or changes its meaning, which no release
/// has done yet.
const EVENTS_VERSION: u32 = 1;

/// What a command line writes last with `--json`, which is no event of a job.
#[derive(JsonSchema)]
#[schemars(tag = "event", rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Last {
    /// The command failed. Nothing follows.
    Failed {
        /// What happened.
        message: String,
        /// What led to it, outermost first.
        caused_by: Vec<String>,
        /// What to do about it.
        hint: Option<String>,
        /// The program's exit code.
        exit_code: u8,
    },
    /// What became of photos.
    Prepared {
        /// The report of `prepare`.
        result: Value,
    },
}

/// The schema of one line of `--json`, or of one event of a job: one of several objects, by their
/// field `event`.
#[must_use]
pub fn events() -> Value {
    let mut schema = schemars::schema_for!(Event).to_value();
    let last = schemars::schema_for!(Last).to_value();
    if let (Some(all), Some(more)) = (schema["oneOf"].as_array_mut(), last["oneOf"].as_array()) {
        all.extend(more.iter().cloned());
    }
    schema["title"] = json!("wayword events");
    schema["x-version"] = json!(EVENTS_VERSION);
    schema
}

/// The schema of the events (`events`) or of a command's request (`draw`); `None` for other names.
#[must_use]
pub fn schema(name: &str) -> Option<Value> {
    if name == "events" { Some(events()) } else { Request::schema(name) }
}
