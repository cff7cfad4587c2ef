//! The states of prompts over the steps of a run.
use crate::plan::DrawPlan;
use crate::tokenizer::{BOS, CHUNK, EOS};
use crate::{Base, Result};
use wayword_prompt::attention::is_break;
use wayword_prompt::plan::{EntryPlan, PartPlan};
use wayword_prompt::schedule::entry_at_call;
use wayword_prompt::{Emphasis, PromptPlan};
use wayword_tensor::{Shape, Tensor};

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

/// One window of the text encoder: ids, weights, and where learned words stand.
struct Chunk {
    ids: Vec<u32>,
    weights: Vec<f32>,
    fixes: Vec<(usize, usize)>,
}

fn chunks(plan: &DrawPlan, base: &Base, entry: &EntryPlan) -> Vec<Chunk> {
    let mut all = Vec::new();
    let new = || Chunk { ids: vec![BOS], weights: vec![1.0], fixes: vec![] };
    let mut now = new();
    let close = |now: &mut Chunk, all: &mut Vec<Chunk>| {
        let mut done = std::mem::replace(now, new());
        done.ids.resize(CHUNK + 2, EOS);
        done.weights.resize(CHUNK + 2, 1.0);
        all.push(done);
    };
    for item in &entry.items {
        if is_break(item) {
            close(&mut now, &mut all);
            continue;
        }
        let ids = base.tokenizer.encode(&item.0);
        let mut at = 0;
        while at < ids.len() {
            if now.ids.len() == CHUNK + 1 {
                close(&mut now, &mut all);
            }
            match plan.embeddings.find(&ids[at..]) {
                None => {
                    now.ids.push(ids[at]);
                    now.weights.push(item.1 as f32);
                    at += 1;
                }
                Some(place) => {
                    let word = plan.embeddings.word(place);
                    if now.ids.len() + word.rows > CHUNK + 1 {
                        close(&mut now, &mut all);
                    }
                    now.fixes.push((now.ids.len(), place));
                    for _ in 0..word.rows {
                        now.ids.push(0);
                        now.weights.push(item.1 as f32);
                    }
                    at += word.ids.len();
                }
            }
        }
    }
    if now.ids.len() > 1 || all.is_empty() {
        close(&mut now, &mut all);
    }
    all
}

pub(super) fn encode(base: &Base, plan: &DrawPlan, prompt: &PromptPlan) -> Result<Conditioning> {
    let mut words = Vec::new();
    let parts: Result<Vec<_>> =
        prompt.parts.iter().map(|p| part(base, plan, p, &mut words)).collect();
    Ok(Conditioning { parts: parts?, words })
}

fn part(
    base: &Base,
    plan: &DrawPlan,
    part: &PartPlan,
    words: &mut Vec<usize>,
) -> Result<PartStates> {
    let mut texts: Vec<Vec<Chunk>> = part.entries.iter().map(|e| chunks(plan, base, e)).collect();
    let most = texts.iter().map(Vec::len).max().unwrap_or(1);
    for text in &mut texts {
        while text.len() < most {
            let mut ids = vec![EOS; CHUNK + 2];
            ids[0] = BOS;
            text.push(Chunk { ids, weights: vec![1.0; CHUNK + 2], fixes: vec![] });
        }
    }
    let mut out: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
    let width = base.info.token_width;
    for i in 0..most {
        let mut ids: Vec<u32> = Vec::new();
        let mut rows: Vec<f32> = Vec::new();
        let mut weights: Vec<f32> = Vec::new();
        for text in &texts {
            let chunk = &text[i];
            let mut own = chunk.ids.clone();
            for (at, place) in &chunk.fixes {
                let word = plan.embeddings.word(*place);
                if !words.contains(place) {
                    words.push(*place);
                }
                let first = base.text.vocabulary() + rows.len() / width;
                rows.extend_from_slice(&word.vectors);
                for r in 0..word.rows {
                    own[at + r] = (first + r) as u32;
                }
            }
            ids.extend(own);
            weights.extend(&chunk.weights);
        }
        let extra = match rows.is_empty() {
            true => None,
            false => Some(Tensor::from_host(
                base.device(),
                Shape::new(1, rows.len() / width, width),
                &rows,
            )?),
        };
        let embedded = base.text.embed(&ids, texts.len(), extra.as_ref());
        let mut z = base.text.encode(&embedded, plan.settings().clip_skip).to_host()?;
        if matches!(plan.settings().emphasis, Emphasis::Original | Emphasis::NoNorm) {
            let mean = |z: &[f32]| z.iter().map(|v| f64::from(*v)).sum::<f64>() / z.len() as f64;
            let before = mean(&z);
            for (row, w) in z.chunks_exact_mut(width).zip(&weights) {
                row.iter_mut().for_each(|v| *v *= w);
            }
            if plan.settings().emphasis == Emphasis::Original {
                let ratio = (before / mean(&z)) as f32;
                z.iter_mut().for_each(|v| *v *= ratio);
            }
        }
        for (own, states) in out.iter_mut().zip(z.chunks_exact((CHUNK + 2) * width)) {
            own.extend_from_slice(states);
        }
    }
    let entries = part.entries.iter().map(|e| e.until).zip(out).collect();
    Ok(PartStates { weight: part.weight, entries })
}
