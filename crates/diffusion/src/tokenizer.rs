//! CLIP's tokenizer: text to ids, as `transformers`' slow tokenizer with `ftfy` gives them.
mod bpe;
mod clean;
mod html;
mod mojibake;
mod split;
mod suspicion;

use bpe::TABLES;
pub use bpe::{BOS, EOS, VOCABULARY};
use wayword_interface::Diagnostic;

const START_MARK: &str = "<|startoftext|>";
const END_MARK: &str = "<|endoftext|>";

/// Places for tokens in one chunk, without its two marks.
pub const CHUNK: usize = 75;
/// Length of one chunk with its two marks: the positions of CLIP's text model.
pub const POSITIONS: usize = CHUNK + 2;

/// The tokenizer, with the words that were added to its vocabulary.
#[derive(Debug, Clone, Default)]
pub struct Tokenizer {
    added: Vec<(String, u32)>,
}

/// A word that cannot become a new token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The vocabulary has this entry.
    #[error("the token {word:?} is already in the vocabulary")]
    Taken {
        /// The word.
        word: String,
    },
    /// No text.
    #[error("the token has no name")]
    Empty,
}

impl From<AddError> for Diagnostic {
    fn from(error: AddError) -> Self {
        let hint = match &error {
            AddError::Taken { word } => {
                format!("choose a word that has no meaning yet, such as {word}-ti")
            }
            AddError::Empty => "give it a name such as evagreen-ti".into(),
        };
        Self::of(error).with_hint(hint)
    }
}

impl Tokenizer {
    /// CLIP's own vocabulary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a word and gives its id, the next free one from 49408 on. It is found in texts letter
    /// by letter, in its exact case, also inside other words.
    ///
    /// # Errors
    /// If the vocabulary has this entry or the word is empty.
    pub fn add(&mut self, word: &str) -> Result<u32, AddError> {
        if word.trim().is_empty() {
            return Err(AddError::Empty);
        }
        if self.is_vocabulary_entry(word) {
            return Err(AddError::Taken { word: word.into() });
        }
        let id = (VOCABULARY + self.added.len()) as u32;
        self.added.push((word.into(), id));
        Ok(id)
    }

    /// The words that were added, in the order of their ids.
    pub fn added(&self) -> impl Iterator<Item = (&str, u32)> {
        self.added.iter().map(|(word, id)| (word.as_str(), *id))
    }

    /// Whether the vocabulary has exactly this entry. Whole words are entries with `</w>` at their
    /// end; without it they are entries only where other words begin with them.
    #[must_use]
    pub fn is_vocabulary_entry(&self, entry: &str) -> bool {
        TABLES.ids.contains_key(entry) || self.added.iter().any(|(word, _)| word == entry)
    }

    /// The id of a word that is one token.
    #[must_use]
    pub fn whole_word(&self, word: &str) -> Option<u32> {
        let added = self.added.iter().find(|(w, _)| w == word).map(|(_, id)| *id);
        added.or_else(|| TABLES.ids.get(&format!("{}</w>", word.to_lowercase())).copied())
    }

    /// All words that are one token, with their ids, in the order of the ids.
    pub fn whole_words(&self) -> impl Iterator<Item = (String, u32)> {
        TABLES.entries.iter().zip(0..).filter_map(|(entry, id)| {
            let (bytes, ends) = TABLES.bytes_of(entry);
            ends.then(|| String::from_utf8(bytes).ok()).flatten().map(|word| (word, id))
        })
    }

    /// The ids of a text without start and end mark, of any length.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while at < text.len() {
            let Some((length, id)) = self.mark_at(&text[at..]) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            encode_plain(&text[start..at], &mut ids);
            ids.push(id);
            at += length;
            start = at;
        }
        encode_plain(&text[start..], &mut ids);
        ids
    }

    /// The ids of a text in `chunks` chunks of 77, cut and padded as `train_textual_inversion` of
    /// kohya's sd-scripts does for a maximum length of 75, 150 or 225: every chunk begins with the
    /// start mark and ends with the last id of the whole.
    #[must_use]
    pub fn chunks(&self, text: &str, chunks: usize) -> Vec<Vec<u32>> {
        let mut ids = self.encode(text);
        ids.truncate(chunks * CHUNK);
        ids.resize(chunks * CHUNK, EOS);
        ids.chunks(CHUNK)
            .map(|part| {
                let mut chunk = Vec::with_capacity(POSITIONS);
                chunk.push(BOS);
                chunk.extend_from_slice(part);
                chunk.push(EOS);
                chunk
            })
            .collect()
    }

    /// The entry of an id as the vocabulary writes it: `</w>` ends a word.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<&str> {
        let piece = TABLES.entries.get(id as usize).map(String::as_str);
        piece.or_else(|| self.added.iter().find(|(_, i)| *i == id).map(|(word, _)| word.as_str()))
    }

    /// The text of ids, words parted by spaces; unknown ids give the replacement character.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for id in ids {
            match self.entry(*id) {
                Some(entry) if *id < BOS => {
                    let (body, ends) = TABLES.bytes_of(entry);
                    bytes.extend(body);
                    bytes.extend(ends.then_some(b' '));
                }
                Some(entry) => bytes.extend(format!("{entry} ").bytes()),
                None => bytes.extend("\u{fffd}".bytes()),
            }
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// The longest added word or mark that begins here.
    fn mark_at(&self, text: &str) -> Option<(usize, u32)> {
        let marks = [(START_MARK, BOS), (END_MARK, EOS)];
        let all = marks.into_iter().chain(self.added());
        all.filter(|(word, _)| text.starts_with(word))
            .map(|(word, id)| (word.len(), id))
            .max_by_key(|(length, _)| *length)
    }
}

/// The ids of a text without added words.
fn encode_plain(text: &str, ids: &mut Vec<u32>) {
    if text.is_empty() {
        return;
    }
    let text = clean::clean(text).to_lowercase();
    for word in split::words(&text) {
        match word {
            START_MARK => ids.push(BOS),
            END_MARK => ids.push(EOS),
            _ => TABLES.word(word, ids),
        }
    }
}

#[cfg(test)]
mod tests;
