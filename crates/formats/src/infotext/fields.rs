//! The settings as A1111 hands them on: sizes taken apart, and what the text leaves out filled in.

use super::{Infotext, python};
use std::collections::BTreeMap;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// As it stands in the text.
    Text(String),
    /// Computed by A1111, or its default.
    Number(i64),
    /// A switch.
    Flag(bool),
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// What a missing key means.
const TEXTS: [(&str, &str); 14] = [
    ("Clip skip", "1"),
    ("Hires sampler", "Use same sampler"),
    ("Hires schedule type", "Use same scheduler"),
    ("Hires checkpoint", "Use same checkpoint"),
    ("Hires prompt", ""),
    ("Hires negative prompt", ""),
    ("Mask mode", "Inpaint masked"),
    ("Masked content", "original"),
    ("Inpaint area", "Whole picture"),
    ("RNG", "GPU"),
    ("Schedule type", "Automatic"),
    ("VAE Encoder", "Full"),
    ("VAE Decoder", "Full"),
    ("FP8 weight", "Disable"),
];

impl Infotext {
    /// All settings with A1111's defaults, prompts among them; `WxH` becomes `KEY-1` and `KEY-2`.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, Field> {
        let mut out = BTreeMap::new();
        for (key, value) in &self.pairs {
            if let Some((w, h)) = by(value) {
                out.insert(format!("{key}-1"), w.into());
                out.insert(format!("{key}-2"), h.into());
            } else {
                out.insert(key.clone(), Field::Text(value.clone()));
            }
        }
        let mut prompt = self.prompt.clone();
        if let Some(name) = text(&out, "Hypernet") {
            let strength = text(&out, "Hypernet strength").unwrap_or("1.0");
            prompt.push_str(&format!("<hypernet:{name}:{strength}>"));
        }
        out.insert("Prompt".into(), Field::Text(prompt));
        out.insert("Negative prompt".into(), Field::Text(self.negative.clone()));
        if !out.contains_key("Hires resize-1") {
            out.insert("Hires resize-1".into(), Field::Number(0));
            out.insert("Hires resize-2".into(), Field::Number(0));
        }
        for (key, value) in TEXTS {
            out.entry(key.into()).or_insert_with(|| value.into());
        }
        for (key, value) in [
            ("Masked area padding", 32),
            ("Schedule max sigma", 0),
            ("Schedule min sigma", 0),
            ("Schedule rho", 0),
        ] {
            out.entry(key.into()).or_insert(Field::Number(value));
        }
        if uses_emphasis(&self.prompt) || uses_emphasis(&self.negative) {
            out.entry("Emphasis".into()).or_insert_with(|| "Original".into());
        }
        out.entry("Refiner switch by sampling steps".into()).or_insert(Field::Flag(false));
        first_pass(&mut out);
        old_versions(&mut out);
        out
    }
}

fn text<'a>(fields: &'a BTreeMap<String, Field>, key: &str) -> Option<&'a str> {
    match fields.get(key) {
        Some(Field::Text(t)) => Some(t),
        _ => None,
    }
}

fn by(value: &str) -> Option<(&str, &str)> {
    let (w, h) = value.split_once('x')?;
    let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (number(w) && number(h)).then_some((w, h))
}

/// The first form of the hires fix wrote the final size under `Size`.
fn first_pass(fields: &mut BTreeMap<String, Field>) {
    let number = |key: &str| text(fields, key).and_then(|t| t.parse::<i64>().ok());
    let (Some(mut w), Some(mut h)) = (number("First pass size-1"), number("First pass size-2"))
    else {
        return;
    };
    let full_w = number("Size-1").unwrap_or(512);
    let full_h = number("Size-2").unwrap_or(512);
    if w == 0 || h == 0 {
        // As many pixels as 512 x 512, rounded up to whole multiples of 64.
        let scale = (512.0 * 512.0 / (full_w as f64 * full_h as f64)).sqrt();
        let part = |full: i64| {
            #[expect(clippy::cast_possible_truncation, reason = "a picture's size")]
            let units = (scale * full as f64 / 64.0).ceil() as i64;
            units.saturating_mul(64)
        };
        (w, h) = (part(full_w), part(full_h));
    }
    for (key, value) in
        [("Size-1", w), ("Size-2", h), ("Hires resize-1", full_w), ("Hires resize-2", full_h)]
    {
        fields.insert(key.into(), Field::Number(value));
    }
}

/// Behavior that later versions of A1111 changed, by the version that wrote the text.
fn old_versions(fields: &mut BTreeMap<String, Field>) {
    let Some(version) = text(fields, "Version").and_then(version) else { return };
    let mut flags = Vec::new();
    if version < [1, 6, 0, 0] {
        if text(fields, "Prompt").is_some_and(|p| p.contains('[')) {
            flags.push("Old prompt editing timelines");
        }
        if matches!(text(fields, "Sampler"), Some("DDIM" | "PLMS")) {
            flags.push("Pad conds v0");
        }
    }
    if version < [1, 7, 0, 225] {
        flags.push("Downcast alphas_cumprod");
    }
    if version < [1, 8, 0, 0] && text(fields, "Refiner").is_some_and(|r| !r.is_empty()) {
        flags.push("Refiner switch by sampling steps");
    }
    for flag in flags {
        fields.insert(flag.into(), Field::Flag(true));
    }
}

/// `v1.7.0-225-gabc` as its four numbers.
fn version(text: &str) -> Option<[u32; 4]> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts = text.split('-');
    let mut out = [0; 4];
    for (slot, part) in out.iter_mut().zip(parts.next()?.split('.')) {
        *slot = part.parse().ok()?;
    }
    if let Some(commits) = parts.next() {
        out[3] = commits.parse().ok()?;
    }
    Some(out)
}

/// Whether a part of the prompt has another weight than 1. Only brackets and `:number)` matter
/// here; what the text says does not.
fn uses_emphasis(prompt: &str) -> bool {
    // Weight of each run of text, and where the open brackets began.
    let (mut weights, mut round, mut square) = (Vec::new(), Vec::new(), Vec::new());
    fn times(weights: &mut [f64], from: usize, by: f64) {
        weights[from..].iter_mut().for_each(|w| *w *= by);
    }
    let mut rest = prompt;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                taken +=
                    rest[1..].chars().next().filter(|c| "()[]\\".contains(*c)).map_or(0, |_| 1);
                weights.push(1.0);
            }
            '(' => round.push(weights.len()),
            '[' => square.push(weights.len()),
            ')' => {
                if let Some(from) = round.pop() {
                    times(&mut weights, from, 1.1);
                } else {
                    weights.push(1.0);
                }
            }
            ']' => {
                if let Some(from) = square.pop() {
                    times(&mut weights, from, 1.0 / 1.1);
                } else {
                    weights.push(1.0);
                }
            }
            ':' => match (weight(&rest[1..]), round.pop()) {
                (Some((by, length)), Some(from)) => {
                    times(&mut weights, from, by);
                    taken += length;
                }
                (_, open) => {
                    round.extend(open);
                    weights.push(1.0);
                }
            },
            _ => {
                taken = rest.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(rest.len());
                // `BREAK` is no text; what it separates is.
                if rest[..taken].trim() != "BREAK" {
                    weights.push(1.0);
                }
            }
        }
        rest = &rest[taken..];
    }
    round.into_iter().for_each(|from| times(&mut weights, from, 1.1));
    square.into_iter().for_each(|from| times(&mut weights, from, 1.0 / 1.1));
    weights.iter().any(|w| *w != 1.0)
}

/// A number up to a closing bracket, and the length of both.
fn weight(text: &str) -> Option<(f64, usize)> {
    let end = text.find(')')?;
    let number = python::strip(&text[..end]);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Some((number.parse().ok()?, end + 1))
}
