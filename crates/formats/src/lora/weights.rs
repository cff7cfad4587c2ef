//! Which weight of an adapter a key holds.

use crate::array::{Array, Dtype};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Endings that mean the same weight, the first of each line being its name here. PEFT puts the
/// adapter's name in too (`lora_A.default.weight`), which [`without_adapter_name`] takes out.
const SAME: [&[&str]; 6] = [
    &[
        "lora_down.weight",
        "lora_A.weight",
        "lora_A",
        "lora.down.weight",
        "lora_linear_layer.down.weight",
    ],
    &["lora_up.weight", "lora_B.weight", "lora_B", "lora.up.weight", "lora_linear_layer.up.weight"],
    &["lora_up.bias", "lora_B.bias", "lora.up.bias"],
    &["lora_mid.weight", "lora_mid"],
    &["dora_scale", "lora_magnitude_vector", "lora_magnitude_vector.weight", "magnitude_vector"],
    &["on_input", "ia3_on_input"],
];

/// Endings with one spelling.
const ONCE: [&str; 28] = [
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
];

/// Weights of methods that are not read, by a part of their keys, and what the method is.
const UNREAD: [(&str, &str); 15] = [
    (".base_layer.", "it is a copy of the model's own weight, which is not needed"),
    (".oft_R", "it is OFT in the newer form of PEFT or OneTrainer, which is not supported"),
    (".oft_r", "it is OFT in PEFT's older form, which is not supported"),
    (".boft_R", "it is BOFT in PEFT's form, which is not supported"),
    (".boft_s", "it is BOFT in PEFT's form, which is not supported"),
    (".ia3_l", "it is (IA)^3 in PEFT's form, which is not supported"),
    (".vera_", "VeRA is not supported"),
    (".randlora_", "RandLoRA is not supported"),
    (".fourierft_", "FourierFT is not supported"),
    (".lora_embedding_", "a LoRA of the token table is not supported"),
    (".set_weight", "a replaced weight (ComfyUI's `set_weight`) is not supported"),
    (".reshape_weight", "a weight of another size (ComfyUI's `reshape_weight`) is not supported"),
    (".bias_indices", "a sparse bias is not supported"),
    (".bias_values", "a sparse bias is not supported"),
    (".bias_size", "a sparse bias is not supported"),
];

/// Why a key's weight is not used, where its method is known but not read.
pub(super) fn unread(key: &str) -> Option<&'static str> {
    UNREAD.iter().find(|(part, _)| key.contains(part)).map(|(_, reason)| *reason)
}

/// A key as the module's name in the file and the weight's name here.
pub(super) fn split(key: &str) -> Option<(String, &'static str)> {
    // Diffusers' old attention processors: `….attn1.processor.to_q_lora.down.weight`, also without
    // the processor.
    if let Some((module, end)) = key.split_once("_lora.") {
        let weight = match end {
            "down.weight" => SAME[0][0],
            "up.weight" => SAME[1][0],
            _ => return None,
        };
        let Some((parent, layer)) = module.rsplit_once('.') else {
            return Some((module.to_owned(), weight));
        };
        let parent = parent.strip_suffix(".processor").unwrap_or(parent);
        // The text encoder's layers have other names, under which diffusers' first files miss them.
        let layer = match (parent.ends_with(".self_attn"), layer) {
            (true, "to_q") => "q_proj",
            (true, "to_k") => "k_proj",
            (true, "to_v") => "v_proj",
            (true, "to_out") => "out_proj",
            (false, "to_out") => "to_out.0",
            (_, other) => other,
        };
        return Some((format!("{parent}.{layer}"), weight));
    }
    let key = without_adapter_name(key);
    let same = SAME.iter().flat_map(|all| all.iter().map(|e| (*e, all[0])));
    let once = ONCE.iter().map(|e| (*e, *e));
    // `lora_down.weight` also ends in `weight`: the longest ending is meant.
    let (ending, weight) =
        same.chain(once).filter(|(e, _)| ends(&key, e)).max_by_key(|(e, _)| e.len())?;
    Some((key[..key.len() - ending.len() - 1].to_owned(), weight))
}

/// The key without the name that PEFT gives an adapter: `lora_A.default.weight`,
/// `lora_magnitude_vector.default`.
fn without_adapter_name(key: &str) -> Cow<'_, str> {
    for part in [".lora_A.", ".lora_B.", ".lora_magnitude_vector."] {
        let Some((module, rest)) = key.split_once(part) else { continue };
        let end = match rest.split_once('.') {
            Some((_, end @ ("weight" | "bias"))) => Some(end),
            None if !matches!(rest, "weight" | "bias") => None,
            _ => continue,
        };
        let part = part.trim_end_matches('.');
        return match end {
            Some(end) => format!("{module}{part}.{end}").into(),
            None => format!("{module}{part}").into(),
        };
    }
    key.into()
}

fn ends(key: &str, ending: &str) -> bool {
    key.strip_suffix(ending).is_some_and(|m| m.len() > 1 && m.ends_with('.'))
}

/// The weights of one module, each with its key in the file.
#[derive(Debug, Default)]
pub(super) struct Module(BTreeMap<&'static str, (String, Array)>);

impl Module {
    /// Adds a weight; gives the key back where the weight already exists.
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
