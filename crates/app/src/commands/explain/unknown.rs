//! What a prompt seems to call and nobody knows.
use serde::Serialize;
use wayword_diffusion::Embeddings;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_prompt::PromptPlan;
use wayword_prompt::error::did_you_mean;

/// Something that looks like a learned word and is none.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unknown {
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) did_you_mean: Option<String>,
}

/// Calls of words that do not exist, and words that the vocabulary has to spell out in pieces and
/// that are nearly the name of a learned word.
pub(super) fn find(plan: &PromptPlan, words: &Embeddings, tokenizer: &Tokenizer) -> Vec<Unknown> {
    let names = || words.words().iter().map(|w| w.name.as_str());
    let mut out: Vec<Unknown> = Vec::new();
    let mut add = |text: &str, meant: Option<&str>| {
        let unknown = Unknown { text: text.into(), did_you_mean: meant.map(str::to_owned) };
        if !out.contains(&unknown) {
            out.push(unknown);
        }
    };
    for text in plan.parts.iter().flat_map(|p| &p.entries).flat_map(|e| &e.items).map(|i| &i.0) {
        for call in words.calls(text).iter().filter(|call| call.word.is_none()) {
            add(&text[call.span.clone()], did_you_mean(&call.name, names()));
        }
        let divides = |c: char| c.is_whitespace() || [',', '(', ')', '[', ']', ':'].contains(&c);
        for word in text.split(divides).map(|w| w.trim_matches(['.', '!', '?', ';', '"'])) {
            let ids = tokenizer.encode(word);
            let is_call = word.starts_with('<') || words.find(&ids).is_some();
            if ids.len() > 1 && !is_call && word.len() > 2 {
                let meant = did_you_mean(word, names());
                if meant.is_some() {
                    add(word, meant);
                }
            }
        }
    }
    out
}
