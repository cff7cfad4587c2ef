//! Alphas that stand in a file's header instead of in tensors, as PEFT keeps them.
//!
//! Diffusers writes the header `lora_adapter_metadata`, JSON such as `{"unet.lora_alpha": 8,
//! "unet.alpha_pattern": {"to_out.0": 16}, "unet.use_rslora": false}`. Others put the same keys
//! straight into the header, with or without the component in front, and their values are texts.

use super::target::Target;
use regex_lite::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the header says about alphas.
#[derive(Debug, Default)]
pub(super) struct Alphas {
    parts: BTreeMap<&'static str, Part>,
}

/// What it says about one component.
#[derive(Debug, Default)]
struct Part {
    alpha: Option<f32>,
    /// Rank-stabilized scaling: the product is divided by the root of the rank.
    is_rank_stabilized: bool,
    /// For modules of their own, the first match counts.
    patterns: Vec<(Regex, f32)>,
}

impl Alphas {
    /// Reads a header's metadata; whatever is not of PEFT's form is no alpha.
    pub(super) fn from_metadata(metadata: &BTreeMap<String, String>) -> Self {
        let packed = metadata.get("lora_adapter_metadata").map(String::as_str).unwrap_or("{}");
        let packed: Value = serde_json::from_str(packed).unwrap_or_default();
        // In JSON with dots in the keys or nested, or in the header itself as text.
        let get = |part: &str, key: &str| {
            let dotted = format!("{part}.{key}");
            let text = || metadata.get(&dotted).or_else(|| metadata.get(key));
            let nested = || packed.get(part).and_then(|p| p.get(key));
            let found = packed.get(&dotted).or_else(nested).or_else(|| packed.get(key)).cloned();
            found.or_else(|| text().map(|t| from_text(t)))
        };
        let part = |part: &'static str| {
            let alpha = get(part, "lora_alpha").or_else(|| get(part, "alpha"));
            let patterns = get(part, "alpha_pattern").unwrap_or_default();
            let pattern = |(key, value): (&String, &Value)| {
                // PEFT's own rule: a pattern matches whole names at the end of a module's name.
                let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$")).ok()?;
                Some((regex, number(value)?))
            };
            let part_of = Part {
                alpha: alpha.as_ref().and_then(number),
                is_rank_stabilized: get(part, "use_rslora").is_some_and(|v| v == true),
                patterns: patterns.as_object().into_iter().flatten().filter_map(pattern).collect(),
            };
            (part, part_of)
        };
        Self { parts: ["unet", "text_encoder"].into_iter().map(part).collect() }
    }

    /// The alpha of a module whose rank is `rank`. With rank-stabilized scaling the product is
    /// divided by the root of the rank, which is alpha times that root over the rank.
    pub(super) fn of(&self, target: &Target, rank: usize) -> Option<f32> {
        let part = self.parts.get(target.component.folder())?;
        let matches = |pattern: &Regex| {
            pattern.is_match(&target.module) || pattern.is_match(&target.diffusers())
        };
        let own = part.patterns.iter().find(|(p, _)| matches(p)).map(|(_, alpha)| *alpha);
        let alpha = own.or(part.alpha)?;
        Some(if part.is_rank_stabilized { alpha * (rank as f32).sqrt() } else { alpha })
    }
}

/// A value that a header holds as text: JSON, or Python's spelling of a truth value.
fn from_text(text: &str) -> Value {
    match text.trim() {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        other => serde_json::from_str(other).unwrap_or_default(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a small number")]
fn number(value: &Value) -> Option<f32> {
    value.as_f64().filter(|v| v.is_finite()).map(|v| v as f32)
}

#[cfg(test)]
mod tests {
    use super::{Alphas, Target};
    use std::collections::BTreeMap;

    const OUT: &str = "unet.up_blocks.3.attentions.1.transformer_blocks.0.attn2.to_out.0";
    const VALUE: &str = "unet.up_blocks.3.attentions.1.transformer_blocks.0.attn1.to_v";

    fn of(metadata: &[(&str, &str)], module: &str) -> Option<f32> {
        let metadata: BTreeMap<String, String> =
            metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Alphas::from_metadata(&metadata).of(&Target::find(module).unwrap(), 4)
    }

    #[test]
    fn patterns_match_the_end_of_a_name() {
        let json = r#"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_out.0": 16, "attn1": 3,
            "^up_blocks.3.attentions.1.transformer_blocks.0.attn1.to_v": 2, "o_v": 5}}"#;
        let all = [("lora_adapter_metadata", json)];
        assert_eq!(of(&all, OUT), Some(16.0));
        assert_eq!(of(&all, VALUE), Some(2.0));
        assert_eq!(of(&all, &VALUE.replace("attn1", "attn2")), Some(8.0), "not part of a name");
        assert_eq!(of(&all, "text_encoder.text_model.encoder.layers.0.mlp.fc1"), None);
    }

    #[test]
    fn headers_without_json_around_them() {
        assert_eq!(of(&[("unet.lora_alpha", "6"), ("lora_alpha", "2")], OUT), Some(6.0));
        assert_eq!(of(&[("lora_alpha", "2"), ("use_rslora", "True")], OUT), Some(4.0));
        assert_eq!(
            of(&[("lora_alpha", "2"), ("alpha_pattern", r#"{"to_v":1}"#)], VALUE),
            Some(1.0)
        );
        assert_eq!(of(&[("lora_alpha", "many"), ("alpha_pattern", "no")], VALUE), None);
        let nested = r#"{"unet": {"lora_alpha": 7}}"#;
        assert_eq!(of(&[("lora_adapter_metadata", nested)], OUT), Some(7.0));
    }
}
