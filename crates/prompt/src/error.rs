//! An error in a text, with the place in it: what is wrong, a caret drawing, a hint.
use std::fmt;
use std::ops::Range;
use wayword_interface::Diagnostic;

/// What is wrong with a prompt, template or wildcard, and where.
///
/// Shown as the message and the line with carets under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptError {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The whole text that was read.
    pub text: String,
    /// The place: byte offsets into `text`, on character boundaries.
    pub span: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PromptError {
    /// An error at `span` of `text`.
    #[must_use]
    pub fn new(message: impl Into<String>, text: &str, span: Range<usize>) -> Self {
        Self { message: message.into(), text: text.into(), span, hint: None }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line that holds the place, and the place's columns in it.
    fn line(&self) -> (&str, Range<usize>) {
        let start = self.span.start.min(self.text.len());
        let from = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = self.span.end.clamp(start, to);
        (&self.text[from..to], columns(&self.text[from..start])..columns(&self.text[from..end]))
    }
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, place) = self.line();
        let (line, place) = cut(line, place);
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {}", line.replace(['\t', '\r'], " "))?;
        let carets = "^".repeat(place.len().max(1));
        write!(f, "  {}{carets}", " ".repeat(place.start))
    }
}

/// A long line's part around a place, with `…` where something is left out, and the place in it.
fn cut(line: &str, place: Range<usize>) -> (String, Range<usize>) {
    /// What is shown of a line before and after the start of a place, in columns.
    const BEFORE: usize = 40;
    const AFTER: usize = 56;
    let (first, last) = (place.start.saturating_sub(BEFORE), place.start + AFTER);
    let (mut shown, mut at, mut left_out) = (String::new(), 0, 0);
    for c in line.chars() {
        let width = columns(c.encode_utf8(&mut [0; 4]));
        if at + width <= first && first > 1 {
            left_out += width;
        } else if at < last {
            shown.push(c);
        }
        at += width;
    }
    let end = place.end.min(last).min(at).max(place.start);
    let tail = if at > last { "…" } else { "" };
    if left_out == 0 {
        return (shown + tail, place.start..end);
    }
    (format!("…{shown}{tail}"), place.start - left_out + 1..end - left_out + 1)
}

impl std::error::Error for PromptError {}

impl From<PromptError> for Diagnostic {
    fn from(error: PromptError) -> Self {
        let hint = error.hint.clone();
        Self::of(error).with_hint_if(hint)
    }
}

/// How many terminal columns a text takes: East Asian characters and emoji take two, marks none.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x200b..=0x200f | 0xfe00..=0xfe0f | 0xfeff => 0,
            _ if unicode_normalization::char::is_combining_mark(c) => 0,
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
            0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff => 2,
            0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

/// The name nearest to `given` among `known`, if it is near enough to be a slip of the hand.
#[must_use]
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    let allowed = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_place() {
        let error = PromptError::new("a weight is no number", "first\nまた (a:1.2.3)", 16..21);
        let error = Diagnostic::from(error.hint("write 1.2"));
        assert_eq!(error.message, "a weight is no number\n  また (a:1.2.3)\n          ^^^^^");
        assert_eq!(error.hint.as_deref(), Some("write 1.2"));
        assert_eq!(error.find::<PromptError>().unwrap().span, 16..21);
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = format!("{}(w:1.2.3){}", "a, ".repeat(60), " b".repeat(60));
        insta::assert_snapshot!(PromptError::new("m", &text, 183..188).to_string());
        let text = format!("{}(w:1.2.3)", "漢字".repeat(60));
        insta::assert_snapshot!(PromptError::new("m", &text, 363..368).to_string());
        let text = format!("(w:{})", "9".repeat(300));
        insta::assert_snapshot!(PromptError::new("m", &text, 3..303).to_string());
    }

    #[test]
    fn place_at_the_end_and_beyond() {
        assert_eq!(PromptError::new("m", "ab", 2..2).to_string(), "m\n  ab\n    ^");
        assert_eq!(PromptError::new("m", "", 0..9).to_string(), "m\n  \n  ^");
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["evagreen-ti", "zarva-ti"];
        assert_eq!(did_you_mean("evagren-ti", known), Some("evagreen-ti"));
        assert_eq!(did_you_mean("Zarva-ti", known), Some("zarva-ti"));
        assert_eq!(did_you_mean("dog", known), None);
    }
}
