//! Python's notions of digit, space and word character, which the peers' expressions rest on.
use unicode_normalization::char::is_combining_mark;

/// The zero of every run of ten decimal digits (Unicode 14, category Nd).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of a decimal digit of any script (`\d` of a Python expression).
pub(crate) fn digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let at = ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?;
    u8::try_from(code - ZEROS[at]).ok().filter(|&value| value < 10)
}

/// `str.isspace` and `\s` of a Python expression.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `\w` of a Python expression: letters, numbers and `_`, but no combining marks.
pub(crate) fn is_word(c: char) -> bool {
    // Circled letters are alphabetic to Rust and symbols to Python.
    let circled = matches!(u32::from(c), 0x24b6..=0x24e9 | 0x1f130..=0x1f149 | 0x1f150..=0x1f169 | 0x1f170..=0x1f189);
    c == '_' || (c.is_alphanumeric() && !is_combining_mark(c) && !circled)
}

/// `str.strip`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether the byte offset `at` is a word boundary (`\b`) of `text`.
pub(crate) fn is_boundary(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(is_word);
    let after = text[at..].chars().next().is_some_and(is_word);
    before != after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_any_script() {
        assert_eq!(digit('7'), Some(7));
        assert_eq!(digit('３'), Some(3));
        assert_eq!(digit('٣'), Some(3));
        assert_eq!(digit('²'), None);
        assert_eq!(digit('a'), None);
        assert_eq!(digit('/'), None);
        assert_eq!(digit(':'), None);
    }

    #[test]
    fn words_and_boundaries() {
        assert!(is_word('é') && is_word('漢') && is_word('²') && !is_word('\u{301}'));
        assert!(is_boundary("a b", 1) && is_boundary("a", 0) && !is_boundary("ab", 1));
    }
}
