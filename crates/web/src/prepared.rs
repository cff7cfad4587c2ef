//! Photos that were prepared for a training: the crops as they are, changed by hand, and the photos.
use crate::answer::{Answer, JSON_BODY, Refusal, object};
use crate::api::blocking;
use crate::files::{file, images_kind};
use crate::state::App;
use axum::body::Body;
use axum::extract::{Path as Part, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use wayword_session::{Choice, PreparedSet};

/// `GET /api/v1/prepared/FOLDER`: `prepare.json` of a folder below that for output.
pub(crate) async fn show(State(app): State<Arc<App>>, Part(folder): Part<String>) -> Answer {
    let path = app.opened.write(&folder)?;
    blocking(move || Ok(told(&path, &opened(&path, &folder)?))).await
}

fn opened(path: &Path, folder: &str) -> Answer<PreparedSet> {
    if !path.join("prepare.json").is_file() {
        return Err(Refusal::missing(format!("no photos were prepared into {folder}")));
    }
    Ok(PreparedSet::open(path)?)
}

fn told(path: &Path, set: &PreparedSet) -> Value {
    json!({ "folder": path, "resolution": set.resolution, "pictures": set.pictures })
}

/// `PUT /api/v1/prepared/FOLDER`: what is done with photos, by their images' files:
/// `{"one.png": {"keep": true, "turn": 90, "crop": [0, 0, 512, 512]}}`.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Part(folder): Part<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let values = object(&headers, body, JSON_BODY).await?;
    let path = app.opened.write(&folder)?;
    blocking(move || {
        // Two tabs do not undo each other's changes.
        let _writing = app.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = opened(&path, &folder)?;
        for (file, value) in values {
            let choice: Choice = serde_json::from_value(value).map_err(|error| {
                Refusal::unfit(format!("{file}: {error}"))
                    .hint("send `keep`, `turn` and `crop` (left, top, width, height)")
            })?;
            set.choose(&file, choice)?;
        }
        set.save(&path)?;
        Ok(told(&path, &set))
    })
    .await
}

/// `GET /api/v1/photos/FOLDER/FILE`: the photo from which an image is made.
pub(crate) async fn photo(
    State(app): State<Arc<App>>,
    Part(image): Part<String>,
) -> Answer<Response> {
    let path = app.opened.write(&image)?;
    let missing = || Refusal::missing(format!("there is no photo of {image}"));
    let (folder, name) = path.parent().zip(path.file_name()).ok_or_else(missing)?;
    let set = opened(folder, &image)?;
    let found = set.pictures.iter().find(|picture| name == picture.file.as_str());
    // What the file says was not checked by anybody.
    let source = app.opened.read(&found.ok_or_else(missing)?.source.to_string_lossy())?;
    let kind = images_kind(&source).ok_or_else(missing)?;
    file(&source, kind).await
}
