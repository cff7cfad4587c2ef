//! Which character combinations betray mojibake: the categories and pairs of the `ftfy` library.
use super::mojibake::{characters, repair};
use std::collections::HashSet;
use std::sync::LazyLock;

const C1: u32 = 1;
const BAD: u32 = 1 << 1;
const LAW: u32 = 1 << 2;
const MONEY: u32 = 1 << 3;
const OPEN: u32 = 1 << 4;
const CLOSE: u32 = 1 << 5;
const NUMBER: u32 = 1 << 6;
const FACE: u32 = 1 << 7;
const UPPER: u32 = 1 << 8;
const LOWER: u32 = 1 << 9;
const CAPITAL: u32 = 1 << 10;
const SMALL: u32 = 1 << 11;
const BOX: u32 = 1 << 12;
const COMMON: u32 = 1 << 13;

/// The categories of a character.
#[rustfmt::skip]
fn kind(c: char) -> u32 {
    let mut kind = 0;
    let mut add = |yes: bool, bit: u32| if yes { kind |= bit };
    let c = c as u32;
    add(matches!(c, 0xa0 | 0xad | 0xb7 | 0xb4 | 0x2013..=0x2015 | 0x2026 | 0x2019), COMMON);
    add(matches!(c, 0x80..=0x9f), C1);
    add(matches!(c, 0xa4 | 0xa6 | 0xa8 | 0xaa | 0xac | 0xaf | 0xb8 | 0xba | 0x192 | 0x2c6 | 0x2c7
        | 0x2d8 | 0x2db | 0x2dc | 0x2020 | 0x2021 | 0x2030 | 0x2310 | 0x25ca | 0xfffd), BAD);
    add(matches!(c, 0xa7 | 0xb6), LAW);
    add(matches!(c, 0xa2 | 0xa3 | 0xa5 | 0x20a7 | 0x20ac), MONEY);
    add(matches!(c, 0xa1 | 0xa9 | 0xab | 0xbf | 0x384 | 0x385 | 0x2018 | 0x201a | 0x201c | 0x201e
        | 0x2022 | 0x2039 | 0xf8ff), OPEN);
    add(matches!(c, 0xae | 0xbb | 0x2dd | 0x201d | 0x203a | 0x2122), CLOSE);
    add(matches!(c, 0xb1..=0xb3 | 0xb5 | 0xb9 | 0xbc..=0xbe | 0xd7 | 0xf7 | 0x2044 | 0x2116
        | 0x2202 | 0x2206 | 0x220f | 0x2211 | 0x221a | 0x221e | 0x2229 | 0x222b | 0x2248 | 0x2260
        | 0x2261 | 0x2264 | 0x2265), NUMBER);
    add(matches!(c, 0xb0 | 0xd2..=0xd6 | 0xd9..=0xdc | 0xf2..=0xf6 | 0xf8..=0xfc | 0x14c | 0x150
        | 0x16a | 0x172), FACE);
    add(matches!(c, 0xc0..=0xd1 | 0xd8 | 0xdc | 0xdd | 0x100 | 0x102 | 0x104 | 0x106 | 0x10c
        | 0x10e | 0x110 | 0x112 | 0x116 | 0x118 | 0x11a | 0x11e | 0x122 | 0x12a | 0x130 | 0x136
        | 0x139 | 0x13b | 0x13d | 0x141 | 0x143 | 0x145 | 0x147 | 0x152 | 0x158 | 0x15a | 0x15e
        | 0x160 | 0x162 | 0x164 | 0x16e | 0x170 | 0x178 | 0x179 | 0x17b | 0x17d | 0x490), UPPER);
    add(matches!(c, 0xdf..=0xf1 | 0xfc | 0x101 | 0x103 | 0x105 | 0x107 | 0x10d | 0x10f | 0x111
        | 0x113 | 0x117 | 0x119 | 0x11b | 0x11f | 0x123 | 0x12b | 0x12f | 0x137 | 0x13a | 0x13c
        | 0x13e | 0x142 | 0x153 | 0x155 | 0x15b | 0x15f | 0x161 | 0x165 | 0x17a | 0x17c | 0x17e
        | 0x491 | 0xfb01 | 0xfb02), LOWER);
    add(matches!(c, 0xde | 0x386 | 0x388..=0x38a | 0x38c | 0x38e | 0x38f | 0x391..=0x3ab
        | 0x401..=0x42f), CAPITAL);
    add(matches!(c, 0x3ac..=0x3c9 | 0x430..=0x45f), SMALL);
    add(matches!(c, 0x2502 | 0x250c | 0x2510 | 0x2518 | 0x251c | 0x2524 | 0x252c | 0x253c
        | 0x2550..=0x256c | 0x2580 | 0x2584 | 0x2588 | 0x258c | 0x2590..=0x2593), BOX);
    kind
}

/// Pairs of neighbors, by category, that nobody writes.
const PAIRS: [(u32, u32); 10] = [
    (BAD | LOWER | UPPER | BOX | OPEN | CLOSE | MONEY | NUMBER | LAW, BAD),
    (BAD, LOWER | UPPER | BOX | OPEN | CLOSE | MONEY | NUMBER | LAW),
    (LOWER | SMALL | BOX | CLOSE | MONEY | NUMBER, UPPER),
    (BOX | CLOSE | MONEY | NUMBER, LOWER),
    (LOWER | BOX | CLOSE, MONEY),
    (UPPER | BOX, NUMBER | LAW),
    (MONEY | NUMBER | BOX, OPEN),
    (BOX, FACE),
    (LOWER | UPPER | MONEY | NUMBER | OPEN | CLOSE | LAW, BOX),
    (BOX, CLOSE),
];

/// Triples by category.
const TRIPLES: [(u32, u32, u32); 2] = [
    (LOWER | UPPER | BOX | MONEY | CLOSE, OPEN, NUMBER),
    (LOWER | UPPER | MONEY | NUMBER | BOX | LAW, CLOSE, OPEN),
];

/// Whether the text holds a combination that betrays mojibake.
pub(super) fn is_suspicious(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).any(|i| suspicious_at(&chars, i))
}

fn suspicious_at(text: &[char], i: usize) -> bool {
    let at = |k: usize| text.get(i + k).copied();
    let kind_at = |k: usize| at(k).map_or(0, kind);
    let (a, b, c) = (kind_at(0), kind_at(1), kind_at(2));
    let (ca, cb, cc) = (at(0).unwrap_or('\0'), at(1).unwrap_or('\0'), at(2).unwrap_or('\0'));
    let end_of = |k: usize| at(k).is_none();
    a & C1 != 0
        || PAIRS.iter().any(|(x, y)| a & x != 0 && b & y != 0)
        || TRIPLES.iter().any(|(x, y, z)| a & x != 0 && b & y != 0 && c & z != 0)
        || ca.is_ascii_alphabetic() && b & (SMALL | CAPITAL) != 0 && c & BAD != 0
        || ca.is_whitespace() && b & UPPER != 0 && c & MONEY != 0
        || ca.is_ascii_lowercase() && b & UPPER != 0 && c & (OPEN | MONEY) != 0
        || a & (LOWER | UPPER) != 0
            && b & (OPEN | CLOSE) != 0
            && (cc.is_alphanumeric() || cc == '_')
        || matches!(ca, 'Œ' | 'œ') && !end_of(1) && !cb.is_ascii_alphabetic()
        || a & UPPER != 0 && cb == '°'
        || two_of_a_kind(ca, cb, b)
        || arabic(ca, cb) && arabic(at(2).unwrap_or('\0'), at(3).unwrap_or('\0'))
        || macintosh(ca, cb, cc)
        || cyrillic_or_greek(text, i)
        || spaces(text, i)
}

/// Windows-1252 leads of two-byte sequences, and other pairs of single characters.
fn two_of_a_kind(a: char, b: char, kind_b: u32) -> bool {
    match a {
        'Â' | 'Ã' | 'Î' | 'Ð' => {
            kind_b & (OPEN | CLOSE) != 0 || "€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´".contains(b)
        }
        '×' => matches!(b, '²' | '³'),
        'à' => matches!(b, '²' | 'µ' | '¹' | '¼' | '½' | '¾'),
        'в' => b == 'Ђ',
        'ā' => b == '€',
        _ => false,
    }
}

fn arabic(a: char, b: char) -> bool {
    matches!(a, 'Ø' | 'Ù')
        && (kind(b) & (COMMON | MONEY | BAD | NUMBER | OPEN) != 0 || "ŸŠ®°µ»".contains(b))
}

fn macintosh(a: char, b: char, c: char) -> bool {
    match a {
        '√' => "±∂†≠®™´≤≥¥µø".contains(b),
        '≈' => "°¢".contains(b),
        '‚' if b == 'Ä' => "ìîïòôúùû†°¢π".contains(c),
        '‚' => "âó".contains(b) && "àä°ê".contains(c),
        'β' if b == '€' => "™\u{a0}Ά\u{ad}®°".contains(c),
        _ => false,
    }
}

fn cyrillic_or_greek(text: &[char], i: usize) -> bool {
    let between = |c: char| kind(c) & (C1 | BAD | OPEN | CLOSE | MONEY) != 0 || c == '°';
    match text[i..] {
        ['Г', 'ў', 'В', 'Ђ', 'В', x, y, ..] if x != '\n' => {
            y == ' ' || y.is_ascii_alphabetic()
        }
        [a, b, c, ..] => {
            let (cyrillic, greek) = ("ВГРС", "ΒΓΞΟ");
            cyrillic.contains(a) && cyrillic.contains(c) && (between(b) || b == 'µ')
                || greek.contains(a) && greek.contains(c) && between(b)
        }
        _ => false,
    }
}

/// Letters with a no-break space, or the plain space that it was made to.
fn spaces(text: &[char], i: usize) -> bool {
    let lead = |c: char| matches!(c, 'Ã' | 'Â');
    match text[i..] {
        ['Ã', '\u{a0}' | '¡', ..] => true,
        [a, ' ', ..] if lead(a) && i == 0 => true,
        [a, b, ' ', ..] if a.is_ascii_lowercase() && lead(b) => true,
        [a, s, b, ' ', ..] if a.is_ascii_lowercase() && s.is_whitespace() && lead(b) => true,
        [a, 'Â', c, ..] => {
            (a.is_ascii_lowercase() || ".,?!".contains(a) || kind(a) & CLOSE != 0)
                && (c == ' ' || kind(c) & (OPEN | CLOSE) != 0)
        }
        _ => false,
    }
}

/// Characters that the bytes of a UTF-8 sequence turn into, by the byte's place.
struct Clues {
    first: [HashSet<char>; 3],
    rest: HashSet<char>,
    strict: HashSet<char>,
}

static CLUES: LazyLock<Clues> = LazyLock::new(|| {
    let set = |from, to| characters(from, to).collect::<HashSet<char>>();
    let mut rest = set(0x80, 0xbf);
    let mut strict = rest.clone();
    let everyday = ['–', '—', '―', '‘', '’', '‚', '“', '”', '„', '•', '…'];
    everyday.iter().for_each(|c| {
        strict.remove(c);
    });
    rest.insert(' ');
    let mut four = set(0xf0, 0xf0);
    four.extend(characters(0xf3, 0xf3));
    Clues { first: [set(0xc2, 0xdf), set(0xe0, 0xef), four], rest, strict }
});

impl Clues {
    /// How many characters from the start look like one UTF-8 sequence.
    fn sequence(&self, text: &[char]) -> Option<usize> {
        let first = text.first()?;
        (0..3).map(|k| (k, k + 2)).find_map(|(k, length)| {
            let fits = self.first[k].contains(first)
                && text.len() >= length
                && text[1..length].iter().all(|c| self.rest.contains(c));
            fits.then_some(length)
        })
    }
}

/// Repairs stretches that look like UTF-8 sequences inside a text that is otherwise sound.
pub(super) fn repair_parts(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let follows = i > 0 && CLUES.strict.contains(&chars[i - 1]);
        let mut end = i;
        while !follows && let Some(n) = CLUES.sequence(&chars[end..]) {
            end += n;
        }
        if end == i {
            out.push(chars[i]);
            i += 1;
            continue;
        }
        let part: String = chars[i..end].iter().collect();
        let whole = end - i == chars.len();
        out.push_str(&if !whole && is_suspicious(&part) { repair(&part) } else { part });
        i = end;
    }
    out
}
