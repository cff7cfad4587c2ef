//! Reads a data-set folder's name `{repeats}_{caption}` by kohya's rules.
use crate::unicode::{digit, strip};

/// What a folder's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderName {
    /// A data-set folder.
    Accepted {
        /// How often each picture is seen in an epoch, at least 1.
        repeats: u64,
        /// The caption of a picture without caption file; may be empty.
        class: String,
    },
    /// The name does not start with a whole number and `_`.
    NoRepeats,
    /// The number is 0 or negative: kohya leaves such a folder out without a word.
    NotPositive,
}

impl FolderName {
    /// Reads the name of a folder, without its parents.
    ///
    /// The piece before the first `_` is a whole number as Python's `int` takes it: surrounding
    /// spaces, a sign and the decimal digits of any script. Numbers beyond 64 bits become the
    /// largest.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        let (number, class) = name.split_once('_').unwrap_or((name, ""));
        match whole_number(number) {
            None => Self::NoRepeats,
            Some((true, _) | (_, 0)) => Self::NotPositive,
            Some((false, repeats)) => Self::Accepted { repeats, class: class.into() },
        }
    }
}

/// The sign (true: negative) and value of a whole number.
///
/// Python also takes single `_` between digits; here the text holds none, as it was split there.
fn whole_number(text: &str) -> Option<(bool, u64)> {
    let text = strip(text);
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for c in digits.chars() {
        value = value.saturating_mul(10).saturating_add(u64::from(digit(c)?));
    }
    Some((negative, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_captions() {
        let accepted = |repeats, class: &str| FolderName::Accepted { repeats, class: class.into() };
        assert_eq!(FolderName::parse("10_my cat"), accepted(10, "my cat"));
        assert_eq!(FolderName::parse("10"), accepted(10, ""));
        assert_eq!(FolderName::parse("\u{a0}+５ _a_b"), accepted(5, "a_b"));
        assert_eq!(FolderName::parse("99999999999999999999999_x"), accepted(u64::MAX, "x"));
        assert_eq!(FolderName::parse("0_cat"), FolderName::NotPositive);
        assert_eq!(FolderName::parse("-3_cat"), FolderName::NotPositive);
        for name in ["", "_", "cat", "+_x", "- 3_x", "1.5_x", "²_x", "+-3_x"] {
            assert_eq!(FolderName::parse(name), FolderName::NoRepeats, "{name}");
        }
    }
}
