//! What A1111 leaves to Python: how numbers print, what a blank is, and its pattern of pairs.

use std::borrow::Cow;

/// A float as Python's `str` prints it: `7.0`, `0.25`, `1e-05`, `1e+16`.
#[must_use]
pub fn float(x: f64) -> String {
    let plain = format!("{x:?}");
    let size = x.abs();
    if x == 0.0 || !x.is_finite() || (1e-4..1e16).contains(&size) {
        return match plain.as_str() {
            "NaN" => "nan".into(),
            _ => plain,
        };
    }
    // Rust and Python agree on the shortest digits; the exponent has a sign and two digits.
    let text = format!("{x:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(e) => ('-', e),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A number as A1111's page writes it: whole values without a fraction, others as [`float`].
#[must_use]
pub fn number(x: f64) -> String {
    let text = float(x);
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// Python's `str.isspace`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's `str.strip`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// A word character of Python's regular expressions.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A value as it stands in the line of settings.
pub(super) fn quote(value: &str) -> Cow<'_, str> {
    if value.contains([',', ':', '\n']) {
        serde_json::Value::from(value).to_string().into()
    } else {
        value.into()
    }
}

/// The value behind a JSON string; anything else, also a broken one, stays as it is.
pub(super) fn unquote(value: &str) -> String {
    if value.starts_with('"')
        && let Ok(text) = serde_json::from_str(value)
    {
        return text;
    }
    value.to_owned()
}

/// All matches of A1111's pattern
/// `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)` in a line, as key and raw value.
pub(super) fn pairs(line: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < line.len() {
        if let Some((key, value, end)) = pair(line, at) {
            out.push((key, value));
            at = end;
        } else {
            at += line[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    out
}

/// One match that begins at byte `at`: key, value, and where it ends.
fn pair(line: &str, at: usize) -> Option<(&str, &str, usize)> {
    let from = at + span(&line[at..], is_space);
    let rest = &line[from..];
    if !rest.starts_with(is_word) {
        return None;
    }
    let length = span(rest, |c| is_word(c) || matches!(c, ' ' | '-' | '/'));
    let key = &rest[..length];
    // One letter alone is no key.
    if key.chars().nth(1).is_none() || !rest[length..].starts_with(':') {
        return None;
    }
    let after = from + length + 1;
    let start = after + span(&line[after..], is_space);
    let tail = &line[start..];
    let ends = |end: usize| tail[end..].is_empty() || tail[end..].starts_with(',');
    let end = quoted(tail)
        .filter(|end| ends(*end))
        .unwrap_or_else(|| tail.find(',').unwrap_or(tail.len()));
    let comma = usize::from(tail[end..].starts_with(','));
    Some((key, &tail[..end], start + end + comma))
}

/// The length of the quoted text, not empty, that `text` begins with.
fn quoted(text: &str) -> Option<usize> {
    let body = text.strip_prefix('"')?;
    let mut chars = body.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' if i == 0 => return None,
            '"' => return Some(i + 2),
            '\\' => match chars.next()? {
                (_, '\n') => return None,
                _ => continue,
            },
            _ => {}
        }
    }
    None
}

/// How many bytes of characters that `fits` the text begins with.
fn span(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::{float, number, pairs};

    #[test]
    fn numbers_print_as_in_python() {
        for (x, text) in [
            (7.0, "7.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (-0.0001, "-0.0001"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(float(x), text);
        }
        assert_eq!((number(7.0).as_str(), number(6.5).as_str()), ("7", "6.5"));
    }

    #[test]
    fn pairs_follow_the_pattern() {
        assert_eq!(pairs("Steps: 1,Sampler: a"), [("Steps", "1"), ("Sampler", "a")]);
        assert_eq!(pairs("X: 1, YY: \"q, r\", ZZ: \"a\"b"), [("YY", "\"q, r\""), ("ZZ", "\"a\"b")]);
        assert_eq!(pairs("XX: \"\", YY:"), [("XX", "\"\""), ("YY", "")]);
    }
}
