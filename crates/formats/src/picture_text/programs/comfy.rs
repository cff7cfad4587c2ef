//! ComfyUI's graph of nodes: settings where one sampler draws from an empty latent.

use super::super::Note;
use super::{Outcome, text};
use crate::infotext::Infotext;
use serde_json::{Map, Value};

type Graph = Map<String, Value>;

/// What ComfyUI's notes say: the chunk `prompt` of a PNG, or EXIF's `Make` and `Model` of a WebP,
/// which begin with `prompt:`. The `workflow` alone is only what its page shows.
pub(super) fn find(notes: &[Note]) -> Option<Outcome> {
    let mut is_workflow = false;
    for note in notes {
        let (place, body) = match note.text.split_once(':') {
            Some((head, body)) if ["Make", "Model", "ImageDescription"].contains(&&*note.place) => {
                (head.trim().to_lowercase(), body)
            }
            _ => (note.place.to_lowercase(), note.text.as_str()),
        };
        let Ok(Value::Object(graph)) = serde_json::from_str(body) else { continue };
        match place.as_str() {
            "prompt" if graph.values().all(|n| n.get("class_type").is_some()) => {
                return Some(settings(&graph));
            }
            "workflow" => is_workflow = graph.contains_key("nodes"),
            _ => {}
        }
    }
    let only = "only its workflow was saved, without the values that were used";
    is_workflow.then(|| Err(only.to_owned()))
}

fn class(node: &Value) -> &str {
    node.get("class_type").and_then(Value::as_str).unwrap_or_default()
}

/// The node that an input is linked to.
fn linked<'g>(graph: &'g Graph, node: &Value, input: &str) -> Option<&'g Value> {
    let link = node.get("inputs")?.get(input)?.as_array()?;
    graph.get(link.first()?.as_str()?)
}

fn settings(graph: &Graph) -> Outcome {
    let is_sampler = |n: &&Value| matches!(class(n), "KSampler" | "KSamplerAdvanced");
    let samplers: Vec<&Value> = graph.values().filter(is_sampler).collect();
    let [sampler] = samplers.as_slice() else {
        return Err(format!(
            "its graph has {} plain samplers, and only graphs with one can be read",
            samplers.len()
        ));
    };
    let prompt = |input: &str| -> Result<String, String> {
        let node = linked(graph, sampler, input).ok_or("its sampler has no prompt")?;
        words(graph, node, 0)
            .ok_or_else(|| format!("its {input} prompt comes from a `{}` node", class(node)))
    };
    let mut out = Infotext {
        prompt: plain_words(&prompt("positive")?),
        negative: plain_words(&prompt("negative")?),
        pairs: Vec::new(),
    };
    let value = |names: &[&str]| names.iter().find_map(|n| input(graph, sampler, n)).and_then(text);
    for (key, names) in [
        ("Steps", &["steps"][..]),
        ("Sampler", &["sampler_name"]),
        ("Schedule type", &["scheduler"]),
        ("CFG scale", &["cfg"]),
        ("Seed", &["seed", "noise_seed"]),
    ] {
        out.set(key, value(names).ok_or_else(|| format!("its sampler has no `{}`", names[0]))?);
    }
    let latent = linked(graph, sampler, "latent_image").ok_or("its sampler has no latent")?;
    if class(latent) != "EmptyLatentImage" {
        return Err(format!("it draws from a `{}` node, not from an empty latent", class(latent)));
    }
    let side = |name: &str| input(graph, latent, name).and_then(text);
    if let Some((w, h)) = side("width").zip(side("height")) {
        out.set("Size", format!("{w}x{h}"));
    }
    let mut remarks =
        vec!["ComfyUI weights words differently, so `(word:1.2)` has another effect".to_owned()];
    models(graph, sampler, &mut out, &mut remarks);
    let skip = graph.values().find(|n| class(n) == "CLIPSetLastLayer");
    let skip = skip.and_then(|n| input(graph, n, "stop_at_clip_layer")).and_then(Value::as_i64);
    if let Some(skip) = skip.filter(|n| *n < -1) {
        out.set("Clip skip", (-skip).to_string());
    }
    out.set("RNG", "CPU");
    Ok((out.to_string(), remarks))
}

/// An input's value: its own, or that of a node which only holds it.
fn input<'g>(graph: &'g Graph, node: &'g Value, name: &str) -> Option<&'g Value> {
    let own = node.get("inputs")?.get(name)?;
    if !own.is_array() {
        return Some(own);
    }
    let inputs = linked(graph, node, name)?.get("inputs")?;
    ["value", "seed", "int", "number", name].iter().find_map(|n| inputs.get(*n))
}

/// The text behind a conditioning.
fn words(graph: &Graph, node: &Value, depth: usize) -> Option<String> {
    if depth > 8 {
        return None;
    }
    let inputs = node.get("inputs")?;
    for name in ["text", "string", "value", "prompt", "STRING"] {
        match inputs.get(name) {
            Some(Value::String(text)) => return Some(text.clone()),
            Some(Value::Array(_)) => {
                return words(graph, linked(graph, node, name)?, depth + 1);
            }
            _ => {}
        }
    }
    None
}

/// ComfyUI calls embeddings `embedding:NAME`; A1111 by the name alone.
fn plain_words(text: &str) -> String {
    text.replace("embedding:", "")
}

/// The checkpoint and the LoRAs between it and the sampler.
fn models(graph: &Graph, sampler: &Value, out: &mut Infotext, remarks: &mut Vec<String>) {
    let stem = |v: &Value| {
        let name = text(v)?;
        let name = name.rsplit(['/', '\\']).next()?;
        Some(name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned())
    };
    let mut node = linked(graph, sampler, "model");
    for _ in 0..64 {
        let Some(here) = node else { return };
        match class(here) {
            "CheckpointLoaderSimple" => {
                if let Some(name) = input(graph, here, "ckpt_name").and_then(stem) {
                    out.set("Model", name);
                }
                return;
            }
            "LoraLoader" | "LoraLoaderModelOnly" => {
                let name = input(graph, here, "lora_name").and_then(stem);
                let weight = input(graph, here, "strength_model").and_then(text);
                if let Some((name, weight)) = name.zip(weight) {
                    out.prompt.push_str(&format!(" <lora:{name}:{weight}>"));
                }
            }
            other => remarks.push(format!("the node `{other}` is ignored")),
        }
        node = linked(graph, here, "model");
    }
}
