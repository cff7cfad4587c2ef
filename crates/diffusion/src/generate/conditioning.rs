//! The hidden states of prompts over the steps of a sampling pass.
use crate::conditioning::{ChunkOptions, EmbeddingMatch, chunk, encode as encode_together};
use crate::plan::DrawPlan;
use crate::{AdapterGuard, Embeddings, Result};
use std::ops::Range;
use wayword_prompt::schedule::entry_at_call;
use wayword_prompt::{PromptPlan, Quirks};

/// The encoded prompts of a group of pictures.
#[derive(Debug)]
pub struct GroupConditioning {
    /// The pictures, by their place in the plan.
    pub pictures: Range<usize>,
    /// Each picture's prompt.
    pub positive: Vec<Conditioning>,
    /// Each picture's negative prompt.
    pub negative: Vec<Conditioning>,
}

impl GroupConditioning {
    /// Encodes the prompts of a group, with the group's adapters; equal prompts once.
    ///
    /// # Errors
    /// If a prompt cannot be encoded.
    pub fn encode(
        model: &AdapterGuard<'_>,
        plan: &DrawPlan,
        pictures: Range<usize>,
    ) -> Result<Self> {
        let words = plan.words(pictures.start);
        let prompts = |i| (plan.prompt(i), plan.negative(i));
        Self::of(model, plan, words, pictures, prompts)
    }

    /// The same for the pass at the larger size.
    pub(super) fn encode_hires(
        model: &AdapterGuard<'_>,
        plan: &DrawPlan,
        pictures: Range<usize>,
    ) -> Result<Self> {
        let words = plan.hires_words(pictures.start);
        let prompts = |i| (plan.hires_prompt(i), plan.hires_negative(i));
        Self::of(model, plan, words, pictures, prompts)
    }

    fn of<'a>(
        model: &AdapterGuard<'_>,
        plan: &DrawPlan,
        words: &Embeddings,
        pictures: Range<usize>,
        prompts: impl Fn(usize) -> (&'a PromptPlan, &'a PromptPlan),
    ) -> Result<Self> {
        let mut known: Vec<(&PromptPlan, Conditioning)> = Vec::new();
        let mut encoded = |prompt: &'a PromptPlan| -> Result<Conditioning> {
            if let Some((_, done)) = known.iter().find(|(p, _)| *p == prompt) {
                return Ok(done.clone());
            }
            let done = encode(model, plan, words, prompt)?;
            known.push((prompt, done.clone()));
            Ok(done)
        };
        let negative: Result<Vec<_>> = pictures.clone().map(|i| encoded(prompts(i).1)).collect();
        let positive: Result<Vec<_>> = pictures.clone().map(|i| encoded(prompts(i).0)).collect();
        Ok(Self { pictures, positive: positive?, negative: negative? })
    }
}

impl GroupConditioning {
    /// Whether the negative prompts count at a guidance: they cancel at 1 where each picture's prompt
    /// has one part of weight 1.
    #[must_use]
    pub fn needs_negative(&self, cfg: f64) -> bool {
        let whole =
            |prompt: &Conditioning| prompt.parts.len() == 1 && prompt.parts[0].weight == 1.0;
        cfg != 1.0 || !self.positive.iter().all(whole)
    }
}

/// An encoded prompt.
#[derive(Debug, Clone)]
pub struct Conditioning {
    /// Its parts; one, unless `AND` divides it.
    pub parts: Vec<PartConditioning>,
    /// The learned words in it, by their place among the embeddings, in the order of use.
    pub words: Vec<usize>,
}

/// An encoded part of a prompt.
#[derive(Debug, Clone)]
pub struct PartConditioning {
    /// Its weight in the guidance.
    pub weight: f64,
    /// The last step that hidden states hold for, and the hidden states, `[tokens, width]`.
    pub entries: Vec<(i64, Vec<f32>)>,
}

impl Conditioning {
    /// Weight and hidden states of each part at a call of the model, counted from 0.
    pub(super) fn at_call(&self, call: i64) -> impl Iterator<Item = (f64, &[f32])> {
        self.parts.iter().map(move |part| {
            let entry = entry_at_call(part.entries.iter().map(|(until, _)| *until), call);
            (part.weight, part.entries[entry].1.as_slice())
        })
    }
}

/// Encodes a prompt: each part's texts over the steps together, since they share the mean that
/// emphasis restores.
fn encode(
    model: &AdapterGuard<'_>,
    plan: &DrawPlan,
    words: &Embeddings,
    prompt: &PromptPlan,
) -> Result<Conditioning> {
    let (base, settings) = (model.base(), plan.settings());
    let options =
        ChunkOptions { comma_backtrack: settings.comma_backtrack, quirks: settings.quirks };
    let find = |ids: &[u32]| {
        let word = words.find(ids)?;
        let loaded = words.embedding(word);
        Some(EmbeddingMatch { word, ids: loaded.ids.len(), count: loaded.count })
    };
    let mut all = Conditioning { parts: Vec::new(), words: Vec::new() };
    for part in &prompt.parts {
        let windows = part.entries.iter().map(|e| {
            let items = match settings.quirks {
                Quirks::Sane => words.spelled(&e.items),
                // The web UI reads other programs' marks as text.
                Quirks::A1111 => e.items.clone(),
            };
            chunk(&items, &base.tokenizer, find, options).chunks
        });
        let encoded = encode_together(
            model.text(),
            base.device(),
            windows.collect(),
            |word| &words.embedding(word).vectors,
            settings.clip_skip,
            settings.emphasis,
        )?;
        let new: Vec<usize> =
            encoded.words.into_iter().filter(|word| !all.words.contains(word)).collect();
        all.words.extend(new);
        let entries = part.entries.iter().map(|e| e.until).zip(encoded.states).collect();
        all.parts.push(PartConditioning { weight: part.weight, entries });
    }
    Ok(all)
}
