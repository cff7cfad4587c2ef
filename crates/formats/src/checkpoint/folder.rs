//! A diffusers folder: `unet/`, `vae/`, `text_encoder/`, each with `config.json` and its weights;
//! or one such component's folder alone.
use super::{Checkpoint, CheckpointPart, Layout, kind};
use crate::error::{At, Error, Fault};
use crate::names::Component;
use std::path::{Path, PathBuf};

/// Names that a component's weights may have, the best first.
const WEIGHTS: [&str; 10] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
    "diffusion_pytorch_model.fp16.bin",
    "pytorch_model.fp16.bin",
    "diffusion_pytorch_model.non_ema.safetensors",
    "diffusion_pytorch_model.non_ema.bin",
];

pub(super) fn open(path: &Path) -> Result<Checkpoint, Error> {
    if path.join("text_encoder_2").is_dir() {
        let hint = "only Stable Diffusion 1.x models are supported";
        return Err(Fault::kind("this is a Stable Diffusion XL model", hint)).at(path);
    }
    if path.join("transformer").is_dir() {
        let hint = "only Stable Diffusion 1.x models are supported";
        return Err(Fault::kind("this is a diffusion transformer, not a UNet", hint)).at(path);
    }
    let mut found = Checkpoint {
        path: path.to_owned(),
        layout: Some(Layout::Diffusers),
        ..Checkpoint::default()
    };
    let mut some = false;
    for component in Component::ALL {
        let dir = path.join(component.folder());
        if dir.is_dir() {
            some = true;
            read(&mut found, &dir, Some(component))?;
        }
    }
    if !some {
        // A component's own folder, such as `vae/`.
        read(&mut found, path, None)?;
    }
    let scheduler = path.join("scheduler").join("scheduler_config.json");
    if let Some(prediction) = json(&scheduler)?.as_ref().and_then(|v| v["prediction_type"].as_str())
    {
        found.metadata.insert("scheduler.prediction_type".into(), prediction.into());
    }
    found.refuse_relatives().at(path)?;
    Ok(found)
}

/// Reads one component; `component` is `None` where only the keys tell which it is.
fn read(found: &mut Checkpoint, dir: &Path, component: Option<Component>) -> Result<(), Error> {
    let file = weights(dir)?;
    let source = CheckpointPart::read(&file)?;
    kind::check(&source.tensors).at(&file)?;
    match component {
        Some(component) => {
            let keep = |key: &String| !key.ends_with("position_ids");
            let part = source.tensors.into_iter().filter(|(key, _)| keep(key));
            found.add(component, part.map(|(key, array)| (key.clone(), key, array)).collect());
        }
        None => found.sort(source.tensors),
    }
    let config = json(&dir.join("config.json"))?;
    let component = component.or_else(|| found.parts.keys().next().copied());
    if let (Some(component), Some(config)) = (component, config) {
        found.configs.insert(component, config);
    }
    found.left_out.extend(source.left_out);
    Ok(())
}

fn weights(dir: &Path) -> Result<PathBuf, Error> {
    if let Some(found) = WEIGHTS.iter().map(|name| dir.join(name)).find(|p| p.is_file()) {
        return Ok(found);
    }
    let entries = std::fs::read_dir(dir).at(dir)?.filter_map(Result::ok);
    let sharded = entries.map(|e| e.file_name()).any(|n| n.to_string_lossy().contains("-of-"));
    let (what, hint) = if sharded {
        ("sharded weights are not supported", "save the model as a single file")
    } else {
        (
            "no weights in this folder",
            "expected diffusion_pytorch_model.safetensors or model.safetensors",
        )
    };
    Err(Fault::kind(what, hint)).at(dir)
}

fn json(path: &Path) -> Result<Option<serde_json::Value>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let broken = |e| Fault::library("not JSON", e);
            serde_json::from_slice(&bytes).map(Some).map_err(broken).at(path)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).at(path),
    }
}
