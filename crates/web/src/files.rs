//! Files below the folder for output: served, uploaded, and the runs among them.
use crate::answer::{Answer, Refusal, body, bytes_response, json_response};
use crate::api::blocking;
use crate::state::App;
use axum::body::Body;
use axum::extract::{Path as Part, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_formats::atomic::{name_fault, write_bytes};
use wayword_formats::endings;
use wayword_formats::picture::{self, Reading};
use wayword_formats::picture_text;
use wayword_session::JobState;

/// Bytes of an uploaded file.
const UPLOAD: usize = 50 << 20;
/// Files of one set of uploads.
const UPLOADS: usize = 2000;
/// Bytes of a caption.
const CAPTION: usize = 64 << 10;
/// How deep runs are looked for.
const DEPTH: usize = 4;
/// What a page that a run or a grid made may do: show itself.
const REPORT: &str = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'";

/// A file of the folder for output.
pub(crate) async fn serve(State(app): State<Arc<App>>, Part(path): Part<String>) -> Answer {
    let path = app.opened.write(&path)?;
    let ending = endings::of(&path);
    let kind = match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "html" => "text/html; charset=utf-8",
        "json" | "jsonl" => "application/json",
        "txt" | "toml" | "caption" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = tokio::fs::read(&path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refusal::missing(format!("there is no file {shown}")),
        _ => Refusal::missing(format!("{shown} cannot be read")),
    })?;
    let mut response = bytes_response(kind, bytes);
    if ending == "html" {
        let policy = HeaderValue::from_static(REPORT);
        response.headers_mut().insert("content-security-policy", policy);
    }
    Ok(response)
}

/// The folder of a set of uploads.
fn set_folder(app: &App, set: &str) -> Answer<PathBuf> {
    named(set)?;
    Ok(app.opened.out.join("uploads").join(set))
}

/// Checks a name that becomes a file's.
fn named(name: &str) -> Answer<()> {
    let fault = name_fault(name)
        .or_else(|| name.starts_with('.').then(|| "the name begins with a dot".to_owned()));
    match fault {
        Some(fault) => Err(Refusal::unfit(format!("{name:?} cannot be a file's name: {fault}"))),
        None => Ok(()),
    }
}

/// Takes an image, or the text of its caption, into a set.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Part((set, name)): Part<(String, String)>,
    headers: HeaderMap,
    from: Body,
) -> Answer {
    let folder = set_folder(&app, &set)?;
    named(&name)?;
    let is_caption =
        [".txt", ".caption"].iter().any(|ending| name.to_lowercase().ends_with(ending));
    let bytes = body(&headers, from, if is_caption { CAPTION } else { UPLOAD }).await?;
    blocking(move || {
        let (width, height) = if is_caption {
            std::str::from_utf8(&bytes).map_err(|_| Refusal::unfit("the caption is not UTF-8"))?;
            (0, 0)
        } else {
            let found = picture::from_bytes(&bytes, Reading::SEEN)
                .map_err(|fault| Refusal::unfit(format!("{name}: {fault}")))?;
            (found.width, found.height)
        };
        let fault = |error: std::io::Error| {
            let mut refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "cannot write");
            refusal.diagnostic = refusal.diagnostic.with_source(error);
            refusal
        };
        std::fs::create_dir_all(&folder).map_err(fault)?;
        if std::fs::read_dir(&folder).map_err(fault)?.count() >= UPLOADS {
            return Err(Refusal::unfit(format!("{set} has {UPLOADS} files already")));
        }
        let path = folder.join(&name);
        write_bytes(&path, &bytes).map_err(fault)?;
        Ok(json!({ "path": path, "folder": folder, "width": width, "height": height }))
    })
    .await
}

/// The images of a set.
pub(crate) async fn uploaded(State(app): State<Arc<App>>, Part(set): Part<String>) -> Answer {
    let folder = set_folder(&app, &set)?;
    if !folder.is_dir() {
        return Err(Refusal::missing(format!("there are no uploads called {set}")));
    }
    Ok(json_response(&json!({ "folder": folder, "files": images(&app, &folder) })))
}

/// The drawings that are there, the newest first, with their settings.
pub(crate) async fn pictures(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        let folder = app.opened.out.join("pictures");
        let mut files = images(&app, &folder);
        files.reverse();
        files.truncate(200);
        let told = files.into_iter().map(|file| {
            let settings = picture_text::read(&app.opened.out.join(&file)).ok();
            json!({ "file": file, "settings": settings.map(|found| found.text) })
        });
        Ok(json!({ "pictures": told.collect::<Vec<_>>() }))
    })
    .await
}

/// Image files of a folder, by name, as paths below the folder for output.
fn images(app: &App, folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_image = |path: &PathBuf| endings::has(path, &["png", "jpg", "jpeg", "webp", "bmp"]);
    let mut files: Vec<String> =
        entries.map(|entry| entry.path()).filter(is_image).map(|path| below(app, &path)).collect();
    files.sort();
    files
}

/// A path as `/files/` takes it.
fn below(app: &App, path: &Path) -> String {
    let path = path.strip_prefix(&app.opened.out).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// The runs that lie in the folder for output, whoever made them; the newest first.
pub(crate) async fn runs(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        let mut found = Vec::new();
        walk(&app.opened.out, DEPTH, &mut found);
        found.sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
        let runs = found.into_iter().map(|(path, _)| tell(&app, &path, false));
        Ok(json!({ "runs": runs.collect::<Vec<_>>() }))
    })
    .await
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, std::time::SystemTime)>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.is_symlink() || !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".run") && path.join("plan.json").is_file() {
            let log = std::fs::metadata(path.join("log.jsonl"));
            let changed = log.and_then(|about| about.modified());
            found.push((path, changed.unwrap_or(std::time::UNIX_EPOCH)));
        } else if depth > 0 && !name.starts_with('.') {
            walk(&path, depth - 1, found);
        }
    }
}

/// A run with its curves and files.
pub(crate) async fn run(State(app): State<Arc<App>>, Part(run): Part<String>) -> Answer {
    let path = app.opened.write(&run)?;
    if !path.join("plan.json").is_file() {
        return Err(Refusal::missing(format!("there is no run {run}")));
    }
    blocking(move || Ok(tell(&app, &path, true))).await
}

/// What is told about a run, `all` with its curves and files.
fn tell(app: &App, run: &Path, all: bool) -> Value {
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap_or_default();
    let plan: Value = serde_json::from_str(&read("plan.json")).unwrap_or_default();
    let steps = plan["steps"].as_u64().unwrap_or_default();
    let log = read("log.jsonl");
    // A line that was being written when the process ended is left out.
    let lines = || log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let step = lines().filter_map(|line| line["step"].as_u64()).max().unwrap_or_default();
    let job =
        app.jobs.all().into_iter().rev().find(|entry| {
            !entry.job.state().is_over() && entry.run().is_some_and(|path| path == run)
        });
    let is_locked = {
        let file = std::fs::File::open(run.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
    };
    let state = match &job {
        Some(entry) => json!(entry.job.state()),
        None if is_locked => json!(JobState::Running),
        None if steps > 0 && step >= steps => json!(JobState::Finished),
        None => json!("interrupted"),
    };
    let folder = run.parent().unwrap_or(run);
    let name = run.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let report = run.join("report.html");
    let mut told = json!({
        "run": below(app, run), "path": run, "name": name, "state": state, "step": step,
        "steps": steps, "job": job.map(|entry| entry.id.to_string()),
        "report": report.is_file().then(|| below(app, &report)),
    });
    if all {
        let mut files: Vec<Value> = Vec::new();
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let of_run = stem == name
                || stem
                    .strip_prefix(&name)
                    .is_some_and(|rest| rest.starts_with("-step") || rest.starts_with("-0"));
            if path.is_file() && of_run {
                files.push(json!({ "name": file, "file": below(app, &path), "path": path }));
            }
        }
        files.sort_by_key(|file| file["name"].to_string());
        told["files"] = files.into();
        told["samples"] = images(app, &run.join("samples")).into();
        told["log"] = lines().collect::<Vec<_>>().into();
        told["plan"] = plan;
    }
    told
}
