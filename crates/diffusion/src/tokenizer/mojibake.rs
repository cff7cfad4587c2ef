//! Undoes mojibake: UTF-8 that some program once read as a single-byte encoding.
//!
//! Follows the `ftfy` library (6.3): a text is touched only where it holds a combination of
//! characters that nobody writes but that such a mistake makes (`suspicion`).
use super::suspicion::is_suspicious;
use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: &str = include_str!("../../data/single_byte.txt");

/// One single-byte encoding. The bytes below 80 are ASCII in all of them.
struct Encoding {
    name: &'static str,
    /// The characters of the bytes 80 to FF.
    upper: Vec<char>,
    bytes: HashMap<char, u8>,
    /// Whether unassigned bytes and the replacement character can be encoded.
    sloppy: bool,
}

static ENCODINGS: LazyLock<Vec<Encoding>> = LazyLock::new(|| {
    let latin = Encoding::new("latin-1", (0x80..=0xffu8).map(char::from).collect(), false);
    let rest = TABLE.lines().map(|line| {
        let (name, codes) = line.split_once(' ').unwrap_or((line, ""));
        let codes = codes.split(' ').filter_map(|c| u32::from_str_radix(c, 16).ok());
        let upper = codes.map(|c| char::from_u32(c).unwrap_or('\u{fffd}')).collect();
        Encoding::new(name, upper, name.starts_with("windows"))
    });
    std::iter::once(latin).chain(rest).collect()
});

impl Encoding {
    fn new(name: &'static str, upper: Vec<char>, sloppy: bool) -> Self {
        let mut bytes: HashMap<char, u8> =
            upper.iter().zip(0x80u8..=0xff).map(|(c, b)| (*c, b)).collect();
        if sloppy {
            // The substitute control stands for a byte that was lost.
            bytes.insert('\u{fffd}', 0x1a);
        }
        Self { name, upper, bytes, sloppy }
    }

    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars()
            .map(|c| match c {
                '\u{1a}' if self.sloppy => None,
                '\0'..='\u{7f}' => Some(c as u8),
                _ => self.bytes.get(&c).copied(),
            })
            .collect()
    }
}

/// The character of a byte from 80 on in Windows-1252.
pub(super) fn windows_1252(byte: u8) -> char {
    let encoding = &ENCODINGS[1];
    byte.checked_sub(0x80).map_or(char::from(byte), |i| encoding.upper[usize::from(i)])
}

/// The characters of the bytes `from` to `to` in the encodings that resemble Latin-1.
pub(super) fn characters(from: u8, to: u8) -> impl Iterator<Item = char> {
    let alike = ENCODINGS.iter().filter(|e| e.sloppy || e.name == "latin-1");
    alike.flat_map(move |e| (from..=to).map(|b| e.upper[usize::from(b - 0x80)]))
}

/// The text as it was meant.
pub(super) fn repair(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        let next = repair_once(&text);
        if next == text {
            return text;
        }
        text = next;
    }
}

fn repair_once(text: &str) -> String {
    if text.is_ascii() || !is_suspicious(text) {
        return text.to_owned();
    }
    let mut latin = false;
    for encoding in ENCODINGS.iter() {
        let Some(mut bytes) = encoding.encode(text) else { continue };
        latin |= encoding.name == "latin-1";
        if encoding.name != "macroman" {
            bytes = restore_no_break_spaces(&bytes);
        }
        if encoding.sloppy {
            bytes = replace_lost(&bytes);
        }
        if let Some(fixed) = decode(&bytes) {
            return fixed;
        }
    }
    let fixed = super::suspicion::repair_parts(text);
    if fixed != text {
        return fixed;
    }
    if latin && !text.chars().any(|c| matches!(c, '\u{80}'..='\u{9f}')) {
        return text.to_owned();
    }
    text.chars().map(|c| if c < '\u{a0}' { windows_1252(c as u8) } else { c }).collect()
}

/// UTF-8, with the variants that pairs of surrogates and Java's zero make.
fn decode(bytes: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let [0xc0, 0x80, after @ ..] = rest {
            plain.push(0);
            rest = after;
        } else if let [0xed, a @ 0xa0..=0xaf, b, 0xed, c @ 0xb0..=0xbf, d, after @ ..] = rest
            && b & 0xc0 == 0x80
            && d & 0xc0 == 0x80
        {
            let bits = |v: &u8, mask: u8| u32::from(v & mask);
            let code = (bits(a, 15) << 16) + (bits(b, 63) << 10) + (bits(c, 15) << 6) + bits(d, 63);
            let mut buffer = [0; 4];
            let c = char::from_u32(code + 0x1_0000)?;
            plain.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            rest = after;
        } else {
            plain.push(*first);
            rest = &rest[1..];
        }
    }
    String::from_utf8(plain).ok()
}

/// Puts byte A0 back where a program made a space of it inside a UTF-8 sequence.
fn restore_no_break_spaces(bytes: &[u8]) -> Vec<u8> {
    // A lone a with grave before a word: the space stays and A0 comes before it, but for the
    // Portuguese words that begin with this letter.
    let mut out = Vec::with_capacity(bytes.len());
    for (i, byte) in bytes.iter().enumerate() {
        out.push(*byte);
        if *byte == 0xc3 && bytes.get(i + 1) == Some(&b' ') {
            let after = &bytes[i + 2..];
            let words: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
            if !words.iter().any(|w| after.starts_with(w)) {
                out.push(0xa0);
            }
        }
    }
    let body = |b: u8| matches!(b, 0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf);
    let tail = |b: u8| matches!(b, 0x80..=0xbf);
    let mut i = 0;
    while i < out.len() {
        let at = |k: usize| out.get(i + k).copied().unwrap_or(0);
        let length = match (at(0), at(1), at(2), at(3)) {
            (0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', _, _) => 2,
            (0xe2 | 0xe3, b' ', c, _) if body(c) => 3,
            (0xe0..=0xe3, b, b' ', _) if body(b) => 3,
            (0xf0, b' ', c, d) if tail(c) && tail(d) => 4,
            (0xf0, b, b' ', d) if tail(b) && tail(d) => 4,
            (0xf0, b, c, b' ') if tail(b) && tail(c) => 4,
            _ => 1,
        };
        if length > 1 {
            out[i..i + length].iter_mut().filter(|b| **b == b' ').for_each(|b| *b = 0xa0);
        }
        i += length;
    }
    out
}

/// Sequences of UTF-8 of which a byte was lost (1A, sometimes `?`) become U+FFFD.
fn replace_lost(bytes: &[u8]) -> Vec<u8> {
    let lost = |b: u8| b == 0x1a || b == b'?';
    let tail = |b: u8| b == 0x1a || matches!(b, 0x80..=0xbf);
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let at = |k: usize| bytes.get(i + k).copied().unwrap_or(0);
        let one_lost = |n: usize| {
            (1..=n).any(|gap| (1..=n).all(|k| if k == gap { lost(at(k)) } else { tail(at(k)) }))
        };
        let length = match at(0) {
            0xc2..=0xdf if at(1) == 0x1a => 2,
            0xc2 | 0xc3 if at(1) == b'?' => 2,
            0xe0..=0xef if one_lost(2) => 3,
            0xf0..=0xf4 if one_lost(3) => 4,
            0x1a => 1,
            _ => 0,
        };
        if length == 0 {
            out.push(bytes[i]);
        } else {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
        i += length.max(1);
    }
    out
}
