//! CLIP's byte-pair code: the vocabulary and the merging of one word.
use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

/// Start of every text.
pub const BOS: u32 = 49406;
/// End of every text, and the padding after it.
pub const EOS: u32 = 49407;
/// Ids of the vocabulary, the two marks included.
pub const VOCABULARY: usize = 49408;

/// Ids below this are single bytes, those up to twice this single bytes that end a word.
const BYTES: u32 = 256;

static MERGES: &[u8] = include_bytes!("../../data/clip_merges.txt.gz");

/// The vocabulary, read once and shared: it never changes.
pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// Vocabulary and merges.
pub(super) struct Tables {
    /// The entry of every id, as it is written in CLIP's vocabulary file.
    pub(super) entries: Vec<String>,
    /// The id of an entry.
    pub(super) ids: HashMap<String, u32>,
    /// What two neighbors become. Earlier merges have smaller ids, so the id is also the rank.
    merges: HashMap<(u32, u32), u32>,
    /// The symbol that stands for a byte.
    symbols: Vec<char>,
    /// The byte of a symbol.
    bytes: HashMap<char, u8>,
}

impl Tables {
    fn read() -> Self {
        let symbols = byte_symbols();
        let by_rank = byte_order();
        let mut entries: Vec<String> =
            by_rank.iter().map(|&b| symbols[usize::from(b)].to_string()).collect();
        entries.extend(entries.clone().iter().map(|e| format!("{e}</w>")));
        let mut ids: HashMap<String, u32> =
            entries.iter().zip(0..).map(|(e, id)| (e.clone(), id)).collect();
        let mut text = String::new();
        GzDecoder::new(MERGES).read_to_string(&mut text).expect("the embedded merges are whole");
        let mut merges = HashMap::new();
        for line in text.lines() {
            let (left, right) = line.split_once(' ').expect("an embedded merge has two parts");
            let id = entries.len() as u32;
            let entry = format!("{left}{right}");
            merges.insert((ids[left], ids[right]), id);
            ids.insert(entry.clone(), id);
            entries.push(entry);
        }
        for mark in [super::START_MARK, super::END_MARK] {
            ids.insert(mark.into(), entries.len() as u32);
            entries.push(mark.into());
        }
        let bytes = symbols.iter().zip(0u8..=255).map(|(c, b)| (*c, b)).collect();
        Self { entries, ids, merges, symbols, bytes }
    }

    /// The ids of one word (a run of letters, a digit, a run of signs).
    pub(super) fn word(&self, word: &str, out: &mut Vec<u32>) {
        let start = out.len();
        out.extend(word.bytes().map(|b| self.ids[&*self.symbols[usize::from(b)].to_string()]));
        if let Some(last) = out.last_mut() {
            *last += BYTES;
        }
        loop {
            let pairs = out[start..].windows(2);
            let best = pairs.filter_map(|p| self.merges.get(&(p[0], p[1])).copied()).min();
            let Some(best) = best else { return };
            let (mut read, mut write) = (start, start);
            while read < out.len() {
                let pair = (read + 1 < out.len()).then(|| (out[read], out[read + 1]));
                let merged = pair.and_then(|p| self.merges.get(&p)) == Some(&best);
                out[write] = if merged { best } else { out[read] };
                read += if merged { 2 } else { 1 };
                write += 1;
            }
            out.truncate(write);
        }
    }

    /// The bytes that an entry stands for, without its end mark, and whether it ends a word.
    pub(super) fn bytes_of(&self, entry: &str) -> (Vec<u8>, bool) {
        let (body, ends) = entry.strip_suffix("</w>").map_or((entry, false), |b| (b, true));
        (body.chars().filter_map(|c| self.bytes.get(&c).copied()).collect(), ends)
    }
}

fn printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The bytes in the order of their ids: printable ones of Latin-1 first.
fn byte_order() -> Vec<u8> {
    let mut order: Vec<u8> = (0..=255).filter(|b| printable(*b)).collect();
    order.extend((0..=255u8).filter(|b| !printable(*b)));
    order
}

/// The symbol of every byte: itself where printable, else the next one from U+0100 on.
fn byte_symbols() -> Vec<char> {
    let mut next = 0x100;
    (0..=255u8)
        .map(|b| {
            if printable(b) {
                return char::from(b);
            }
            let symbol = char::from_u32(next).expect("U+0100 to U+0143 are characters");
            next += 1;
            symbol
        })
        .collect()
}
