//! `a AND b :0.5`: several prompts in one, each with its weight in the guidance.
use crate::attention::number;
use crate::unicode::{digit, is_boundary, is_space};
use std::ops::Range;

/// One part of a prompt with `AND`.
#[derive(Debug, Clone, PartialEq)]
pub struct AndPart {
    /// Its text: leading spaces stay, trailing ones and the weight are gone.
    pub text: String,
    /// Its weight in the guidance, 1 where none is written.
    pub weight: f64,
    /// Where the text stands in the prompt, in bytes.
    pub span: Range<usize>,
    /// Where the weight is written, with its colon.
    pub weight_span: Option<Range<usize>>,
}

/// Splits a prompt at the word `AND` and reads each part's weight.
///
/// As in A1111 the word counts anywhere, also inside brackets and in `x-AND-y`, and a prompt without
/// it may have a weight too: `portrait :0.5`.
#[must_use]
pub fn split(prompt: &str) -> Vec<AndPart> {
    const WORD: &str = "AND";
    let mut parts = Vec::new();
    let (mut from, mut search) = (0, 0);
    while let Some(found) = prompt[search..].find(WORD) {
        let (start, end) = (search + found, search + found + WORD.len());
        search = end;
        if is_boundary(prompt, start) && is_boundary(prompt, end) {
            parts.push(part(prompt, from..start));
            from = end;
        }
    }
    parts.push(part(prompt, from..prompt.len()));
    parts
}

fn part(prompt: &str, span: Range<usize>) -> AndPart {
    let start = span.start;
    let text = prompt[span].trim_end_matches(is_space);
    if let Some(colon) = text.rfind(':') {
        let given = text[colon + 1..].trim_start_matches(is_space);
        if let Some(weight) = weight(given) {
            let kept = text[..colon].trim_end_matches(is_space);
            return AndPart {
                text: kept.to_owned(),
                weight,
                span: start..start + kept.len(),
                weight_span: Some(start + colon..start + text.len()),
            };
        }
    }
    AndPart {
        text: text.to_owned(),
        weight: 1.0,
        span: start..start + text.len(),
        weight_span: None,
    }
}

/// A weight: digits with at most one point that is followed by a digit or preceded by one.
fn weight(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.chars().all(|c| c == '.' || digit(c).is_some()).then(|| number(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(prompt: &str) -> Vec<(String, f64)> {
        split(prompt).into_iter().map(|part| (part.text, part.weight)).collect()
    }

    #[test]
    fn weights_and_spaces() {
        assert_eq!(texts("a :1.2 AND b:0.5"), [("a".into(), 1.2), (" b".into(), 0.5)]);
        assert_eq!(texts("a AND"), [("a".into(), 1.0), (String::new(), 1.0)]);
        assert_eq!(texts("a::２.5"), [("a:".into(), 2.5)]);
        assert_eq!(texts("a :1e2"), [("a :1e2".into(), 1.0)]);
        assert_eq!(texts("a :."), [("a :.".into(), 1.0)]);
        assert_eq!(texts("sAND x"), [("sAND x".into(), 1.0)]);
    }

    #[test]
    fn spans() {
        let parts = split("é AND b : 2 ");
        assert_eq!((parts[1].span.clone(), parts[1].weight_span.clone()), (6..8, Some(9..12)));
    }
}
