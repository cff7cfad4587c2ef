//! Words that were learned: rows of the token table that a prompt calls by name.
//!
//! A name is found in a prompt by its token ids, longest name first, so case and blanks do not
//! count, as in the web UI. Of two names with equal ids the first registered answers.
mod spelling;
mod unknown;

pub use spelling::Call;
pub use unknown::Unknown;

use crate::tokenizer::Tokenizer;
use crate::{Base, Error, Event, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use wayword_formats::embedding::{MOST_VECTORS, Scan, scan, scan_called};
use wayword_formats::hash;
use wayword_interface::{Events, Warning};

/// One learned word.
#[derive(Debug, Clone)]
pub struct LoadedEmbedding {
    /// What the user writes.
    pub name: String,
    /// The ids of the name.
    pub ids: Vec<u32>,
    /// Number of vectors, 1 to 75.
    pub count: usize,
    /// `count * width` values.
    pub vectors: Arc<[f32]>,
    /// Its file; `None` for a word that lives in memory.
    pub path: Option<PathBuf>,
    sha256: Arc<OnceLock<Option<String>>>,
}

impl LoadedEmbedding {
    /// SHA-256 of its file, computed when first asked for; `None` without a readable file.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        let path = self.path.as_deref();
        self.sha256.get_or_init(|| path.and_then(|p| hash::sha256(p).ok())).as_deref()
    }
}

/// All words that a job may use.
#[derive(Debug, Clone)]
pub struct Embeddings {
    width: usize,
    tokenizer: Tokenizer,
    words: Vec<LoadedEmbedding>,
    /// Names of files that no prompt calls, which are known but not read.
    unread: Vec<String>,
    /// Places in `words` by the first id of the name, longest name first.
    by_first: BTreeMap<u32, Vec<usize>>,
}

impl Embeddings {
    /// No words yet, for a base.
    #[must_use]
    pub fn new(base: &Base) -> Self {
        Self::for_width(base.info.token_width, &base.tokenizer)
    }

    /// No words yet, for a token table of `width` channels.
    #[must_use]
    pub fn for_width(width: usize, tokenizer: &Tokenizer) -> Self {
        let (words, unread, by_first) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { width, tokenizer: tokenizer.clone(), words, unread, by_first }
    }

    /// Adds all words of some folders, in the order of the folders and of their files' names. Files
    /// that cannot be used are told as warnings.
    ///
    /// # Errors
    /// If a folder itself cannot be read.
    pub fn load(&mut self, folders: &[PathBuf], events: &dyn Events<Event>) -> Result<()> {
        for folder in folders {
            events.event(Event::Loading { what: "embeddings", path: folder.clone() });
            let found = scan(folder, Some(self.width))?;
            self.take(found, true, events);
        }
        Ok(())
    }

    /// The same of the words only that may stand in one of `texts`; of the others, the names are known.
    ///
    /// # Errors
    /// As [`Embeddings::load`].
    pub fn load_called<'t>(
        &mut self,
        folders: &[PathBuf],
        texts: impl IntoIterator<Item = &'t str>,
        events: &dyn Events<Event>,
    ) -> Result<()> {
        let is_called = may_call(texts);
        for folder in folders {
            let found = scan_called(folder, Some(self.width), &is_called)?;
            self.take(found, false, events);
        }
        Ok(())
    }

    /// Adds what was found; names that are taken are told of where somebody chose the folder.
    fn take(&mut self, found: Scan, is_chosen: bool, events: &dyn Events<Event>) {
        let warn = |text: String, hint: Option<String>| {
            events.event(Event::Warned(Warning::new(text).with_hint_if(hint)));
        };
        for skipped in found.skipped {
            warn(format!("embedding left out: {}", skipped.reason), skipped.reason.hint());
        }
        self.know(found.unread);
        for word in found.loaded {
            let path = word.path.display().to_string();
            if let Some(first) = self.words.iter().find(|w| w.name == word.name) {
                let first = first.path.clone().unwrap_or_default();
                let (name, first) = (&word.name, first.display());
                let text = format!("{path}: left out, the word `{name}` is that of {first}");
                if is_chosen {
                    warn(text, Some("rename one of the two files".into()));
                }
                continue;
            }
            if let Err(error) = self.add(&word.name, word.embedding.vectors, Some(word.path)) {
                warn(format!("embedding left out: {path}: {error}"), error.hint());
                continue;
            }
            let own = self.words.len() - 1;
            if let Some(first) = self.find(&self.words[own].ids).filter(|first| *first != own) {
                let first = &self.words[first].name;
                let text = format!("{path}: `{}` in a prompt is read as `{first}`", word.name);
                warn(
                    text,
                    Some(
                        "upper and lower case are not distinguished; rename one of the two files"
                            .into(),
                    ),
                );
            }
        }
    }

    /// Names of files that are there but were not read.
    pub fn know(&mut self, unread: impl IntoIterator<Item = String>) {
        self.unread.extend(unread);
    }

    /// The names of all words, read or not.
    pub fn names_known(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| &*word.name).chain(self.unread.iter().map(|name| &**name))
    }

    /// Adds a word, or gives a word of this name other rows.
    ///
    /// # Errors
    /// If the rows do not fit the table, are none or more than 75, or the name has no tokens.
    pub fn add(&mut self, name: &str, vectors: Vec<f32>, path: Option<PathBuf>) -> Result<()> {
        let count = vectors.len() / self.width;
        if vectors.len() != count * self.width || count == 0 || count > MOST_VECTORS {
            return Err(Error::Embedding {
                name: name.into(),
                expected: format!("1 to {MOST_VECTORS} vectors of {} values", self.width),
                found: format!("{} values", vectors.len()),
            });
        }
        let ids = self.tokenizer.encode(name);
        let Some(first) = ids.first().copied() else {
            let (expected, found) = ("a name with letters".into(), "none".into());
            return Err(Error::Embedding { name: name.into(), expected, found });
        };
        let (name, vectors, sha256) = (name.to_owned(), vectors.into(), Arc::default());
        let word = LoadedEmbedding { name, ids, count, vectors, path, sha256 };
        if let Some(old) = self.words.iter_mut().find(|w| w.name == word.name) {
            *old = word;
            return Ok(());
        }
        self.words.push(word);
        let bucket = self.by_first.entry(first).or_default();
        bucket.push(self.words.len() - 1);
        // Stable: of equal length the first registered stays first.
        bucket.sort_by_key(|i| std::cmp::Reverse(self.words[*i].ids.len()));
        Ok(())
    }

    /// The longest word whose ids begin `ids`, by its place.
    #[must_use]
    pub fn find(&self, ids: &[u32]) -> Option<usize> {
        let bucket = self.by_first.get(ids.first()?)?;
        bucket.iter().copied().find(|i| ids.starts_with(&self.words[*i].ids))
    }

    /// The word at a place.
    ///
    /// # Panics
    /// If there is none: places come from [`Embeddings::find`].
    #[must_use]
    pub fn embedding(&self, place: usize) -> &LoadedEmbedding {
        &self.words[place]
    }

    /// All words, in the order in which they were registered.
    #[must_use]
    pub fn loaded(&self) -> &[LoadedEmbedding] {
        &self.words
    }

    /// Channels of a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }
}

/// Whether one of `texts` may call an embedding by its name: only then its file has to be read.
pub fn may_call<'t>(texts: impl IntoIterator<Item = &'t str>) -> impl Fn(&str) -> bool {
    let texts: Vec<String> = texts.into_iter().map(letters).collect();
    move |name| {
        let name = letters(name);
        // What the tokenizer makes of other letters is its own matter.
        texts.iter().any(|text| !text.is_ascii() || text.contains(&name)) || !name.is_ascii()
    }
}

/// What of a text the spelling of a word cannot change: its letters and digits, in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::Embeddings;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn longest_first_and_first_registered() {
        let tokenizer = Tokenizer::new();
        let mut words = Embeddings::for_width(2, &tokenizer);
        words.add("evagreen", vec![1.0, 2.0], None).unwrap();
        words.add("evagreen-ti", vec![3.0, 4.0], None).unwrap();
        words.add("EvaGreen-TI", vec![5.0, 6.0], None).unwrap();
        let place = words.find(&tokenizer.encode("EVAGREEN - ti, x")).unwrap();
        assert_eq!(words.embedding(place).name, "evagreen-ti");
        let place = words.find(&tokenizer.encode("evagreen x")).unwrap();
        assert_eq!(words.embedding(place).name, "evagreen");
        assert_eq!(words.find(&tokenizer.encode("dog")), None);
        words.add("evagreen", vec![7.0; 4], None).unwrap();
        assert_eq!(words.embedding(place).count, 2);
        assert_eq!(words.loaded().len(), 3);
        assert_eq!(words.names_known().count(), 3);
        assert!(words.add("x", vec![0.0; 3], None).is_err());
        assert!(words.add(" ", vec![0.0; 2], None).is_err());
    }
}
