//! The states of prompts over the steps of a run.
use crate::conditioning::{ChunkOptions, Found, chunk, encode as encode_together};
use crate::plan::DrawPlan;
use crate::{Base, Embeddings, Result};
use wayword_prompt::PromptPlan;
use wayword_prompt::schedule::entry_at_call;

/// An encoded prompt.
#[derive(Debug, Clone)]
pub struct Conditioning {
    /// Its parts; one, unless `AND` divides it.
    pub parts: Vec<PartStates>,
    /// The learned words in it, by their place among the embeddings, in the order of use.
    pub words: Vec<usize>,
}

/// An encoded part of a prompt.
#[derive(Debug, Clone)]
pub struct PartStates {
    /// Its weight in the guidance.
    pub weight: f64,
    /// The last step that states hold for, and the states, `[tokens, width]`.
    pub entries: Vec<(i64, Vec<f32>)>,
}

impl Conditioning {
    /// Weight and states of each part at a call of the model, counted from 0.
    pub(super) fn at_call(&self, call: i64) -> impl Iterator<Item = (f64, &[f32])> {
        self.parts.iter().map(move |part| {
            let entry = entry_at_call(part.entries.iter().map(|(until, _)| *until), call);
            (part.weight, part.entries[entry].1.as_slice())
        })
    }
}

/// Encodes a prompt: each part's texts over the steps together, since they share the mean that
/// emphasis restores.
pub(super) fn encode(
    base: &Base,
    plan: &DrawPlan,
    words: &Embeddings,
    prompt: &PromptPlan,
) -> Result<Conditioning> {
    let settings = plan.settings();
    let options =
        ChunkOptions { comma_backtrack: settings.comma_backtrack, quirks: settings.quirks };
    let find = |ids: &[u32]| {
        let word = words.find(ids)?;
        let loaded = words.word(word);
        Some(Found { word, ids: loaded.ids.len(), rows: loaded.rows })
    };
    let mut all = Conditioning { parts: Vec::new(), words: Vec::new() };
    for part in &prompt.parts {
        let windows =
            part.entries.iter().map(|e| chunk(&e.items, &base.tokenizer, find, options).chunks);
        let encoded = encode_together(
            &base.text,
            base.device(),
            windows.collect(),
            |word| &words.word(word).vectors,
            settings.clip_skip,
            settings.emphasis,
        )?;
        let new: Vec<usize> =
            encoded.words.into_iter().filter(|word| !all.words.contains(word)).collect();
        all.words.extend(new);
        let entries = part.entries.iter().map(|e| e.until).zip(encoded.states).collect();
        all.parts.push(PartStates { weight: part.weight, entries });
    }
    Ok(all)
}
