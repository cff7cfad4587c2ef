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
use wayword_session::{Failure, JobState, SeenRun};

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
    let kind = images_kind(&path).unwrap_or(match ending.as_str() {
        "html" => "text/html; charset=utf-8",
        "json" | "jsonl" => "application/json",
        "txt" | "toml" | "caption" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    });
    let mut response = file(&path, kind).await?;
    if ending == "html" {
        let policy = HeaderValue::from_static(REPORT);
        response.headers_mut().insert("content-security-policy", policy);
    }
    Ok(response)
}

/// The type of an image by its file's ending; `None` for other files.
pub(crate) fn images_kind(path: &Path) -> Option<&'static str> {
    Some(match endings::of(path).as_str() {
        "png" | "apng" => "image/png",
        "jpg" | "jpeg" | "jfif" | "jpe" | "jif" | "pjpeg" => "image/jpeg",
        "webp" => "image/webp",
        "bmp" | "dib" => "image/bmp",
        _ => return None,
    })
}

/// A file as a response.
pub(crate) async fn file(path: &Path, kind: &'static str) -> Answer {
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = tokio::fs::read(path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refusal::missing(format!("there is no file {shown}")),
        _ => Refusal::missing(format!("{shown} cannot be read")),
    })?;
    Ok(bytes_response(kind, bytes))
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
    Ok(json_response(&json!({ "folder": folder, "files": own_images(&app, &folder) })))
}

/// The drawings that are there, the newest first, with their settings.
pub(crate) async fn pictures(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        let folder = app.opened.out.join("pictures");
        let mut files = own_images(&app, &folder);
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

/// Folders of images that a training may take: the opened ones and those directly in them.
pub(crate) fn folders(opened: &[PathBuf]) -> Vec<PathBuf> {
    let inside = |folder: &PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut inside: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        inside.retain(|path| path.is_dir() && !endings::is_hidden(path));
        inside.sort();
        inside
    };
    opened.iter().flat_map(|folder| std::iter::once(folder.clone()).chain(inside(folder))).collect()
}

/// Image files of a folder, by name.
pub(crate) fn images(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| endings::has(path, endings::PICTURES));
    files.sort();
    files
}

/// The same as paths below the folder for output.
pub(crate) fn own_images(app: &App, folder: &Path) -> Vec<String> {
    images(folder).iter().map(|path| below(app, path)).collect()
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
        // A run whose plan cannot be read is not listed; asked for itself, it says why.
        let seen = |path: PathBuf| SeenRun::read(&path).ok().map(|seen| (path, seen));
        let mut runs: Vec<(PathBuf, SeenRun)> = found.into_iter().filter_map(seen).collect();
        runs.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.changed));
        let told = runs.iter().map(|(path, seen)| tell(&app, path, seen));
        Ok(json!({ "runs": told.collect::<Vec<_>>() }))
    })
    .await
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.is_symlink() || !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if SeenRun::is_run(&path) {
            found.push(path);
        } else if depth > 0 && !name.starts_with('.') {
            walk(&path, depth - 1, found);
        }
    }
}

/// A run with its curves and files.
pub(crate) async fn run(State(app): State<Arc<App>>, Part(run): Part<String>) -> Answer {
    let path = app.opened.write(&run)?;
    if !SeenRun::is_run(&path) {
        return Err(Refusal::missing(format!("there is no run {run}")));
    }
    blocking(move || {
        let seen = SeenRun::read(&path).map_err(Failure::from)?;
        let mut told = tell(&app, &path, &seen);
        let files = seen.files(&path).into_iter().map(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            json!({ "name": name, "file": below(&app, &file), "path": file })
        });
        told["files"] = files.collect::<Vec<_>>().into();
        told["samples"] = own_images(&app, &path.join("samples")).into();
        told["log"] = SeenRun::log(&path).into();
        told["similarity"] = SeenRun::similarity(&path).into();
        Ok(told)
    })
    .await
}

/// What is told about a run in the list of all.
fn tell(app: &App, run: &Path, seen: &SeenRun) -> Value {
    let job =
        app.jobs.all().into_iter().rev().find(|entry| {
            !entry.job.state().is_over() && entry.run().is_some_and(|path| path == run)
        });
    let state = match &job {
        Some(entry) => json!(entry.job.state()),
        None if seen.is_running => json!(JobState::Running),
        None if seen.steps > 0 && seen.step >= seen.steps => json!(JobState::Finished),
        None => json!("interrupted"),
    };
    let report = run.join("report.html");
    json!({
        "run": below(app, run), "path": run, "name": seen.name, "embeddings": seen.embeddings,
        "state": state, "step": seen.step, "steps": seen.steps,
        "job": job.map(|entry| entry.id.to_string()),
        "report": report.is_file().then(|| below(app, &report)),
    })
}
