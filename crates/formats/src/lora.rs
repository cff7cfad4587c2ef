//! LoRA and its family: files of every key layout to typed adapters, without any mathematics.
//!
//! | family | tensors of a module |
//! |---|---|
//! | LoRA, LoCon | `lora_up`, `lora_down`, perhaps `lora_mid` |
//! | LoHa | `hada_w1_a/b`, `hada_w2_a/b`, perhaps `hada_t1/t2` |
//! | LoKr | `lokr_w1` or `_a/_b`, `lokr_w2` or `_a/_b`, perhaps `lokr_t2` |
//! | (IA)^3 | `weight`, `on_input` |
//! | full | `diff`, perhaps `diff_b` |
//! | norm | `w_norm`, perhaps `b_norm` |
//! | GLoRA | `a1`, `a2`, `b1`, `b2` |
//! | OFT, BOFT | `oft_blocks` or `oft_diag`, perhaps `rescale` |
//!
//! Each may bring `alpha`, `scale`, `bias` and `dora_scale`. A module's name may be kohya's, LDM's,
//! diffusers' or PEFT's, with or without attention processors; cloneofsimo's files only number the
//! modules (`numbered`). What is not understood is listed, never dropped silently.

mod alphas;
mod bundle;
mod kinds;
mod numbered;
mod scan;
mod target;
mod weights;

pub use kinds::{Adapter, AdapterKind, Factor, GloraLayout};
pub use scan::{File, Folder, file, folder};
pub use target::Target;

use crate::array::Array;
use crate::embedding::Embedding;
use crate::error::{At, Error, Fault};
use crate::pickle::Value;
use crate::{Container, SafeTensors, pickle};
use std::collections::BTreeMap;
use std::path::Path;

/// A key that was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key in the file.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// What a file of the LoRA family holds.
#[derive(Debug, Default)]
pub struct Lora {
    /// The adapters, sorted by target; no target comes twice.
    pub adapters: Vec<Adapter>,
    /// Embeddings that come with it, by name.
    pub embeddings: Vec<(String, Embedding)>,
    /// The keys that were not used, sorted.
    pub unknown: Vec<UnknownKey>,
    /// A safetensors header's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Lora {
    /// The name that the author gave it, by which A1111 also finds it.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        scan::alias(&self.metadata)
    }

    /// Width of the text states that its cross-attention layers expect: 768 for SD 1.x, 1024 for
    /// SD 2.x, 2048 for SDXL; `None` where it changes no such layer by a low-rank product.
    #[must_use]
    pub fn cross_width(&self) -> Option<usize> {
        let reads_text = |a: &&Adapter| {
            ["attn2.to_k", "attn2.to_v"].iter().any(|n| a.target.module.ends_with(n))
        };
        self.adapters.iter().filter(reads_text).find_map(|a| match &a.kind {
            AdapterKind::Lora { down, .. } => down.shape().get(1).copied(),
            AdapterKind::Loha { w1_b, .. } => w1_b.shape().get(1).copied(),
            _ => None,
        })
    }
}

/// Reads a file of the LoRA family, safetensors or torch's, by its content.
///
/// # Errors
/// Where it is broken (a truncated file says how many bytes are missing) or nothing in it is a
/// LoRA.
pub fn read(path: &Path) -> Result<Lora, Error> {
    if Container::of(path)? == Some(Container::SafeTensors) {
        from_safetensors(&SafeTensors::open(path)?).at(path)
    } else {
        from_value(&pickle::read(path)?).at(path)
    }
}

/// Reads an open safetensors file.
///
/// # Errors
/// As [`read`], without the path.
pub fn from_safetensors(file: &SafeTensors) -> Result<Lora, Fault> {
    let tensors = file.names().filter_map(|n| Some((n.to_owned(), file.get(n)?))).collect();
    from_tensors(tensors, file.metadata().clone())
}

/// Reads a torch file's contents: a dict of tensors, or cloneofsimo's list of them.
///
/// # Errors
/// As [`read`], without the path.
pub fn from_value(value: &Value) -> Result<Lora, Fault> {
    if let Value::List(items) = value {
        let tensors: Vec<Array> = items.iter().filter_map(|v| v.as_tensor().cloned()).collect();
        return from_tensors(numbered::named(&tensors)?, BTreeMap::new());
    }
    let entries = value.get("state_dict").unwrap_or(value).entries().unwrap_or_default();
    let tensor = |(k, v): &(Value, Value)| Some((k.as_text()?.to_owned(), v.as_tensor()?.clone()));
    from_tensors(entries.iter().filter_map(tensor).collect(), BTreeMap::new())
}

/// Sorts named tensors into adapters.
fn from_tensors(
    tensors: BTreeMap<String, Array>,
    metadata: BTreeMap<String, String>,
) -> Result<Lora, Fault> {
    let mut out = Lora { metadata, ..Lora::default() };
    let names = numbered::names(tensors.iter().map(|(k, a)| (k.as_str(), a.shape())))?;
    let mut modules: BTreeMap<Target, weights::Module> = BTreeMap::new();
    let mut bundles = bundle::Bundles::default();
    for (key, array) in tensors {
        let named = names.get(&key).unwrap_or(&key);
        if let Some((name, vectors)) = bundle::split(named) {
            bundles.insert(name, vectors, key, array);
            continue;
        }
        if let Some(reason) = weights::unread(named) {
            out.unknown(key, reason);
            continue;
        }
        let Some((module, weight)) = weights::split(named) else {
            out.unknown(key, "its suffix is not a known adapter weight");
            continue;
        };
        let target = match Target::find(&module) {
            Ok(target) => target,
            Err(reason) => {
                out.unknown(key, reason);
                continue;
            }
        };
        let slot = modules.entry(target).or_default();
        if let Err(twice) = slot.insert(weight, key, array) {
            out.unknown(twice, "another key has the same weight of the same module");
        }
    }
    let alphas = alphas::Alphas::from_metadata(&out.metadata);
    bundles.read(&mut out);
    for (target, module) in modules {
        kinds::build(target, module, &alphas, &mut out);
    }
    kinds::settle_glora(&mut out.adapters);
    out.note_unused_alpha();
    out.unknown.sort_by(|a, b| a.key.cmp(&b.key));
    if out.adapters.is_empty() && out.embeddings.is_empty() {
        let first = out
            .unknown
            .first()
            .map_or_else(|| "no tensors".to_owned(), |u| format!("`{}`: {}", u.key, u.reason));
        return Err(Fault::kind(
            format!("not a supported LoRA: {first}"),
            "run `wayword inspect` on the file to see what it is",
        ));
    }
    Ok(out)
}

impl Lora {
    /// Kohya's header may have an alpha that no tensor repeats, after a conversion that lost them.
    /// No program reads it there, so the LoRA is as strong here as elsewhere, and it is said.
    fn note_unused_alpha(&mut self) {
        let number = |key: &str| self.metadata.get(key)?.parse::<f32>().ok();
        let (Some(alpha), Some(rank)) = (number("ss_network_alpha"), number("ss_network_dim"))
        else {
            return;
        };
        let is_plain = |a: &Adapter| {
            matches!(a.kind, AdapterKind::Lora { .. }) && a.alpha.is_none() && a.scale.is_none()
        };
        if alpha != rank && !self.adapters.is_empty() && self.adapters.iter().all(is_plain) {
            let reason = format!(
                "the header says alpha {alpha} for rank {rank}, and no module has an alpha; other \
                 programs apply it at full strength, so this one does (weight {} would match the \
                 training)",
                alpha / rank
            );
            self.unknown("ss_network_alpha", reason);
        }
    }

    fn unknown(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.unknown.push(UnknownKey { key: key.into(), reason: reason.into() });
    }
}
