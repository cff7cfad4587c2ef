//! How far a drawing of A1111's API is, and its end.
use super::Reply;
use super::fields::Fields;
use crate::answer::{JSON_BODY, json_response, object};
use crate::jobs::Entry;
use crate::state::App;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use wayword_session::{Event, JobState};

/// Numbers of a drawing.
struct BatchProgress {
    progress: f64,
    left: f64,
    step: usize,
    steps: usize,
    picture: usize,
    pictures: usize,
}

fn batch_progress(entry: &Entry) -> BatchProgress {
    let at = entry.job.progress();
    let last = entry.job.last_event(|event| match event {
        Event::DrawStep { step, of, first, pictures } => Some((*step, *of, *first, *pictures)),
        _ => None,
    });
    let (step, steps, picture, pictures) = last.unwrap_or((0, entry.number("steps", 20), 0, 0));
    let pictures = pictures.max(entry.number("count", 1));
    let share = (["drawing", "decoding"].contains(&at.phase.as_str()) && at.of > 0)
        .then(|| at.done as f64 / at.of as f64);
    let progress = match entry.job.state() {
        JobState::Running => (0.01 + share.unwrap_or_default()).min(1.0),
        JobState::Queued => 0.0,
        _ => 1.0,
    };
    BatchProgress {
        progress,
        left: at.seconds_left.unwrap_or_default(),
        step,
        steps,
        picture,
        pictures,
    }
}

/// The last small picture of a drawing in progress, with a number that says which it is.
fn preview(entry: &Entry) -> Option<(usize, String)> {
    entry.job.last_event(|event| match event {
        Event::DrawPreview { index, step, png } if !png.is_empty() => {
            Some((index * 10_000 + step, png.clone()))
        }
        _ => None,
    })
}

/// `GET /sdapi/v1/progress`.
pub(super) async fn progress(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Reply {
    let query = query.unwrap_or_default();
    let skip = query.split('&').any(|pair| {
        pair.strip_prefix("skip_current_image=").is_some_and(|v| v.eq_ignore_ascii_case("true"))
    });
    let entry = app.jobs.a1111();
    let at = entry.as_ref().map(|entry| batch_progress(entry));
    let image = entry.as_ref().filter(|_| !skip).and_then(|entry| preview(entry));
    let asked = entry.as_ref().map(|entry| entry.job.stop_flag());
    let (skipped, interrupted) = (
        asked.is_some_and(wayword_interface::Stop::is_skip_requested),
        asked.is_some_and(wayword_interface::Stop::is_requested),
    );
    let created = entry.as_ref().map_or(String::new(), |entry| entry.id.to_string());
    Ok(json_response(&json!({
        "progress": at.as_ref().map_or(0.0, |at| at.progress),
        "eta_relative": at.as_ref().map_or(0.0, |at| at.left),
        "state": {
            "skipped": skipped, "interrupted": interrupted, "stopping_generation": false,
            "job": entry.as_ref().map_or("", |_| "scripts_txt2img"),
            "job_count": at.as_ref().map_or(0, |at| at.pictures), "job_timestamp": created,
            "job_no": at.as_ref().map_or(0, |at| at.picture),
            "sampling_step": at.as_ref().map_or(0, |at| at.step),
            "sampling_steps": at.as_ref().map_or(0, |at| at.steps),
        },
        "current_image": image.map(|(_, png)| png), "textinfo": Value::Null,
    })))
}

/// `POST /sdapi/v1/skip`: the present pictures stay as they are after this step, and the next begin.
pub(super) async fn skip(State(app): State<Arc<App>>) -> Reply {
    if let Some(entry) = app.jobs.a1111() {
        entry.job.skip();
    }
    Ok(json_response(&json!({})))
}

/// `POST /sdapi/v1/interrupt`: the drawing ends after its step; pictures that are done are its
/// answer.
pub(super) async fn interrupt(State(app): State<Arc<App>>) -> Reply {
    if let Some(entry) = app.jobs.a1111() {
        entry.job.stop();
    }
    Ok(json_response(&json!({})))
}

/// `POST /internal/progress`: of the drawing that a client named.
pub(super) async fn of_task(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Reply {
    let mut fields = Fields::new(object(&headers, body, JSON_BODY).await?);
    let task = fields.text("id_task")?;
    let seen = fields.whole("id_live_preview", -1, i64::MAX)?.unwrap_or(-1);
    let live = fields.flag("live_preview")?.unwrap_or(true);
    let entry = task.and_then(|task| app.jobs.task(&task));
    let Some(entry) = entry else {
        return Ok(json_response(&json!({
            "active": false, "queued": false, "completed": false, "progress": null, "eta": null,
            "live_preview": null, "id_live_preview": seen, "textinfo": "Waiting...",
        })));
    };
    let state = entry.job.state();
    let at = batch_progress(&entry);
    let active = state == JobState::Running;
    let image = preview(&entry)
        .filter(|(id, _)| active && live && i64::try_from(*id).is_ok_and(|id| id != seen));
    let id = image.as_ref().map_or(json!(seen), |(id, _)| json!(id));
    let text = match state {
        JobState::Queued => json!(format!("In queue: {} before", app.jobs.place(&entry))),
        _ => Value::Null,
    };
    Ok(json_response(&json!({
        "active": active, "queued": state == JobState::Queued, "completed": state.is_over(),
        "progress": active.then_some(at.progress), "eta": active.then_some(at.left),
        "live_preview": image.map(|(_, png)| format!("data:image/png;base64,{png}")),
        "id_live_preview": id, "textinfo": text,
    })))
}
