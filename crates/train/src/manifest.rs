//! The run manifest: what an embedding's file says about the run that made it, enough to repeat the run.
//!
//! It is the plan without what differs between two equal runs (date, program version) and without
//! the names of the user's folders: files are known by name and hash. The run's folder holds the
//! same with all paths, as `plan.json`.
use crate::embedding::Init;
use crate::plan::{PlannedFile, TrainPlan};
use crate::run_folder::steps::StepChoice;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use wayword_formats::hash;

/// The metadata key of the manifest.
pub const KEY: &str = "wayword.run";

/// Fields of a plan that are no part of a manifest: of this machine or this moment, or made of others.
const LEFT_OUT: &[&str] = &["version", "started", "out", "images", "latent_cache", "warnings"];

/// A plan's manifest, for a file with the vectors of the `chosen` steps.
#[must_use]
pub fn manifest(plan: &TrainPlan, chosen: Option<StepChoice>) -> Value {
    let mut bare = TrainPlan { chosen, ..plan.clone() };
    bare.base.path = PathBuf::from(&bare.base.name);
    bare.base.vae.as_mut().map(named);
    for picture in &mut bare.pictures {
        picture.path = PathBuf::from(&picture.name);
        picture.mask.as_mut().map(named);
        picture.latents.as_mut().map(named);
    }
    for embedding in &mut bare.embeddings {
        if let Init::File(path) = &mut embedding.init {
            *path = PathBuf::from(crate::plan::file_name(path));
        }
    }
    let mut manifest = serde_json::to_value(bare).unwrap_or_default();
    if let Some(fields) = manifest.as_object_mut() {
        fields.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
    }
    manifest
}

/// A file under its name alone.
fn named(file: &mut PlannedFile) {
    file.path = PathBuf::from(crate::plan::file_name(&file.path));
}

/// The plan of a manifest. Its files have names in the place of paths.
///
/// # Errors
/// If the manifest is not one of this program's.
pub fn plan(manifest: &Value) -> serde_json::Result<TrainPlan> {
    let mut fields: Map<String, Value> = serde_json::from_value(manifest.clone())?;
    for (key, value) in [
        ("version", json!("")),
        ("started", json!(0)),
        ("out", json!("")),
        ("images", json!([])),
        ("latent_cache", Value::Null),
        ("warnings", json!([])),
    ] {
        fields.insert(key.into(), value);
    }
    serde_json::from_value(Value::Object(fields))
}

/// What a file's header says about its run: the manifest, and the hashes by keys of their own.
#[must_use]
pub fn metadata(plan: &TrainPlan, chosen: Option<StepChoice>) -> BTreeMap<String, String> {
    let mut header = BTreeMap::from([
        (KEY.to_owned(), manifest(plan, chosen).to_string()),
        ("wayword.base".into(), plan.base.name.clone()),
        ("wayword.data_sha256".into(), data_sha256(plan)),
        ("wayword.seed".into(), plan.seed.to_string()),
    ]);
    if let Some(sha256) = &plan.base.sha256 {
        header.insert("wayword.base_sha256".into(), sha256.clone());
    }
    if let Some(known) = &plan.base.known {
        header.insert("wayword.base_known".into(), known.clone());
    }
    header
}

/// One hash for all pictures, masks, captions and kohya's latents of a plan, in their order.
#[must_use]
pub fn data_sha256(plan: &TrainPlan) -> String {
    let mut lines = String::new();
    for picture in &plan.pictures {
        let mask = picture.mask.as_ref().map_or("-", |mask| mask.sha256.as_str());
        let caption = hash::sha256_bytes(picture.caption.as_bytes());
        let latents = picture.latents.as_ref().map(|file| format!(" {}", file.sha256));
        let latents = latents.unwrap_or_default();
        lines.push_str(&format!("{} {mask} {caption}{latents}\n", picture.sha256));
    }
    hash::sha256_bytes(lines.as_bytes())
}
