//! A prompt to what is told of it.
use super::{Filled, Reader, prompt};
use crate::Failure;
use crate::failure::unrendered;
use serde::Serialize;
use std::path::PathBuf;
use wayword_diffusion::Embeddings;
use wayword_diffusion::adapters::Asked;
use wayword_diffusion::conditioning::{Chunk, ChunkOptions, EmbeddingMatch, chunk};
use wayword_diffusion::tokenizer::EOS;
use wayword_interface::Diagnostic;
use wayword_prompt::plan::PartPlan;
use wayword_prompt::schedule::{Node, Pass};
use wayword_prompt::{PromptError, PromptPlan, Quirks};

/// One prompt.
#[derive(Debug, Serialize)]
pub struct Side {
    /// As written.
    pub text: String,
    /// With wildcards filled in, where that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled: Option<String>,
    pub parts: Vec<ExplainedPart>,
    pub words: Vec<UsedEmbedding>,
    pub loras: Vec<Lora>,
    pub unknown: Vec<Unknown>,
    pub notes: Vec<String>,
}

/// Something that looks like a learned word and is none.
#[derive(Debug, Serialize)]
pub struct Unknown {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

/// A part between `AND`s.
#[derive(Debug, Serialize)]
pub struct ExplainedPart {
    pub weight: f64,
    pub tree: Vec<Branch>,
    pub steps: Vec<Stretch>,
}

/// A piece of the tree.
#[derive(Debug, Serialize)]
pub struct Branch {
    /// `text`, `weight`, `schedule` or `alternate`.
    pub kind: &'static str,
    /// As written.
    pub text: String,
    /// What it is multiplied by, or when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Vec<Branch>>,
}

/// What is encoded for some steps.
#[derive(Debug, Serialize)]
pub struct Stretch {
    /// First and last step of each stretch; an alternation comes back to the same text.
    pub steps: Vec<[i64; 2]>,
    pub text: String,
    pub tokens: usize,
    pub windows: Vec<Window>,
}

/// A window of 75 tokens.
#[derive(Debug, Serialize)]
pub struct Window {
    pub used: usize,
    pub tokens: Vec<Token>,
}

/// A token, or a learned word with all its vectors.
#[derive(Debug, Serialize)]
pub struct Token {
    /// Its id; none for a learned word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    pub text: String,
    /// Whether a blank follows: the vocabulary's `</w>`.
    pub ends_word: bool,
    pub weight: f32,
    /// Vectors of a learned word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<usize>,
}

/// A learned word that is used.
#[derive(Debug, Serialize)]
pub struct UsedEmbedding {
    pub name: String,
    pub vectors: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// A LoRA that is asked for.
#[derive(Debug, Serialize)]
pub struct Lora {
    pub name: String,
    pub text_encoder: f64,
    pub unet: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Modules that it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<usize>,
    /// Words that it brings.
    pub brings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Reads one prompt.
pub(super) fn side(reader: &Reader, filled: Filled, negative: bool) -> Result<Side, Failure> {
    let text = filled.text.as_str();
    let pass = Pass::first(reader.steps);
    let plan = if negative {
        PromptPlan::negative(text, pass, reader.language)
    } else {
        PromptPlan::positive(text, pass, reader.language)
    };
    let plan = plan.map_err(prompt)?;
    let asked = reader.loras.asked(&plan)?;
    let words = with_bundled(&reader.words.embeddings, &asked);
    let mut used = Vec::new();
    let parts = plan.parts.iter().map(|p| part(reader, p, &words, &mut used)).collect();
    let unknown = |found: wayword_diffusion::embeddings::Unknown| Unknown {
        text: found.text,
        did_you_mean: found.meant,
    };
    let word = |place: &usize| {
        let word = words.embedding(*place);
        UsedEmbedding { name: word.name.clone(), vectors: word.count, file: word.path.clone() }
    };
    let note = |note: &PromptError| unrendered(&Diagnostic::from(note.clone())).to_string();
    let mut notes: Vec<String> = plan.notes.iter().map(note).collect();
    notes.extend(asked.iter().flat_map(|asked| asked.tag.remarks()));
    notes.extend(filled.notes);
    Ok(Side {
        filled: Some(filled.text).filter(|text| *text != filled.written),
        text: filled.written,
        parts,
        words: used.iter().map(word).collect(),
        unknown: words.unknown(&plan).into_iter().map(unknown).collect(),
        loras: asked.into_iter().map(lora).collect(),
        notes,
    })
}

/// The words and those that LoRAs bring.
fn with_bundled(words: &Embeddings, asked: &[Asked]) -> Embeddings {
    let mut combined = words.clone();
    for loaded in asked.iter().filter_map(|a| a.file.as_ref().ok()) {
        for (name, word) in &loaded.lora.embeddings {
            if combined.loaded().iter().all(|w| w.name != *name) {
                // A name without tokens can be called by nobody.
                let _ = combined.add(name, vec![0.0; word.count], Some(loaded.file.path.clone()));
            }
        }
    }
    combined
}

fn lora(asked: Asked) -> Lora {
    let loaded = asked.file.as_ref().ok();
    Lora {
        text_encoder: asked.tag.text,
        unet: asked.tag.unet,
        file: loaded.map(|l| l.file.path.clone()),
        modules: loaded.map(|l| l.lora.adapters.len()),
        brings: loaded.map_or_else(Vec::new, |l| {
            l.lora.embeddings.iter().map(|(name, _)| name.clone()).collect()
        }),
        problem: asked.file.as_ref().err().cloned(),
        hint: asked.hint,
        name: asked.tag.name,
    }
}

fn part(
    reader: &Reader,
    plan: &PartPlan,
    words: &Embeddings,
    used: &mut Vec<usize>,
) -> ExplainedPart {
    let options = ChunkOptions { quirks: reader.language.quirks, ..ChunkOptions::default() };
    let find = |ids: &[u32]| {
        let word = words.find(ids)?;
        let loaded = words.embedding(word);
        Some(EmbeddingMatch { word, ids: loaded.ids.len(), count: loaded.count })
    };
    let mut first = 1;
    let mut steps: Vec<Stretch> = Vec::new();
    let end = plan.entries.last().map_or(0, |entry| entry.until);
    for entry in &plan.entries {
        // A change comes one call late; what would change at the end never comes.
        let range = [first, (entry.until + 1).min(end)];
        if range[0] > range[1] {
            continue;
        }
        first = range[1] + 1;
        if let Some(same) = steps.iter_mut().find(|s| s.text == entry.text) {
            match same.steps.last_mut().filter(|[_, last]| last + 1 == range[0]) {
                Some(joined) => joined[1] = range[1],
                None => same.steps.push(range),
            }
            continue;
        }
        let items = match reader.language.quirks {
            Quirks::Sane => words.spelled(&entry.items),
            Quirks::A1111 => entry.items.clone(),
        };
        let chunked = chunk(&items, &reader.tokenizer, find, options);
        for fix in chunked.chunks.iter().flat_map(|c| &c.fixes) {
            if !used.contains(&fix.word) {
                used.push(fix.word);
            }
        }
        steps.push(Stretch {
            steps: vec![range],
            text: entry.text.clone(),
            tokens: chunked.token_count,
            windows: chunked.chunks.iter().map(|c| window(reader, c, words)).collect(),
        });
    }
    ExplainedPart { weight: plan.weight, tree: branches(&plan.tree.text, &plan.tree.nodes), steps }
}

fn window(reader: &Reader, chunk: &Chunk, words: &Embeddings) -> Window {
    let body = &chunk.tokens[1..chunk.tokens.len() - 1];
    let used = body.iter().rposition(|id| *id != EOS).map_or(0, |last| last + 1);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < used {
        let weight = chunk.multipliers[at + 1];
        if let Some(fix) = chunk.fixes.iter().find(|fix| fix.offset == at) {
            let text = words.embedding(fix.word).name.clone();
            let vectors = Some(fix.count);
            tokens.push(Token { id: None, text, ends_word: true, weight, vectors });
            at += fix.count.max(1);
            continue;
        }
        let id = body[at];
        let entry = reader.tokenizer.entry(id).unwrap_or_default();
        let ends_word = entry.ends_with("</w>");
        let text = reader.tokenizer.decode(&[id]);
        tokens.push(Token { id: Some(id), text, ends_word, weight, vectors: None });
        at += 1;
    }
    Window { used, tokens }
}

fn branches(text: &str, nodes: &[Node]) -> Vec<Branch> {
    nodes.iter().map(|node| branch(text, node)).collect()
}

fn branch(text: &str, node: &Node) -> Branch {
    let written = text[node.span()].to_owned();
    let lists = |lists: &[Vec<Node>]| lists.iter().map(|list| branches(text, list)).collect();
    let (kind, value, options) = match node {
        Node::Text(_) => ("text", None, Vec::new()),
        Node::Group { parts, .. } => {
            let weight = written_weight(text, parts);
            let value = match (&weight, written.starts_with('(')) {
                (Some(weight), _) => weight.clone(),
                (None, true) => "1.1".into(),
                (None, false) => "1/1.1".into(),
            };
            let shown = if weight.is_some() { &parts[..1] } else { parts };
            ("weight", Some(value), lists(shown))
        }
        Node::Scheduled { from, to, when, .. } => {
            let from = from.as_deref().map_or_else(Vec::new, |list| branches(text, list));
            let value = Some(text[when.clone()].to_owned());
            ("schedule", value, vec![from, branches(text, to)])
        }
        Node::Alternate { options, .. } => ("alternate", None, lists(options)),
    };
    Branch { kind, text: written, value, options }
}

/// The number behind the colon of a round bracket.
fn written_weight(text: &str, parts: &[Vec<Node>]) -> Option<String> {
    let [_, second] = parts else { return None };
    let [Node::Text(span)] = second.as_slice() else { return None };
    let number = text[span.clone()].trim();
    number.parse::<f64>().is_ok().then(|| number.to_owned())
}
