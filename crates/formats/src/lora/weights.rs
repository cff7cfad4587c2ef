//! Which weight of an adapter a key holds.

use crate::array::{Array, Dtype};
use std::collections::BTreeMap;

/// Endings that mean the same weight, the first of each line being its name here.
const SAME: [&[&str]; 3] = [
    &[
        "lora_down.weight",
        "lora_A.weight",
        "lora_A.default.weight",
        "lora.down.weight",
        "lora_linear_layer.down.weight",
    ],
    &[
        "lora_up.weight",
        "lora_B.weight",
        "lora_B.default.weight",
        "lora.up.weight",
        "lora_linear_layer.up.weight",
    ],
    &["dora_scale", "lora_magnitude_vector", "lora_magnitude_vector.weight"],
];

/// Endings with one spelling.
const ONCE: [&str; 31] = [
    "lora_mid.weight",
    "alpha",
    "scale",
    "bias",
    "hada_w1_a",
    "hada_w1_b",
    "hada_w2_a",
    "hada_w2_b",
    "hada_t1",
    "hada_t2",
    "lokr_w1",
    "lokr_w1_a",
    "lokr_w1_b",
    "lokr_w2",
    "lokr_w2_a",
    "lokr_w2_b",
    "lokr_t2",
    "weight",
    "on_input",
    "diff",
    "diff_b",
    "w_norm",
    "b_norm",
    "a1.weight",
    "a2.weight",
    "b1.weight",
    "b2.weight",
    "oft_blocks",
    "oft_diag",
    "rescale",
    "lora_mid",
];

/// A key as the module's name in the file and the weight's name here.
pub(super) fn split(key: &str) -> Option<(String, &'static str)> {
    // Attention processors: `….attn1.processor.to_q_lora.down.weight`.
    if let Some((module, rest)) = key.split_once(".processor.") {
        let (layer, end) = rest.split_once("_lora.")?;
        let weight = match end {
            "down.weight" => SAME[0][0],
            "up.weight" => SAME[1][0],
            _ => return None,
        };
        let layer = if layer == "to_out" { "to_out.0" } else { layer };
        return Some((format!("{module}.{layer}"), weight));
    }
    let same = SAME.iter().flat_map(|all| all.iter().map(|e| (*e, all[0])));
    let once = ONCE.iter().map(|e| (*e, *e));
    // `lora_down.weight` also ends in `weight`: the longest ending is meant.
    let (ending, weight) =
        same.chain(once).filter(|(e, _)| ends(key, e)).max_by_key(|(e, _)| e.len())?;
    let module = &key[..key.len() - ending.len() - 1];
    Some((module.to_owned(), if weight == "lora_mid" { "lora_mid.weight" } else { weight }))
}

fn ends(key: &str, ending: &str) -> bool {
    key.strip_suffix(ending).is_some_and(|m| m.len() > 1 && m.ends_with('.'))
}

/// The weights of one module, each with its key in the file.
#[derive(Debug, Default)]
pub(super) struct Module(BTreeMap<&'static str, (String, Array)>);

impl Module {
    /// Adds a weight; gives the key back where the weight is there already.
    pub(super) fn insert(
        &mut self,
        weight: &'static str,
        key: String,
        array: Array,
    ) -> Result<(), String> {
        if self.0.contains_key(weight) {
            return Err(key);
        }
        self.0.insert(weight, (key, array));
        Ok(())
    }

    pub(super) fn has(&self, weight: &str) -> bool {
        self.0.contains_key(weight)
    }

    pub(super) fn has_all(&self, weights: &[&str]) -> bool {
        weights.iter().all(|w| self.has(w))
    }

    /// Takes a weight out.
    pub(super) fn take(&mut self, weight: &str) -> Option<Array> {
        self.0.remove(weight).map(|(_, array)| array)
    }

    /// Takes out a weight of a single number.
    pub(super) fn number(&mut self, weight: &str) -> Option<f32> {
        let is_one = |(_, a): &(String, Array)| a.elements() == 1;
        self.0.get(weight).filter(|w| is_one(w))?;
        let array = self.take(weight)?;
        if let (Dtype::I64, Some(b)) = (array.dtype(), array.bytes().first_chunk()) {
            return Some(i64::from_le_bytes(*b) as f32);
        }
        array.to_f32().ok()?.first().copied()
    }

    /// What was not taken: keys and their weights' names.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, &'static str)> {
        self.0.into_iter().map(|(weight, (key, _))| (key, weight))
    }
}

/// Scales that PEFT keeps in the header instead of in tensors.
#[derive(Debug, Default)]
pub(super) struct Alphas(BTreeMap<String, (f32, bool)>);

impl Alphas {
    /// Reads `lora_adapter_metadata`, JSON such as `{"unet.lora_alpha": 8, "unet.r": 4}`.
    pub(super) fn from_metadata(metadata: &BTreeMap<String, String>) -> Self {
        let text = metadata.get("lora_adapter_metadata").map(String::as_str).unwrap_or("{}");
        let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let mut out = BTreeMap::new();
        for part in ["unet", "text_encoder"] {
            let get = |key: &str| json.get(format!("{part}.{key}"));
            if let Some(alpha) = get("lora_alpha").and_then(serde_json::Value::as_f64) {
                let root = get("use_rslora").and_then(serde_json::Value::as_bool) == Some(true);
                #[expect(clippy::cast_possible_truncation, reason = "a small number")]
                out.insert(part.to_owned(), (alpha as f32, root));
            }
        }
        Self(out)
    }

    /// The alpha of a module of `folder` whose rank is `rank`: with rank-stabilised scaling the
    /// product is divided by the root of the rank, which is alpha times that root over the rank.
    pub(super) fn of(&self, folder: &str, rank: usize) -> Option<f32> {
        let (alpha, root) = self.0.get(folder)?;
        Some(if *root { alpha * (rank as f32).sqrt() } else { *alpha })
    }
}
