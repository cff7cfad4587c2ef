//! `/api/v1`: requests, jobs and their events, the library, uploads, runs.
use crate::answer::{Answer, JSON_BODY, Refusal, json_response, object};
use crate::state::App;
use crate::{confine, files, kohya, library, prepared, stream, trash};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use std::sync::Arc;
use wayword_interface::options::{Options, entry, schema};
use wayword_session::request::Serve;
use wayword_session::{Request, lists as names};

/// The addresses below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/server", get(server))
        .route("/names", get(known_names))
        .route("/schema/{command}", get(schema_of))
        .route("/as-text", post(as_text))
        .route("/jobs", get(jobs).post(submit))
        .route("/jobs/{id}", get(job))
        .route("/jobs/{id}/events", get(events))
        .route("/jobs/{id}/stop", post(stop))
        .route("/jobs/{id}/skip", post(skip))
        .route("/jobs/{id}/forget", post(forget))
        .route("/jobs/{id}/result", get(result))
        .route("/library", get(library::show))
        .route("/library/rescan", post(library::rescan))
        .route("/library/preview/{kind}/{name}", get(library::preview))
        .route("/library/rename", post(trash::rename))
        .route("/library/delete", post(trash::delete))
        .route("/library/restore", post(trash::restore))
        .route("/kohya", post(kohya::read))
        .route("/devices", get(devices))
        .route("/runs", get(files::runs))
        .route("/runs/{*run}", get(files::run))
        .route("/pictures", get(files::pictures))
        .route("/prepared/{*folder}", get(prepared::show).put(prepared::change))
        .route("/photos/{*image}", get(prepared::photo))
        .route("/uploads/{set}", get(files::uploaded))
        .route("/uploads/{set}/{name}", put(files::upload))
}

/// What the page must know of the server.
async fn server(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"), "out": app.opened.out,
            "pictures": app.opened.pictures, "folders": files::folders(&app.opened.pictures),
            "base": app.base(), "loaded": app.session.loaded_bases(),
            "commands": Request::COMMANDS,
        }))
    })
    .await
}

/// Names that options take.
async fn known_names() -> Response {
    let samplers: Vec<&str> = names::SAMPLERS.iter().map(|one| one.name).collect();
    let schedules: Vec<&str> = names::NOISE_SCHEDULES.iter().map(|one| one.1).collect();
    let upscalers: Vec<&str> = names::UPSCALERS.iter().map(|one| one.1).collect();
    let plain = |all: Vec<names::Named>| all.iter().map(|one| one.name).collect::<Vec<_>>();
    json_response(&json!({
        "samplers": samplers, "schedules": schedules, "upscalers": upscalers,
        "optimizers": plain(names::optimizers()), "schedulers": plain(names::schedulers()),
    }))
}

async fn schema_of(Path(command): Path<String>) -> Answer {
    if command == Serve::REQUEST {
        return Ok(json_response(&schema::<Serve>()));
    }
    let found = Request::schema(&command);
    let found = found.ok_or_else(|| Refusal::missing(format!("{command} is not a command")))?;
    Ok(json_response(&found))
}

/// A request as a command line and as a file of options.
async fn as_text(headers: HeaderMap, body: Body) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    let request = Request::from_json(values.clone())?;
    let command = request.command();
    let specs = Request::specs(command).unwrap_or_default();
    let (mut line, mut toml) = (format!("wayword {command}"), String::new());
    for (key, value) in &values {
        let Some(spec) = specs.iter().find(|spec| spec.is_called(key)) else { continue };
        let Ok(value) = spec.fit(value) else { continue };
        if value == (spec.default)() {
            continue;
        }
        line.push_str(&flags(spec, &value));
        if let Ok(lines) = entry(spec.name, &value) {
            toml.push_str(&lines);
            toml.push('\n');
        }
    }
    Ok(json_response(&json!({ "command": line, "toml": toml })))
}

/// An option as it is typed.
fn flags(spec: &wayword_interface::options::OptionSpec, value: &Value) -> String {
    use wayword_interface::options::{OptionKind, shown};
    let quoted = |value: &Value| {
        let text = shown(value);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            return text;
        }
        format!("'{}'", text.replace('\'', "'\\''"))
    };
    let flag = if spec.positional { String::new() } else { format!("--{} ", spec.flag()) };
    match (spec.kind, value) {
        (OptionKind::Switch, Value::Bool(true)) => format!(" --{}", spec.flag()),
        (OptionKind::Switch, _) => String::new(),
        (OptionKind::List(_), Value::Array(list)) => {
            list.iter().map(|one| format!(" {flag}{}", quoted(one))).collect()
        }
        (_, value) => format!(" {flag}{}", quoted(value)),
    }
}

async fn submit(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    let request = confine::request(&app, values)?;
    let entry = app.submit(request, None, false)?;
    let told = json_response(&app.jobs.tell(&entry));
    Ok((StatusCode::ACCEPTED, told).into_response())
}

async fn jobs(State(app): State<Arc<App>>) -> Response {
    let all: Vec<Value> = app.jobs.all().iter().map(|entry| app.jobs.tell(entry)).collect();
    let mut interrupted = app.journal.interrupted();
    for job in interrupted.iter_mut().filter(|job| job["command"] == "grid") {
        if let Some(out) = job["request"]["out"].as_str().map(std::path::Path::new) {
            job["images"] = files::own_images(&app, &out.join("cells")).into();
        }
    }
    json_response(&json!({ "jobs": all, "interrupted": interrupted }))
}

async fn job(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let entry = app.jobs.get(&id)?;
    Ok(json_response(&app.jobs.tell(&entry)))
}

async fn events(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let entry = app.jobs.get(&id)?;
    let first = match headers.get("last-event-id").and_then(|id| id.to_str().ok()) {
        Some(id) => id
            .parse()
            .map_err(|_| Refusal::bad(format!("Last-Event-ID: expected a number, found {id}")))?,
        None => 0,
    };
    Ok(stream::response(app, entry, first))
}

async fn stop(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let entry = app.jobs.get(&id)?;
    entry.job.stop();
    Ok(json_response(&app.jobs.tell(&entry)))
}

/// The present pictures of a drawing or the present cell of a grid end as they are, and the next begin.
async fn skip(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let entry = app.jobs.get(&id)?;
    if !["draw", "grid"].contains(&entry.command) {
        let text = format!("only drawings and grids have images to skip, and job {id} is neither");
        return Err(Refusal::new(StatusCode::CONFLICT, text));
    }
    entry.job.skip();
    Ok(json_response(&app.jobs.tell(&entry)))
}

/// An interrupted job of an earlier server is listed no more.
async fn forget(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    if app.journal.forget(&id) {
        return Ok(json_response(&json!({})));
    }
    Err(Refusal::missing(format!("there is no interrupted job {id}")))
}

async fn result(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let entry = app.jobs.get(&id)?;
    match entry.job.result() {
        Some(Ok(outcome)) => Ok(json_response(&crate::jobs::result(&outcome))),
        Some(Err(failure)) => {
            Err(Refusal { status: StatusCode::CONFLICT, diagnostic: failure.diagnostic })
        }
        None => Err(Refusal::new(StatusCode::CONFLICT, "the job is not over")
            .hint("ask again later, or read its events")),
    }
}

async fn devices(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        let request = wayword_session::request::Devices::default();
        let outcome = app.session.submit(request).wait()?;
        Ok(crate::jobs::result(&outcome))
    })
    .await
}

/// Work that reads files, beside the threads that answer.
pub(crate) async fn blocking(work: impl FnOnce() -> Answer<Value> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Ok(json_response(&value?)),
        Err(_) => {
            let text = "a fault of this program";
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text).hint("please report it"))
        }
    }
}
