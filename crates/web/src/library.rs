//! What lies in the opened folders: embeddings, LoRAs, checkpoints, wildcards, with their previews.
use crate::answer::{Answer, Refusal};
use crate::api::blocking;
use crate::files::{file, images, images_kind};
use crate::state::App;
use axum::extract::{Path as Part, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_formats::endings::{self, PICTURES};
use wayword_formats::{SafeTensors, embedding};
use wayword_session::Listed;

/// Keys of a file's metadata that hold what its maker wrote about it.
const NOTES: [&str; 3] = ["ss_training_comment", "modelspec.description", "modelspec.usage_hint"];

/// `GET /api/v1/library`.
pub(crate) async fn show(State(app): State<Arc<App>>) -> Answer {
    blocking(move || Ok(told(&app))).await
}

/// `POST /api/v1/library/rescan`.
pub(crate) async fn rescan(State(app): State<Arc<App>>) -> Answer {
    app.session.rescan();
    blocking(move || Ok(told(&app))).await
}

fn told(app: &App) -> Value {
    let library = app.library();
    let embeddings = library.embeddings.iter().map(|one| {
        let mut told = of_file("embeddings", one);
        told["own"] = app.opened.write(&one.path.to_string_lossy()).is_ok().into();
        if let Ok(found) = embedding::read(&one.path) {
            let norms = found.norms();
            let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
            told["vectors"] = found.count.into();
            told["width"] = found.width.into();
            told["norm"] = mean.into();
            told["base"] = found.metadata.get("ss_sd_model_name").cloned().into();
            told["notes"] = notes(&found.metadata).into();
        }
        told
    });
    let loras = library.loras.iter().map(|one| {
        let mut told = of_file("loras", one);
        let metadata = SafeTensors::metadata_of(&one.path);
        told["base"] = metadata.get("ss_sd_model_name").cloned().into();
        told["notes"] = notes(&metadata).into();
        told
    });
    let checkpoints = app.checkpoints();
    let checkpoints = checkpoints.iter().map(|one| of_file("checkpoints", one));
    json!({
        "checkpoints": checkpoints.collect::<Vec<_>>(),
        "embeddings": embeddings.collect::<Vec<_>>(), "loras": loras.collect::<Vec<_>>(),
        "wildcards": library.wildcards, "vaes": library.vaes, "left_out": library.left_out,
    })
}

fn of_file(kind: &str, one: &Listed) -> Value {
    let address =
        picture(&one.path).map(|_| format!("/api/v1/library/preview/{kind}/{}", one.name));
    json!({ "name": one.name, "path": one.path, "preview": address })
}

/// What the maker of a file wrote about it.
fn notes(metadata: &BTreeMap<String, String>) -> Option<String> {
    let known = NOTES.iter().filter_map(|key| metadata.get(*key));
    known
        .map(|text| text.trim())
        .find(|text| !text.is_empty() && *text != "None")
        .map(str::to_owned)
}

/// The picture of a file: itself, one beside it as A1111 has them, or the last preview of its run.
fn picture(path: &Path) -> Option<PathBuf> {
    if endings::has(path, PICTURES) {
        return Some(path.to_path_buf());
    }
    let beside = ["preview.png", "png", "preview.jpg", "jpg", "jpeg", "webp"];
    let found = beside.iter().map(|ending| path.with_extension(ending)).find(|path| path.is_file());
    found.or_else(|| images(&path.with_extension("run").join("samples")).pop())
}

/// `GET /api/v1/library/preview/KIND/NAME`.
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    Part((kind, name)): Part<(String, String)>,
) -> Answer {
    let missing = || Refusal::missing(format!("there is no preview of {name} in {kind}"));
    let library = app.library();
    let all = match kind.as_str() {
        "embeddings" => library.embeddings.clone(),
        "loras" => library.loras.clone(),
        "checkpoints" => app.checkpoints(),
        _ => return Err(missing()),
    };
    let found = all.into_iter().find(|one| one.name == name);
    let path = found.and_then(|one| picture(&one.path)).ok_or_else(missing)?;
    let kind = images_kind(&path).ok_or_else(missing)?;
    file(&path, kind).await
}
