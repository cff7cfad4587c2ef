//! What there is: checkpoints, embeddings, LoRAs, samplers, and what A1111 has beside them.
use super::{Reply, blocking};
use crate::answer::json_response;
use crate::state::App;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_formats::{SafeTensors, embedding, hash};
use wayword_session::{Outcome, lists as names, request};

/// A checkpoint's title: its file's name, and the beginning of its hash where that is known.
pub(super) fn title(app: &App, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match app.session.known_hash(path) {
        Some(sha256) => format!("{name} [{}]", hash::short_model(&sha256)),
        None => name.into_owned(),
    }
}

/// The checkpoint of a title, a file's name with or without its ending, a path, or a hash.
pub(super) fn checkpoint(app: &App, name: &str) -> Option<PathBuf> {
    let plain = name.split_once(" [").map_or(name, |(plain, _)| plain);
    app.checkpoints().into_iter().map(|one| one.path).find(|path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_hash = name.len() >= 8
            && app.session.known_hash(path).is_some_and(|sha256| sha256.starts_with(name));
        [file.as_ref(), stem.as_ref()].contains(&plain) || path == Path::new(name) || is_hash
    })
}

/// The VAE of a file's name.
pub(super) fn vae(app: &App, name: &str) -> Option<PathBuf> {
    let library = app.library();
    let mut paths = library.vaes.iter().map(|one| &one.path);
    paths.find(|path| path.file_name().is_some_and(|file| file == name)).cloned()
}

pub(super) async fn sd_models(State(app): State<Arc<App>>) -> Reply {
    blocking(move || {
        let all = app.checkpoints().into_iter().map(|one| {
            let sha256 = app.session.known_hash(&one.path);
            json!({
                "title": title(&app, &one.path), "model_name": one.name,
                "hash": sha256.as_deref().map(hash::short_model), "sha256": sha256,
                "filename": one.path, "config": null,
            })
        });
        Ok(all.collect())
    })
    .await
}

pub(super) async fn sd_vae(State(app): State<Arc<App>>) -> Reply {
    blocking(move || {
        let library = app.library();
        let all = library.vaes.iter().map(|one| {
            let name = one.path.file_name().unwrap_or_default().to_string_lossy();
            json!({ "model_name": name, "filename": one.path })
        });
        Ok(all.collect())
    })
    .await
}

pub(super) async fn embeddings(State(app): State<Arc<App>>) -> Reply {
    blocking(move || {
        let library = app.library();
        let (mut loaded, mut skipped) = (Map::new(), Map::new());
        for one in &library.embeddings {
            let Ok(found) = embedding::read(&one.path) else { continue };
            let told = json!({
                "step": found.step, "sd_checkpoint": found.sd_checkpoint,
                "sd_checkpoint_name": found.sd_checkpoint_name, "shape": found.width,
                "vectors": found.count,
            });
            // The widths of other families' text encoders.
            let list = if [1024, 1280].contains(&found.width) { &mut skipped } else { &mut loaded };
            list.insert(one.name.clone(), told);
        }
        Ok(json!({ "loaded": loaded, "skipped": skipped }))
    })
    .await
}

pub(super) async fn loras(State(app): State<Arc<App>>) -> Reply {
    blocking(move || {
        let library = app.library();
        let all = library.loras.iter().map(|one| {
            let metadata = SafeTensors::metadata_of(&one.path);
            let alias = metadata.get("ss_output_name").unwrap_or(&one.name);
            json!({ "name": one.name, "alias": alias, "path": one.path, "metadata": metadata })
        });
        Ok(all.collect())
    })
    .await
}

pub(super) async fn samplers() -> Response {
    let all = names::SAMPLERS.iter().map(|one| {
        let mut options = Map::new();
        if one.schedule != names::Schedule::Uniform {
            options.insert("scheduler".into(), one.schedule.label().to_lowercase().into());
        }
        let flags = [
            ("second_order", one.second_order),
            ("discard_next_to_last_sigma", one.discard_next_to_last),
            ("brownian_noise", one.brownian),
            ("uses_ensd", one.uses_ensd),
        ];
        for (name, _) in flags.iter().filter(|(_, is_set)| *is_set) {
            options.insert((*name).into(), "True".into());
        }
        json!({ "name": one.name, "aliases": one.aliases, "options": options })
    });
    json_response(&all.collect())
}

pub(super) async fn schedulers() -> Response {
    use names::Schedule as S;
    let all = names::NOISE_SCHEDULES.iter().map(|(schedule, label, name, aliases)| {
        let rho = match schedule {
            S::Karras => 7.0,
            S::Polyexponential => 1.0,
            _ => -1.0,
        };
        let inner = matches!(schedule, S::SgmUniform | S::Simple | S::Normal | S::Ddim | S::Beta);
        json!({
            "name": name, "label": label, "aliases": aliases, "default_rho": rho,
            "need_inner_model": inner,
        })
    });
    json_response(&all.collect())
}

pub(super) async fn upscalers() -> Response {
    let own = names::UPSCALERS.iter().filter(|(kind, _)| kind.on_pixels()).map(|(_, name)| *name);
    let all = std::iter::once("None").chain(own).map(|name| {
        json!({
            "name": name, "model_name": null, "model_path": null, "model_url": null, "scale": 4.0,
        })
    });
    json_response(&all.collect())
}

pub(super) async fn latent_upscale_modes() -> Response {
    let own = names::UPSCALERS.iter().filter(|(kind, _)| !kind.on_pixels());
    json_response(&own.map(|(_, name)| json!({ "name": name })).collect())
}

pub(super) async fn empty() -> Response {
    json_response(&json!([]))
}

pub(super) async fn scripts() -> Response {
    json_response(&json!({ "txt2img": [], "img2img": [] }))
}

pub(super) async fn ping() -> Response {
    json_response(&json!({}))
}

pub(super) async fn cmd_flags(State(app): State<Arc<App>>) -> Response {
    json_response(&json!({
        "api": true, "nowebui": false, "listen": app.token.is_some(), "api_auth": null,
        "data_dir": app.opened.out, "ckpt": app.base,
    }))
}

pub(super) async fn refresh(State(app): State<Arc<App>>) -> Response {
    app.session.rescan();
    json_response(&Value::Null)
}

pub(super) async fn unload(State(app): State<Arc<App>>) -> Response {
    app.session.unload();
    json_response(&json!({}))
}

/// The next drawing loads it; there is nothing to do before that.
pub(super) async fn reload() -> Response {
    json_response(&json!({}))
}

/// Memory of the machine; that of other devices is told by `/api/v1/devices`.
pub(super) async fn memory(State(app): State<Arc<App>>) -> Reply {
    blocking(move || {
        let outcome = app.session.submit(request::Devices::default()).wait()?;
        let first = match &*outcome {
            Outcome::Devices(list) => list.devices.first(),
            _ => None,
        };
        let (total, free) = first.map_or((None, None), |one| (one.memory, one.free));
        let used = total.zip(free).map(|(total, free)| total.saturating_sub(free));
        Ok(json!({
            "ram": { "free": free, "used": used, "total": total },
            "cuda": { "error": "unavailable" },
        }))
    })
    .await
}
