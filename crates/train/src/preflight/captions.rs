//! Captions that are longer than what the text encoder reads.
use super::finding;
use crate::embedding::Lexicon;
use crate::plan::TrainPlan;
use wayword_diffusion::tokenizer::{CHUNK, Tokenizer, VOCABULARY};
use wayword_interface::Warning;

/// Captions that are cut.
pub(super) fn long(plan: &TrainPlan) -> Option<Warning> {
    let tokenizer = Tokenizer::new();
    let lexicon = Lexicon::new(&plan.embeddings, VOCABULARY as u32, plan.kohya_numbers);
    let room = plan.windows * CHUNK;
    let captions = plan.captions();
    let longest = |text: &str| lexicon.encode(&tokenizer, text).len();
    let mut lengths: Vec<(usize, &str)> =
        captions.iter().map(|c| (longest(&c.text), c.text.as_str())).collect();
    lengths.retain(|(length, _)| *length > room);
    let (length, text) = lengths.iter().max()?;
    let start: String = text.chars().take(40).collect();
    let text = format!(
        "{} captions are longer than {room} tokens and are cut; the longest has {length}: \"{start}…\"",
        lengths.len()
    );
    let hint = match plan.windows {
        3 => "shorten them, or bring what counts to the front",
        _ => "shorten them, or give them room by {train.max_token_length}",
    };
    Some(finding(text, hint))
}
