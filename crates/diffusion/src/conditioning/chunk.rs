//! Cuts a prompt into windows of 75 tokens, with learned words in place.
use crate::tokenizer::{BOS, CHUNK, EOS, POSITIONS, Tokenizer};
use wayword_prompt::Quirks;
use wayword_prompt::attention::is_break;

/// The comma of a prompt.
const COMMA: u32 = 267;
/// What stands at the places that vectors will take.
const PLACEHOLDER: u32 = 0;

/// A learned word found at a place of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingMatch {
    /// The caller's number of the word.
    pub word: usize,
    /// Tokens that its name takes.
    pub ids: usize,
    /// Its vectors.
    pub count: usize,
}

/// Where a learned word's vectors stand in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix {
    /// The first vector's place, counted without the start mark.
    pub offset: usize,
    /// The caller's number of the word.
    pub word: usize,
    /// Its vectors.
    pub count: usize,
}

/// One window of the text encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// 77 ids: start mark, 75 tokens, end mark; padded with the end mark.
    pub tokens: Vec<u32>,
    /// 77 weights; 1 for marks and padding.
    pub multipliers: Vec<f32>,
    /// Learned words, in order.
    pub fixes: Vec<Fix>,
}

impl Chunk {
    /// A window without text.
    #[must_use]
    pub fn empty() -> Self {
        let mut tokens = vec![EOS; POSITIONS];
        tokens[0] = BOS;
        Self { tokens, multipliers: vec![1.0; POSITIONS], fixes: Vec::new() }
    }
}

/// A text in windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunked {
    /// At least one.
    pub chunks: Vec<Chunk>,
    /// Tokens in use as A1111 counts them: a closed window counts 75.
    pub token_count: usize,
}

/// How windows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// How far back a comma may lie for the text after it to move into the next window; 0 is off.
    pub comma_backtrack: usize,
    /// With A1111's quirks, learned words that are moved so lose their vectors: these stay in the
    /// window they were in, and the next one gets exclamation marks instead.
    pub quirks: Quirks,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { comma_backtrack: 20, quirks: Quirks::Sane }
    }
}

/// The window being filled, without marks.
#[derive(Default)]
struct Open {
    tokens: Vec<u32>,
    multipliers: Vec<f32>,
    fixes: Vec<Fix>,
    /// The last comma's place.
    comma: Option<usize>,
}

impl Open {
    fn close(&mut self, done: &mut Chunked, last: bool) {
        let full = std::mem::take(self);
        done.token_count += if last { full.tokens.len() } else { CHUNK };
        let mut chunk = Chunk { tokens: vec![BOS], multipliers: vec![1.0], fixes: full.fixes };
        chunk.tokens.extend(full.tokens);
        chunk.multipliers.extend(full.multipliers);
        chunk.tokens.resize(POSITIONS, EOS);
        chunk.multipliers.resize(POSITIONS, 1.0);
        done.chunks.push(chunk);
    }

    fn full(&self) -> bool {
        self.tokens.len() == CHUNK
    }

    /// Splits off what stands after the last comma.
    fn split(&mut self, comma: usize, quirks: Quirks) -> Self {
        let start = comma + 1;
        let mut moved = Self {
            tokens: self.tokens.split_off(start),
            multipliers: self.multipliers.split_off(start),
            ..Self::default()
        };
        if quirks == Quirks::Sane {
            let (stay, go) = self.fixes.iter().partition(|f| f.offset < start);
            self.fixes = stay;
            moved.fixes = go;
            moved.fixes.iter_mut().for_each(|f| f.offset -= start);
        }
        moved
    }
}

/// Cuts weighted pieces into windows. `find` gives the longest learned word that begins a list of
/// ids; words of more than 75 vectors must not be offered.
#[must_use]
pub fn chunk(
    items: &[(String, f64)],
    tokenizer: &Tokenizer,
    find: impl Fn(&[u32]) -> Option<EmbeddingMatch>,
    options: ChunkOptions,
) -> Chunked {
    let mut done = Chunked { chunks: Vec::new(), token_count: 0 };
    let mut open = Open::default();
    for item in items {
        if is_break(item) {
            open.close(&mut done, false);
            continue;
        }
        let weight = item.1 as f32;
        let ids = tokenizer.encode(&item.0);
        let mut rest = ids.as_slice();
        while let Some(first) = rest.first() {
            if *first == COMMA {
                open.comma = Some(open.tokens.len());
            } else if open.full()
                && let Some(comma) = open.comma
                && CHUNK - comma <= options.comma_backtrack
            {
                let moved = open.split(comma, options.quirks);
                open.close(&mut done, false);
                open = moved;
            }
            if open.full() {
                open.close(&mut done, false);
            }
            let Some(found) = find(rest) else {
                open.tokens.push(*first);
                open.multipliers.push(weight);
                rest = &rest[1..];
                continue;
            };
            if open.tokens.len() + found.count > CHUNK {
                open.close(&mut done, false);
            }
            let (offset, count) = (open.tokens.len(), found.count);
            open.fixes.push(Fix { offset, word: found.word, count });
            open.tokens.resize(offset + count, PLACEHOLDER);
            open.multipliers.resize(offset + count, weight);
            rest = rest.get(found.ids.max(1)..).unwrap_or_default();
        }
    }
    if !open.tokens.is_empty() || done.chunks.is_empty() {
        open.close(&mut done, true);
    }
    done
}
