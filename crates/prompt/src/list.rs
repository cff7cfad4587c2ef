//! Lists of values as A1111's X/Y/Z plot reads them: `0.4, 0.8`, `10-30 (+10)`, `0-1 [5]`,
//! `"a, b", c`.
use crate::error::PromptError;

/// More values than any grid shows.
const MOST: usize = 10_000;

/// The items of a list: parted by commas, trimmed; an item in double quotes may hold commas, and a
/// doubled quote in it is one quote. Empty items stay.
///
/// # Errors
/// At a quote that is not closed.
pub fn items(text: &str) -> Result<Vec<String>, PromptError> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let start = at + rest.len() - rest.trim_start().len();
        let (item, end) = if text[start..].starts_with('"') {
            quoted(text, start)?
        } else {
            let end = text[start..].find(',').map_or(text.len(), |n| start + n);
            (text[start..end].to_owned(), end)
        };
        out.push(item.trim().to_owned());
        if end >= text.len() {
            return Ok(out);
        }
        at = end + 1;
    }
}

/// A quoted item and the place of the comma behind it. Text between quote and comma belongs to it.
fn quoted(text: &str, start: usize) -> Result<(String, usize), PromptError> {
    let mut item = String::new();
    let mut at = start + 1;
    loop {
        let Some(length) = text[at..].find('"') else {
            let error = PromptError::new("a quote is not closed", text, start..start + 1);
            return Err(error.hint("write the closing \", or no quote at all"));
        };
        item.push_str(&text[at..at + length]);
        at += length + 1;
        if text[at..].starts_with('"') {
            item.push('"');
            at += 1;
            continue;
        }
        let end = text[at..].find(',').map_or(text.len(), |n| at + n);
        item.push_str(&text[at..end]);
        return Ok((item, end));
    }
}

/// Whole numbers: `3`, `1-5`, `1-10 (+2)`, `10-1 (-3)`, `1-10 [5]`. The end belongs to a range.
///
/// # Errors
/// At an item that is none of these, or a list without values.
pub fn integers(text: &str) -> Result<Vec<i64>, PromptError> {
    let mut out = Vec::new();
    for item in items(text)?.iter().filter(|item| !item.is_empty()) {
        match integer_range(item) {
            Some(values) => out.extend(values),
            None => return Err(wrong(text, item, "a whole number", "10-30 (+10)")),
        }
    }
    some(text, out)
}

/// Numbers: `0.4`, `1-3`, `0-1 (+0.25)`, `0-1 [5]`.
///
/// As in A1111 a range with steps is one of NumPy's (`arange` to the end and one step): by the
/// error of floats `0.6-1.0 (+0.1)` has 1.1 at its end. `0.6-1.0 [5]` is exact.
///
/// # Errors
/// As [`integers`].
pub fn numbers(text: &str) -> Result<Vec<f64>, PromptError> {
    let mut out = Vec::new();
    for item in items(text)?.iter().filter(|item| !item.is_empty()) {
        match number_range(item) {
            Some(values) => out.extend(values),
            None => return Err(wrong(text, item, "a number", "0.4-1.2 [5]")),
        }
    }
    some(text, out)
}

fn some<T>(text: &str, values: Vec<T>) -> Result<Vec<T>, PromptError> {
    match values.len() {
        0 => Err(PromptError::new("no values in it", text, 0..text.len())
            .hint("a range that goes down needs a step: 5-1 (-1)")),
        1..=MOST => Ok(values),
        n => Err(PromptError::new(format!("{n} values are too many"), text, 0..text.len())),
    }
}

fn wrong(text: &str, item: &str, what: &str, such: &str) -> PromptError {
    let start = text.find(item).unwrap_or(0);
    PromptError::new(
        format!("`{item}` is not {what}, nor a range"),
        text,
        start..start + item.len(),
    )
    .hint(format!("a range is written 1-5, {such} or 0-10 [3]"))
}

fn integer_range(item: &str) -> Option<Vec<i64>> {
    if let Ok(one) = item.parse() {
        return Some(vec![one]);
    }
    let range = Range::read(item)?;
    let (start, end): (i64, i64) = (range.start.parse().ok()?, range.end.parse().ok()?);
    if end.checked_sub(start)?.unsigned_abs() > MOST as u64 * 1000 {
        return None;
    }
    match range.how {
        How::Count(count) => {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "cut")]
            let values = linspace(start as f64, end as f64, count).map(|v| v as i64).collect();
            Some(values)
        }
        How::Step(step) => {
            let step: i64 = step.parse().ok().filter(|step| *step != 0)?;
            // The end is one further on for ranges down, too.
            let beyond = end + 1;
            let in_range = |v: &i64| if step > 0 { *v < beyond } else { *v > beyond };
            let next = |v: &i64| v.checked_add(step);
            Some(
                std::iter::successors(Some(start), next)
                    .take_while(in_range)
                    .take(MOST + 1)
                    .collect(),
            )
        }
        How::One => Some((start..=end).take(MOST + 1).collect()),
    }
}

fn number_range(item: &str) -> Option<Vec<f64>> {
    if let Some(one) = float(item) {
        return Some(vec![one]);
    }
    let range = Range::read(item)?;
    let (start, end) = (float(&range.start)?, float(&range.end)?);
    let step = match range.how {
        How::Count(count) => return Some(linspace(start, end, count).collect()),
        // A sign, then a digit.
        How::Step(step) => {
            float(&step).filter(|_| step[1..].starts_with(|c: char| c.is_ascii_digit()))?
        }
        How::One => 1.0,
    };
    if step == 0.0 {
        return None;
    }
    let count = ((end + step - start) / step).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    let count = count.clamp(0.0, MOST as f64 + 1.0) as u32;
    // NumPy's step is the difference of the first two values.
    let delta = (start + step) - start;
    Some((0..count).map(|i| start + f64::from(i) * delta).collect())
}

/// A decimal number without exponent.
fn float(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || ['+', '-', '.'].contains(&c));
    plain.then(|| text.parse().ok()).flatten()
}

/// NumPy's `linspace`, the end exact.
fn linspace(start: f64, end: f64, count: u32) -> impl Iterator<Item = f64> {
    let step = (end - start) / f64::from(count.max(2) - 1);
    (0..count).map(
        move |i| {
            if i + 1 == count && count > 1 { end } else { start + f64::from(i) * step }
        },
    )
}

/// `start - end`, and how it is walked.
struct Range {
    start: String,
    end: String,
    how: How,
}

enum How {
    One,
    /// With its sign.
    Step(String),
    Count(u32),
}

impl Range {
    fn read(item: &str) -> Option<Self> {
        let item = item.trim();
        let (bounds, how) = if let Some(rest) = item.strip_suffix(')') {
            let (bounds, step) = rest.rsplit_once('(')?;
            let step = step.trim_end();
            (bounds, How::Step(step.starts_with(['+', '-']).then(|| step.to_owned())?))
        } else if let Some(rest) = item.strip_suffix(']') {
            let (bounds, count) = rest.rsplit_once('[')?;
            let count: u32 = count.trim_end().parse().ok()?;
            (bounds, How::Count((count as usize <= MOST).then_some(count)?))
        } else {
            (item, How::One)
        };
        // The sign of the first number is no dash.
        let dash = bounds.char_indices().skip(1).find(|(at, c)| {
            *c == '-'
                && bounds[..*at].trim_end().ends_with(|c: char| c.is_ascii_digit() || c == '.')
        });
        let (start, end) = (bounds[..dash?.0].trim(), bounds[dash?.0 + 1..].trim());
        let without_blank = |text: &str| -> Option<String> {
            let (sign, rest) = match text.strip_prefix(['+', '-']) {
                Some(rest) => (&text[..1], rest.trim_start()),
                None => ("", text),
            };
            rest.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{sign}{rest}"))
        };
        Some(Self { start: without_blank(start)?, end: without_blank(end)?, how })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, values) in [
            ("1-10 (+2)", vec![1, 3, 5, 7, 9]),
            ("10-1 (-3)", vec![10, 7, 4]),
            ("10-5 (-1)", vec![10, 9, 8, 7]),
            ("1-10 [5]", vec![1, 3, 5, 7, 10]),
            ("1-3, 7,, -2", vec![1, 2, 3, 7, -2]),
            ("-3--1", vec![-3, -2, -1]),
        ] {
            assert_eq!(integers(text).unwrap(), values, "{text}");
        }
        for text in ["5-1", "1-10 (2)", "1-10 (+0)", "1-10 [4.0]", "a", "1.5", ""] {
            assert!(integers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fractions() {
        assert_eq!(numbers("0-1 [5]").unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(numbers("0.4, 0.8").unwrap(), [0.4, 0.8]);
        assert_eq!(numbers("1-3").unwrap(), [1.0, 2.0, 3.0]);
        // The error of floats, as in A1111.
        assert_eq!(numbers("0.6-1.0 (+0.1)").unwrap().len(), 6);
        assert_eq!(numbers("0-1 (+0.5)").unwrap(), [0.0, 0.5, 1.0]);
        for text in ["0-1 (+.5)", "0-1 (+0)", "x", "0-1 [2.0]"] {
            assert!(numbers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_keep_quoted_commas_and_empty_items() {
        assert_eq!(items(r#""a, b", c,, "say ""x""" "#).unwrap(), ["a, b", "c", "", "say \"x\""]);
        assert_eq!(items("Euler a, DDIM").unwrap(), ["Euler a", "DDIM"]);
        let error = items("a, \"b").unwrap_err();
        assert_eq!(error.span, 3..4);
    }
}
