//! The embeddings to learn, and captions as token ids with an embedding's ids at its positions.
//!
//! A learned embedding takes no place in the vocabulary: its ids lie behind it, and the caption is cut
//! where the embedding stands. So any name will do, a real word too. It is found as drawing finds it, in
//! any case and as a whole word; kohya's trainer finds it in its exact case, also inside others.
use crate::{Error, Result, vectors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::{BOS, CHUNK, EOS, POSITIONS, Tokenizer};
use wayword_formats::{embedding, endings};

/// An embedding to learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedEmbedding {
    /// What stands for it in captions.
    pub token: String,
    /// What it is called: the name of its file, and so what calls it in a prompt.
    pub name: String,
    /// How many vectors it has; each takes one of the 75 positions of a prompt.
    pub vectors: usize,
    /// Where its vectors start.
    pub init: Init,
    /// SHA-256 of the embedding file that it starts from.
    #[serde(default)]
    pub init_sha256: Option<String>,
    /// Its own learning rate, where it has one.
    #[serde(default)]
    pub lr: Option<f64>,
}

/// Where an embedding's vectors start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// At these words' vectors, repeated or cut to the number of vectors; `*` is a word.
    Words(String),
    /// At the vectors of an embedding file.
    File(PathBuf),
    /// At the mean of the vocabulary's vectors.
    Mean,
    /// At vectors of another run's steps, which stand here so that the run can be repeated without it.
    Vectors {
        /// The embedding and its steps: `evagreen-ti, step 400`.
        of: String,
        /// `[vectors, width]`.
        values: Vec<f32>,
    },
}

impl Init {
    /// What `--init` means: an embedding file where it has the ending of one, else words.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let path = Path::new(text);
        if endings::has(path, endings::TENSORS) || endings::has(path, endings::EMBEDDING_PICTURES) {
            Self::File(path.into())
        } else {
            Self::Words(text.trim().into())
        }
    }
}

impl std::fmt::Display for Init {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Mean => f.write_str("the mean of all words"),
            Self::Vectors { of, .. } => f.write_str(of),
        }
    }
}

impl PlannedEmbedding {
    /// The vectors that it starts with, `[vectors, width]`.
    ///
    /// # Errors
    /// If the init text holds no word, or its file cannot be read or has vectors of another number or
    /// width.
    pub fn start(&self, base: &Base) -> Result<Vec<f32>> {
        let width = base.info.token_width;
        match &self.init {
            Init::Words(words) => {
                let ids = base.tokenizer.encode(words);
                vectors::from_ids(&ids, self.vectors, width, |id| {
                    base.token_vector(id).unwrap_or_default()
                })
            }
            Init::File(path) => {
                let found = embedding::read(path)?;
                let name = path.display().to_string();
                let wanted = (self.vectors, width);
                vectors::from_embedding(&name, &found.vectors, (found.count, found.width), wanted)
            }
            Init::Vectors { of, values } => {
                let shape = (values.len() / width.max(1), width);
                vectors::from_embedding(of, values, shape, (self.vectors, width))
            }
            Init::Mean => Ok(vectors::from_mean(&base.token_table(), self.vectors, width)),
        }
    }
}

/// Captions to token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Lexicon {
    /// Token and first id, longest token first.
    embeddings: Vec<(String, Vec<u32>)>,
    exact: bool,
}

impl Lexicon {
    /// For embeddings whose vectors get the ids from `first` on, in order. `exact` finds them as kohya's
    /// trainer does: in their exact case, also inside other words.
    #[must_use]
    pub fn new(embeddings: &[PlannedEmbedding], first: u32, exact: bool) -> Self {
        let mut next = first;
        let mut list = Vec::new();
        for embedding in embeddings {
            let end = next + embedding.vectors as u32;
            list.push((embedding.token.clone(), (next..end).collect::<Vec<u32>>()));
            next = end;
        }
        list.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        Self { embeddings: list, exact }
    }

    /// The ids of a caption of any length, without start and end mark.
    #[must_use]
    pub fn encode(&self, tokenizer: &Tokenizer, caption: &str) -> Vec<u32> {
        let (mut ids, mut start, mut at) = (Vec::new(), 0, 0);
        while at < caption.len() {
            match self.embeddings.iter().find(|(token, _)| self.stands_at(caption, at, token)) {
                Some((token, own)) => {
                    ids.extend(tokenizer.encode(&caption[start..at]));
                    ids.extend(own);
                    at += token.len();
                    start = at;
                }
                None => at += caption[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        ids.extend(tokenizer.encode(&caption[start..]));
        ids
    }

    /// Whether an embedding is in a caption, however long.
    #[must_use]
    pub fn holds_any(&self, caption: &str) -> bool {
        let places = caption.char_indices().map(|(at, _)| at);
        places
            .into_iter()
            .any(|at| self.embeddings.iter().any(|(t, _)| self.stands_at(caption, at, t)))
    }

    /// The ids of a caption in `windows` windows of 77: start mark, 75 ids, end mark. What is too
    /// long is cut.
    #[must_use]
    pub fn windows(&self, tokenizer: &Tokenizer, caption: &str, windows: usize) -> Vec<u32> {
        let mut ids = self.encode(tokenizer, caption);
        ids.resize(windows * CHUNK, EOS);
        let mut windowed = Vec::with_capacity(windows * POSITIONS);
        for window in ids.chunks(CHUNK) {
            windowed.push(BOS);
            windowed.extend_from_slice(window);
            windowed.push(EOS);
        }
        windowed
    }

    fn stands_at(&self, caption: &str, at: usize, token: &str) -> bool {
        let Some(there) = caption.get(at..at + token.len()) else { return false };
        if self.exact {
            return there == token;
        }
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let cuts_before = inside(caption[..at].chars().next_back()) && inside(token.chars().next());
        let rest = caption[at + token.len()..].chars().next();
        let cuts_after = inside(rest) && inside(token.chars().next_back());
        there.eq_ignore_ascii_case(token) && !cuts_before && !cuts_after
    }
}

/// Whether a name can be an embedding's: it becomes a file and a prompt's embedding.
///
/// # Errors
/// If it cannot be a file's name on every system, or a prompt would read it as something else.
pub fn check_name(option: &str, name: &str) -> Result<()> {
    if let Some(fault) = wayword_formats::atomic::name_fault(name) {
        return Err(Error::option(
            option,
            "a name that can be a file's",
            format!("`{name}`: {fault}"),
        ));
    }
    if let Some((stem, ending)) = name.rsplit_once('.')
        && wayword_formats::endings::TENSORS.contains(&ending.to_lowercase().as_str())
    {
        return Err(Error::option(option, "a name without an ending", format!("`{name}`"))
            .with_hint(format!("use {stem}; {{train.save_format}} chooses the ending")));
    }
    let outside = |c: &char| name.starts_with(*c) || name.ends_with(*c);
    let bad = |c: &char| "()[]{}".contains(*c) || (c.is_whitespace() && outside(c));
    if let Some(c) = name.chars().find(bad) {
        let found = format!("`{name}`, in which {c:?} has a meaning in prompts");
        return Err(Error::option(option, "a word that can stand in a prompt", found)
            .with_hint("use letters, digits, `-` and `_`, as in evagreen-ti"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(token: &str, vectors: usize) -> PlannedEmbedding {
        PlannedEmbedding {
            token: token.into(),
            name: token.into(),
            vectors,
            init: Init::Words("cat".into()),
            init_sha256: None,
            lr: None,
        }
    }

    #[test]
    fn a_word_is_found_as_drawing_finds_it() {
        let tokenizer = Tokenizer::new();
        let lexicon = Lexicon::new(&[embedding("hoge", 2), embedding("hoge-b", 1)], 49408, false);
        let plain = |text: &str| tokenizer.encode(text);
        let mut want = plain("a photo of");
        want.extend([49408, 49409]);
        assert_eq!(lexicon.encode(&tokenizer, "a photo of hoge"), want);
        assert_eq!(lexicon.encode(&tokenizer, "A photo of Hoge"), want);
        want.extend(plain(", a dog"));
        assert_eq!(lexicon.encode(&tokenizer, "a photo of hoge, a dog"), want);
        assert_eq!(lexicon.encode(&tokenizer, "hoge-b"), [49410]);
        assert_eq!(lexicon.encode(&tokenizer, "xhogey"), plain("xhogey"));
        let kohya = Lexicon::new(&[embedding("hoge", 1)], 49408, true);
        let mut inside = plain("x");
        inside.push(49408);
        inside.extend(plain("y"));
        assert_eq!(kohya.encode(&tokenizer, "xhogey"), inside);
        assert_eq!(kohya.encode(&tokenizer, "Hoge"), plain("Hoge"));
    }

    #[test]
    fn windows_are_cut_and_filled() {
        let tokenizer = Tokenizer::new();
        let lexicon = Lexicon::new(&[embedding("hoge", 1)], 49408, false);
        let ids = lexicon.windows(&tokenizer, "hoge", 2);
        assert_eq!(ids.len(), 154);
        assert_eq!((ids[0], ids[1], ids[2], ids[76], ids[77]), (BOS, 49408, EOS, EOS, BOS));
        let long = "cat ".repeat(80);
        let ids = lexicon.windows(&tokenizer, &long, 1);
        assert_eq!((ids.len(), ids[76]), (77, EOS));
        assert_ne!(ids[75], EOS);
    }

    #[test]
    fn names_must_be_files_and_words() {
        assert!(check_name("train.name", "evagreen-ti").is_ok());
        for bad in ["", " a", "a/b", "a:b", "(a)", "con", "a\n"] {
            assert!(check_name("train.name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn init_is_words_or_a_file() {
        assert_eq!(Init::parse(" * "), Init::Words("*".into()));
        assert_eq!(Init::parse("a red cat"), Init::Words("a red cat".into()));
        assert_eq!(Init::parse("x/old.pt"), Init::File("x/old.pt".into()));
        assert_eq!(Init::parse("old.safetensors"), Init::File("old.safetensors".into()));
    }
}
