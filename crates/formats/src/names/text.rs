//! CLIP's text encoder: transformers' names in both layouts; old LDM files lack `text_model.`.
use super::{Table, count};

/// How a key of this component may begin where it has no prefix.
pub(super) const BEGINNINGS: &[&str] =
    &["text_model.", "embeddings.", "encoder.layers.", "final_layer_norm."];

/// The parts of a layer.
const LAYER: [&str; 8] = [
    "layer_norm1",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
    "layer_norm2",
    "mlp.fc1",
    "mlp.fc2",
];

pub(super) fn table<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Table {
    let layers = count(keys.clone(), "text_model.encoder.layers.");
    let layers = layers.max(count(keys, "encoder.layers."));
    let mut modules: Vec<String> =
        ["embeddings.token_embedding", "embeddings.position_embedding", "final_layer_norm"]
            .map(str::to_owned)
            .into();
    for layer in 0..layers {
        modules.extend(LAYER.iter().map(|part| format!("encoder.layers.{layer}.{part}")));
    }
    let mut table = Table::default();
    for module in modules {
        let full = format!("text_model.{module}");
        table.pair(full.clone(), full.clone());
        table.alias(module, full);
    }
    table
}
