//! What is in a checkpoint: its parts, their widths as the shapes say, what is not used.
use crate::Facts;
use crate::Failure;
use serde_json::json;
use std::path::Path;
use wayword_formats::checkpoint::{Entries, Naming};
use wayword_formats::{Checkpoint, Component};

/// Tells about a checkpoint or a part of one.
///
/// # Errors
/// If it cannot be read, or is of a family that is refused.
pub(super) fn tell(file: &Path, facts: &mut Facts) -> Result<(), Failure> {
    let checkpoint = Checkpoint::inspect(file)?;
    facts.maybe("layout", checkpoint.layout);
    facts.maybe(
        "names",
        checkpoint.naming.map(|n| match n {
            Naming::Ldm => "CompVis (LDM)",
            Naming::Diffusers => "diffusers",
        }),
    );
    facts.maybe("dtype", checkpoint.dtype().map(|d| format!("{d:?}").to_lowercase()));
    for component in [Component::Text, Component::Unet, Component::Vae] {
        let Some(part) = checkpoint.part(component) else { continue };
        let elements: usize = part.values().map(|e| e.array.elements()).sum();
        let shape = match component {
            Component::Text => text(part),
            Component::Unet => unet(part),
            Component::Vae => vae(part),
        };
        let key = component.folder();
        let about = json!({ "tensors": part.len(), "values": elements, "shape": shape });
        facts.add(
            key,
            about,
            format!("{} tensors, {} values: {shape}", part.len(), count(elements)),
        );
    }
    // Copies in single and half precision have one.
    let weights = checkpoint.weights_hash().map_err(|fault| Failure::from(fault.at(file)))?;
    facts.maybe("weights_hash", weights);
    if !checkpoint.left_out.is_empty() {
        facts.add("left_out", json!(checkpoint.left_out), checkpoint.left_out.join("\n"));
    }
    if !checkpoint.unknown.is_empty() {
        let mut shown: Vec<String> = checkpoint.unknown.iter().take(5).cloned().collect();
        if checkpoint.unknown.len() > 5 {
            shown.push(format!("and {} more", checkpoint.unknown.len() - 5));
        }
        facts.add("unknown", json!(checkpoint.unknown), shown.join("\n"));
    }
    super::metadata(&checkpoint.metadata, facts);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn count(elements: usize) -> String {
    match elements {
        0..1_000_000 => elements.to_string(),
        _ => format!("{:.1} million", elements as f64 / 1e6),
    }
}

fn dimension(part: &Entries, key: &str, axis: usize) -> Option<usize> {
    part.get(key).and_then(|e| e.array.shape().get(axis).copied())
}

fn known(number: Option<usize>) -> String {
    number.map_or("?".into(), |n| n.to_string())
}

/// How many blocks there are: `key(0)`, `key(1)`, ... until one is missing.
fn blocks(part: &Entries, key: impl Fn(usize) -> String) -> Vec<usize> {
    (0..).map_while(|i| dimension(part, &key(i), 0)).collect()
}

fn text(part: &Entries) -> String {
    const TABLE: &str = "text_model.embeddings.token_embedding.weight";
    let layers = blocks(part, |i| format!("text_model.encoder.layers.{i}.mlp.fc1.weight")).len();
    let (tokens, width) = (dimension(part, TABLE, 0), dimension(part, TABLE, 1));
    format!("{layers} layers, {} wide, {} tokens", known(width), known(tokens))
}

fn unet(part: &Entries) -> String {
    let widths = blocks(part, |i| format!("down_blocks.{i}.resnets.0.conv1.weight"));
    let context = part.iter().find(|(k, _)| k.ends_with("attn2.to_k.weight"));
    let context = context.and_then(|(_, e)| e.array.shape().get(1).copied());
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    format!("{} wide, text states {} wide", widths.join(", "), known(context))
}

fn vae(part: &Entries) -> String {
    let widths = blocks(part, |i| format!("encoder.down_blocks.{i}.resnets.0.conv1.weight"));
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    format!("{} wide", widths.join(", "))
}
