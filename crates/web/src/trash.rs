//! Embeddings of the server's own folder: renamed, or moved to a trash folder and back.
use crate::answer::{Answer, JSON_BODY, Refusal, object};
use crate::api::blocking;
use crate::state::{App, now_ms};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_formats::atomic::name_fault;
use wayword_formats::endings;
use wayword_interface::options::Values;

/// A text of a request.
fn text(values: &Values, name: &str) -> Answer<String> {
    match values.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(Refusal::unfit("expected a text").field(name)),
    }
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Refusal {
    let text = format!("cannot {what} {}", path.display());
    let mut refusal = Refusal::new(StatusCode::CONFLICT, text);
    refusal.diagnostic = refusal.diagnostic.with_source(error);
    refusal
}

/// A file of tensors below the folder for output: only those are changed.
fn own_file(app: &App, text: &str) -> Answer<PathBuf> {
    let path = app.opened.write(text)?;
    if !path.is_file() || !endings::has(&path, endings::TENSORS) {
        return Err(Refusal::missing(format!("{text} is not an embedding file")).field("path"));
    }
    Ok(path)
}

/// `POST /api/v1/library/rename`: `{path, name}`. The file's name is what a prompt calls, and the
/// name within the file goes with it.
pub(crate) async fn rename(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    blocking(move || {
        let from = own_file(&app, &text(&values, "path")?)?;
        let name = text(&values, "name")?;
        if let Some(fault) = name_fault(&name) {
            return Err(
                Refusal::unfit(format!("{name:?} cannot be a file's name: {fault}")).field("name")
            );
        }
        let ending = from.extension().unwrap_or_default().to_string_lossy().into_owned();
        let to = from.with_file_name(format!("{name}.{ending}"));
        if to.exists() {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                format!("there is a file {name}.{ending} already"),
            )
            .field("name"));
        }
        let request = json!({
            "command": "convert", "input": from, "output": to, "token": name,
        });
        let request =
            wayword_session::Request::from_json(request.as_object().cloned().unwrap_or_default())?;
        app.session.submit(request).wait()?;
        std::fs::remove_file(&from).map_err(|e| failed("remove", &from, e))?;
        app.session.rescan();
        Ok(json!({ "path": to, "name": name }))
    })
    .await
}

/// `POST /api/v1/library/delete`: `{path}`. Gives what undoes it.
pub(crate) async fn delete(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    blocking(move || {
        let from = own_file(&app, &text(&values, "path")?)?;
        let id = now_ms().to_string();
        let folder = trash(&app).join(&id);
        std::fs::create_dir_all(&folder).map_err(|e| failed("make", &folder, e))?;
        let file = from.file_name().unwrap_or_default();
        std::fs::write(folder.join("from"), from.to_string_lossy().as_bytes())
            .and_then(|()| std::fs::rename(&from, folder.join(file)))
            .map_err(|e| failed("move", &from, e))?;
        app.session.rescan();
        Ok(json!({ "undo": id, "name": file.to_string_lossy() }))
    })
    .await
}

/// `POST /api/v1/library/restore`: `{undo}`.
pub(crate) async fn restore(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    blocking(move || {
        let id = text(&values, "undo")?;
        let missing = || Refusal::missing(format!("nothing was deleted as {id}"));
        if !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(missing());
        }
        let folder = trash(&app).join(&id);
        let from = std::fs::read_to_string(folder.join("from")).map_err(|_| missing())?;
        let to = app.opened.write(&from)?;
        if to.exists() {
            let text = format!("there is a file {} again", to.display());
            return Err(Refusal::new(StatusCode::CONFLICT, text));
        }
        let file = folder.join(to.file_name().unwrap_or_default());
        std::fs::rename(&file, &to).map_err(|e| failed("move", &file, e))?;
        let _ = std::fs::remove_dir_all(&folder);
        app.session.rescan();
        Ok(json!({ "path": to }))
    })
    .await
}

/// Where deleted files lie; requests reach it only by the numbers that deleting gave.
fn trash(app: &App) -> PathBuf {
    app.opened.out.join(".wayword/trash")
}
