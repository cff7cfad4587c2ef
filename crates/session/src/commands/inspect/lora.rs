//! What is in a file of the LoRA family: which modules it changes and how, what is not understood.
use crate::Facts;
use crate::Failure;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::Component;
use wayword_formats::lora::{self, AdapterKind};

/// Unknown keys that people are shown.
const SHOWN: usize = 5;

/// Tells about a LoRA.
///
/// # Errors
/// If it cannot be read, or nothing in it is understood.
pub(super) fn tell(file: &Path, facts: &mut Facts) -> Result<(), Failure> {
    // Its hint names this command.
    let lora = lora::read(file)?;
    facts.maybe("name_inside", lora.alias());
    let mut families: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranks: BTreeMap<usize, usize> = BTreeMap::new();
    for adapter in &lora.adapters {
        let mut name = family(&adapter.kind);
        if adapter.dora_scale.is_some() {
            name = "DoRA";
        }
        *families.entry(name).or_default() += 1;
        if let AdapterKind::Lora { down, .. } = &adapter.kind {
            *ranks.entry(down.shape().first().copied().unwrap_or(0)).or_default() += 1;
        }
    }
    let list: Vec<String> = families.iter().map(|(name, n)| format!("{n} {name}")).collect();
    facts.add("families", json!(families), list.join(", "));
    for (key, component) in [("unet", Component::Unet), ("text_encoder", Component::Text)] {
        let modules = lora.adapters.iter().filter(|a| a.target.component == component).count();
        facts.add(key, modules, format!("{modules} modules"));
    }
    if !ranks.is_empty() {
        let list: Vec<String> = ranks.keys().map(ToString::to_string).collect();
        let keys: Vec<usize> = ranks.keys().copied().collect();
        facts.add("ranks", json!(keys), list.join(", "));
    }
    facts.maybe("reads_texts_of_width", lora.cross_width());
    if !lora.embeddings.is_empty() {
        let words: Vec<&str> = lora.embeddings.iter().map(|(name, _)| name.as_str()).collect();
        facts.add("brings_words", json!(words), words.join(", "));
    }
    if !lora.unknown.is_empty() {
        let describe = |u: &lora::UnknownKey| format!("{}: {}", u.key, u.reason);
        let unused: Vec<String> = lora.unknown.iter().map(describe).collect();
        let mut shown: Vec<String> = unused.iter().take(SHOWN).cloned().collect();
        if unused.len() > SHOWN {
            shown.push(format!("and {} more", unused.len() - SHOWN));
        }
        facts.add("not_used", json!(unused), shown.join("\n"));
    }
    super::metadata(&lora.metadata, facts);
    Ok(())
}

fn family(kind: &AdapterKind) -> &'static str {
    match kind {
        AdapterKind::Lora { down, .. } if down.shape().len() > 2 && down.shape()[2..] != [1, 1] => {
            "LoCon"
        }
        AdapterKind::Lora { .. } => "LoRA",
        AdapterKind::Loha { .. } => "LoHa",
        AdapterKind::Lokr { .. } => "LoKr",
        AdapterKind::Ia3 { .. } => "(IA)^3",
        AdapterKind::Full { .. } => "full difference",
        AdapterKind::Norm { .. } => "norm",
        AdapterKind::Glora { .. } => "GLoRA",
        AdapterKind::Oft { .. } => "OFT",
    }
}
