//! A1111's infotext: the prompt and the settings of a picture as text, written and read.
//!
//! Three parts: the prompt, lines from `Negative prompt:` on, and a last line of `Key: value`
//! pairs. A value with a comma, a colon or a line break is written as a JSON string. The last line
//! counts as settings where it holds at least three pairs, so a prompt whose own last line looks
//! like that is taken for settings; A1111 does the same.

mod fields;
mod job;
mod lenient;
mod python;

pub use fields::Field;
pub use job::{DrawnSettings, records_ensd};
pub use python::{float as python_float, number};

use std::fmt::{self, Display, Write};

/// A picture's text, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infotext {
    /// The prompt, as the user wrote it.
    pub prompt: String,
    /// The negative prompt; empty where there is none.
    pub negative: String,
    /// The settings in their order; each key once, values unquoted.
    pub pairs: Vec<(String, String)>,
}

impl Infotext {
    /// Takes a text apart; every text is something.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut lines: Vec<&str> = python::strip(text).split('\n').collect();
        let last = lines.pop().unwrap_or_default();
        let mut found = python::pairs(last);
        if found.len() < 3 {
            lines.push(last);
            found.clear();
        }
        let mut out = Self::default();
        let mut is_negative = false;
        for line in lines {
            let mut line = python::strip(line);
            if let Some(rest) = line.strip_prefix("Negative prompt:") {
                is_negative = true;
                line = python::strip(rest);
            }
            let part = if is_negative { &mut out.negative } else { &mut out.prompt };
            if !part.is_empty() {
                part.push('\n');
            }
            part.push_str(line);
        }
        for (key, value) in found {
            // A key without a value says nothing.
            if !value.is_empty() {
                out.set(key, python::unquote(value));
            }
        }
        out
    }

    /// The value of a setting.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Sets a value: in its place where the key exists, at the end otherwise.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.pairs.iter_mut().find(|(k, _)| *k == key) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((key, value)),
        }
    }

    /// A size written as `WxH`.
    #[must_use]
    pub fn size(&self, key: &str) -> Option<(u32, u32)> {
        let (w, h) = self.get(key)?.split_once('x')?;
        Some((w.parse().ok()?, h.parse().ok()?))
    }
}

impl Display for Infotext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = self.prompt.clone();
        if !self.negative.is_empty() {
            write!(out, "\nNegative prompt: {}", self.negative)?;
        }
        out.push('\n');
        for (i, (key, value)) in self.pairs.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            // A1111 compares the value with its key before it makes a text of it, so Python's
            // truth values are never equal to their names.
            if key == value && !matches!(value.as_str(), "True" | "False") {
                write!(out, "{comma}{key}")?;
            } else {
                write!(out, "{comma}{key}: {}", python::quote(value))?;
            }
        }
        f.write_str(python::strip(&out))
    }
}
