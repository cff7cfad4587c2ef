//! A length in steps or as a part of the run, as kohya's options write it.
use super::LrError;
use std::fmt;
use std::str::FromStr;

/// A number of updates, or a part of all updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// So many updates.
    Steps(u64),
    /// This part of all updates, rounded down.
    Part(f64),
}

impl Length {
    /// The length in updates of a run of `steps` updates.
    #[must_use]
    pub fn of(self, steps: u64) -> u64 {
        match self {
            Self::Steps(n) => n,
            Self::Part(part) => (part * steps as f64) as u64,
        }
    }
}

impl FromStr for Length {
    type Err = LrError;

    /// `100` is steps; `10%` and `0.1` are parts. A number from 1 with a point is neither.
    fn from_str(text: &str) -> Result<Self, LrError> {
        let bad = |why| LrError::Length { text: text.into(), why };
        let trimmed = text.trim();
        if let Some(percent) = trimmed.strip_suffix('%') {
            let part = decimal(percent.trim()).ok_or_else(|| bad("no number before `%`"))? / 100.0;
            return if part >= 0.0 { Ok(Self::Part(part)) } else { Err(bad("it is negative")) };
        }
        let value = decimal(trimmed).ok_or_else(|| bad("it is no number"))?;
        if value < 0.0 {
            return Err(bad("it is negative"));
        }
        if value < 1.0 {
            return Ok(Self::Part(value));
        }
        let steps = trimmed.trim_start_matches('+').parse();
        steps.map(Self::Steps).map_err(|_| bad("steps are a whole number without a point"))
    }
}

/// A finite number; Rust's parser would also take `inf` and `nan`.
pub(super) fn decimal(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(n) => write!(f, "{n}"),
            Self::Part(part) => write!(f, "{}%", part * 100.0),
        }
    }
}
