//! Cuts a cleaned lower-case text into the words that the byte-pair code works on.
use super::{END_MARK, START_MARK};
use regex_syntax::hir::{Class, HirKind};
use std::sync::LazyLock;

/// Sorted ranges of the characters of one general category.
struct Category(Vec<(char, char)>);

impl Category {
    fn new(pattern: &str) -> Self {
        let parsed = regex_syntax::parse(pattern).expect("a Unicode category is a valid pattern");
        let HirKind::Class(Class::Unicode(class)) = parsed.kind() else {
            return Self(Vec::new());
        };
        Self(class.ranges().iter().map(|r| (r.start(), r.end())).collect())
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

/// Letters only: what `char::is_alphabetic` adds, such as vowel signs, stands alone in CLIP.
static LETTERS: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{L}"));
static NUMBERS: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{N}"));

fn letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { LETTERS.contains(c) }
}

fn number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { NUMBERS.contains(c) }
}

/// Endings that are words of their own, in the order in which they are tried.
const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The words in order: marks, English endings, runs of letters, single digits, runs of signs.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let fixed = [START_MARK, END_MARK].into_iter().chain(ENDINGS);
        let length = if let Some(word) = fixed.into_iter().find(|w| rest.starts_with(w)) {
            word.len()
        } else if letter(first) {
            rest.find(|c| !letter(c)).unwrap_or(rest.len())
        } else if number(first) {
            first.len_utf8()
        } else {
            let sign = |c: char| !c.is_whitespace() && !letter(c) && !number(c);
            rest.find(|c| !sign(c)).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}
