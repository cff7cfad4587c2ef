//! Attention: `(word:1.2)`, `((word))`, `[word]`, escapes and `BREAK`, with A1111's numbers.
use crate::Quirks;
use crate::error::PromptError;
use crate::unicode::{digit, is_boundary, is_space};
use std::ops::Range;

/// A text cut into pieces with their weights, in order. Never empty. A `("BREAK", -1)` item starts a
/// new window of 75 tokens.
pub type Attention = Vec<(String, f64)>;

/// What `(…)` multiplies by.
const ROUND: f64 = 1.1;
/// What `[…]` multiplies by.
const SQUARE: f64 = 1.0 / 1.1;

/// What is done with weights (A1111's setting `Emphasis mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emphasis {
    /// States are multiplied, then the window's mean is restored.
    #[default]
    Original,
    /// States are multiplied.
    NoNorm,
    /// Weights are read, so that brackets vanish, and not used.
    Ignore,
    /// Brackets and `BREAK` are text like any other.
    None,
}

impl Emphasis {
    /// All modes with the names that A1111 gives them.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("Original", Self::Original),
        ("No norm", Self::NoNorm),
        ("Ignore", Self::Ignore),
        ("None", Self::None),
    ];

    /// The mode of a name, upper and lower case alike, spaces and hyphens left out.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let plain = |text: &str| text.to_lowercase().replace([' ', '-', '_'], "");
        Self::NAMES.iter().find(|(known, _)| plain(known) == plain(name)).map(|(_, mode)| *mode)
    }

    /// The name that A1111 gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, mode)| *mode == self).map_or("Original", |(name, _)| name)
    }
}

/// Whether an item starts a new window.
#[must_use]
#[expect(clippy::float_cmp, reason = "the mark is exactly -1")]
pub fn is_break(item: &(String, f64)) -> bool {
    item.0 == "BREAK" && item.1 == -1.0
}

/// A piece while brackets are still open.
struct Item {
    text: String,
    weight: f64,
    is_break: bool,
}

/// Cuts a text into weighted pieces.
///
/// Products are formed from the innermost bracket outwards, in f64. Closers without opener are text;
/// openers without closer count to the end. With [`Quirks::A1111`] a `BREAK` inside a bracket is
/// weighted too and thereby becomes the text `BREAK`; otherwise it stays a break.
///
/// # Errors
/// A weight of digits and dots that is no number, such as `(a:1.2.3)`, and one that is too large for
/// 64 bits.
pub fn attention(text: &str, quirks: Quirks) -> Result<Attention, PromptError> {
    let mut items: Vec<Item> = Vec::new();
    let (mut round, mut square) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < text.len() {
        let token = token(text, at);
        let place = at..token.end;
        at = token.end;
        match token.kind {
            BracketKind::Escape => items.push(Item::text(&text[place.start + 1..place.end])),
            BracketKind::Open('(') => round.push(items.len()),
            BracketKind::Open(_) => square.push(items.len()),
            BracketKind::Weight(number) if !round.is_empty() => {
                let weight = weight(text, number, quirks)?;
                multiply(&mut items, round.pop(), weight, quirks);
            }
            BracketKind::Close(')') if !round.is_empty() => {
                multiply(&mut items, round.pop(), ROUND, quirks);
            }
            BracketKind::Close(']') if !square.is_empty() => {
                multiply(&mut items, square.pop(), SQUARE, quirks);
            }
            BracketKind::Weight(_) | BracketKind::Close(_) | BracketKind::Text => {
                breaks(&text[place], &mut items)
            }
        }
    }
    for open in round {
        multiply(&mut items, Some(open), ROUND, quirks);
    }
    for open in square {
        multiply(&mut items, Some(open), SQUARE, quirks);
    }
    Ok(merge(items, quirks))
}

/// [`attention`], but brackets and `BREAK` are text where the mode is [`Emphasis::None`].
///
/// # Errors
/// As [`attention`].
pub fn items(text: &str, emphasis: Emphasis, quirks: Quirks) -> Result<Attention, PromptError> {
    if emphasis == Emphasis::None {
        return Ok(vec![(text.to_owned(), 1.0)]);
    }
    attention(text, quirks)
}

impl Item {
    fn text(text: &str) -> Self {
        Self { text: text.to_owned(), weight: 1.0, is_break: false }
    }
}

/// What a token is.
enum BracketKind {
    /// A backslash and what it protects; alone it vanishes.
    Escape,
    Open(char),
    Close(char),
    /// `:NUMBER)`, with the place of the number.
    Weight(Range<usize>),
    Text,
}

struct Token {
    kind: BracketKind,
    end: usize,
}

/// The token at the byte offset `at`.
fn token(text: &str, at: usize) -> Token {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else {
        return Token { kind: BracketKind::Text, end: at };
    };
    let one = at + first.len_utf8();
    match first {
        '\\' => {
            let protects = rest[1..].starts_with(['(', ')', '[', ']', '\\']);
            Token { kind: BracketKind::Escape, end: one + usize::from(protects) }
        }
        '(' | '[' => Token { kind: BracketKind::Open(first), end: one },
        ')' | ']' => Token { kind: BracketKind::Close(first), end: one },
        ':' => match weight_end(text, one) {
            Some((number, end)) => Token { kind: BracketKind::Weight(number), end },
            None => Token { kind: BracketKind::Text, end: one },
        },
        _ => {
            let special = ['\\', '(', ')', '[', ']', ':'];
            let end = rest.find(special).map_or(text.len(), |length| at + length);
            Token { kind: BracketKind::Text, end }
        }
    }
}

/// The number and the end of `NUMBER )` that starts at `at`, with spaces around the number.
fn weight_end(text: &str, at: usize) -> Option<(Range<usize>, usize)> {
    let spaces =
        |from: usize| from + text[from..].len() - text[from..].trim_start_matches(is_space).len();
    let start = spaces(at);
    let digits = start + usize::from(text[start..].starts_with(['+', '-']));
    let rest = text[digits..].trim_start_matches(|c| c == '.' || digit(c).is_some());
    let end = text.len() - rest.len();
    let close = spaces(end);
    (end > digits && text[close..].starts_with(')')).then_some((start..end, close + 1))
}

/// The value of a weight, which may be written in the digits of any script.
fn weight(text: &str, place: Range<usize>, quirks: Quirks) -> Result<f64, PromptError> {
    let given = &text[place.clone()];
    match number(given) {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) if quirks == Quirks::A1111 => Ok(value),
        Some(_) => Err(PromptError::new("weight is too large", text, place)
            .hint("usual weights are 0.4 to 1.6")),
        None => Err(PromptError::new(format!("weight `{given}` is no number"), text, place)
            .hint("write a number such as 1.2, or escape the bracket: \\(")),
    }
}

/// The value of a decimal number, without exponent.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain: String =
        text.chars().map(|c| digit(c).map_or(c, |value| char::from(b'0' + value))).collect();
    plain.parse().ok()
}

/// Adds a text to the items, split at `BREAK`.
fn breaks(text: &str, items: &mut Vec<Item>) {
    const WORD: &str = "BREAK";
    let mut from = 0;
    let mut search = 0;
    while let Some(found) = text[search..].find(WORD) {
        let (start, end) = (search + found, search + found + WORD.len());
        search = end;
        if !is_boundary(text, start) || !is_boundary(text, end) {
            continue;
        }
        items.push(Item::text(text[from..start].trim_end_matches(is_space)));
        items.push(Item { text: WORD.into(), weight: -1.0, is_break: true });
        from = text.len() - text[end..].trim_start_matches(is_space).len();
        search = from;
    }
    items.push(Item::text(&text[from..]));
}

/// Multiplies all items since an opener.
fn multiply(items: &mut [Item], open: Option<usize>, by: f64, quirks: Quirks) {
    for item in items.iter_mut().skip(open.unwrap_or_default()) {
        if !item.is_break || quirks == Quirks::A1111 {
            item.weight *= by;
        }
    }
}

/// Joins neighbors of exactly equal weight.
#[expect(clippy::float_cmp, reason = "only exactly equal weights are joined, as in A1111")]
fn merge(items: Vec<Item>, quirks: Quirks) -> Attention {
    let mut merged: Vec<Item> = Vec::new();
    for item in items {
        let apart = |last: &Item| quirks == Quirks::Sane && (last.is_break || item.is_break);
        match merged.last_mut() {
            Some(last) if last.weight == item.weight && !apart(last) => {
                last.text.push_str(&item.text)
            }
            _ => merged.push(item),
        }
    }
    if merged.is_empty() {
        merged.push(Item::text(""));
    }
    merged.into_iter().map(|item| (item.text, item.weight)).collect()
}

/// Writes items as a text that [`attention`] reads as the same items (but for empty ones beside a
/// break).
#[must_use]
#[expect(clippy::float_cmp, reason = "a weight of exactly 1 needs no bracket")]
pub fn print(items: &Attention) -> String {
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        if is_break(item) {
            // A lone backslash keeps the spaces of the neighbors from being eaten.
            let spaced = |at: Option<&(String, f64)>, end: bool| {
                at.is_some_and(|(text, weight)| {
                    let side = if end { text.chars().next_back() } else { text.chars().next() };
                    *weight == 1.0 && side.is_some_and(is_space)
                })
            };
            out.push_str(if spaced(i.checked_sub(1).map(|p| &items[p]), true) {
                "\\"
            } else {
                " "
            });
            out.push_str("BREAK");
            out.push_str(if spaced(items.get(i + 1), false) { "\\" } else { " " });
        } else if item.1 == 1.0 && !item.0.is_empty() {
            out.push_str(&escape(&item.0));
        } else if item.1 != 1.0 || !beside_break(items, i) {
            let text = if item.0.is_empty() { "\\".into() } else { escape(&item.0) };
            out.push_str(&format!("({text}:{})", item.1));
        }
    }
    out
}

/// Whether the item before or after is a break, where a break itself makes an empty item.
fn beside_break(items: &Attention, i: usize) -> bool {
    let at = |i: usize| items.get(i).is_some_and(is_break);
    items.len() == 1 || at(i + 1) || i.checked_sub(1).is_some_and(at)
}

/// A text with all its brackets and backslashes escaped, so that it is read as it stands.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        if matches!(c, '\\' | '(' | ')' | '[' | ']') {
            out.push('\\');
        }
        // The second letter is protected, which leaves the word but not the break.
        if c == 'R' && text[..at].ends_with('B') && text[at..].starts_with("REAK") {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
