//! Embeddings that come inside a LoRA's file.
//!
//! A1111 takes `bundle_emb.NAME.KEY`: what stands under one NAME is read as an embedding's file
//! would be, so KEY may be `emb_params`, `clip_l`, `string_to_param.*` or any other single key.
//! Cloneofsimo's files have `<NAME>` alone.

use super::Lora;
use crate::array::Array;
use crate::embedding;
use std::collections::BTreeMap;

/// The name and the key within it, where a key belongs to a bundled embedding.
pub(super) fn split(key: &str) -> Option<(String, String)> {
    if let Some(rest) = key.strip_prefix("bundle_emb.") {
        let (name, vectors) = rest.split_once('.').unwrap_or((rest, ""));
        let vectors = vectors.strip_prefix("string_to_param.").unwrap_or(vectors);
        return Some((name.to_owned(), vectors.to_owned()));
    }
    (key.starts_with('<') && key.ends_with('>')).then(|| (key.to_owned(), String::new()))
}

/// The tensors of all bundled embeddings, by name.
#[derive(Default)]
pub(super) struct Bundles(BTreeMap<String, Vec<(String, String, Array)>>);

impl Bundles {
    pub(super) fn insert(&mut self, name: String, vectors: String, key: String, array: Array) {
        self.0.entry(name).or_default().push((vectors, key, array));
    }

    /// Reads each; what is no embedding goes to the unknown keys with its reason.
    pub(super) fn read(self, out: &mut Lora) {
        for (name, mut tensors) in self.0 {
            if let [(_, key, array)] = tensors.as_slice() {
                match embedding::from_array(array, &name) {
                    Ok(found) => out.embeddings.push((name, found)),
                    Err(fault) => out.unknown(key.clone(), fault.to_string()),
                }
                continue;
            }
            let has = |wanted: &str| tensors.iter().any(|(vectors, ..)| vectors == wanted);
            let reason = if has("clip_g") {
                "it is an embedding for SDXL, which works with SDXL models only".to_owned()
            } else {
                format!("the embedding `{name}` has {} tensors, expected one", tensors.len())
            };
            for (_, key, _) in tensors.drain(..) {
                out.unknown(key, reason.clone());
            }
        }
    }
}
