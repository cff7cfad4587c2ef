//! Which of a run's steps are meant: one, the mean over a range, a place between two.
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use wayword_interface::options::{OptionKind, OptionType};

/// Thousandths in a whole.
const WHOLE: u16 = 1000;

/// Steps of a run, written `700`, `400..800` or `400~800@0.25`. Step 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StepChoice {
    /// The vectors after this step.
    One(usize),
    /// The mean over all steps from the first to the second, both included.
    Mean(usize, usize),
    /// Between two steps, by spherical interpolation; thousandths of the way to the second.
    Between(usize, usize, u16),
}

impl StepChoice {
    /// The steps that must have been kept.
    #[must_use]
    pub const fn ends(&self) -> (usize, usize) {
        match self {
            Self::One(step) => (*step, *step),
            Self::Mean(first, last) | Self::Between(first, last, _) => (*first, *last),
        }
    }

    /// The step that it is nearest to.
    #[must_use]
    pub const fn middle(&self) -> usize {
        let (first, last) = self.ends();
        usize::midpoint(first, last)
    }

    /// Whether a text of a list is one with a mark of its own rather than a number.
    #[must_use]
    pub fn is_marked(text: &str) -> bool {
        text.contains("..") || text.contains('~')
    }
}

impl FromStr for StepChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            let expected = "a step, a range as 400..800, or a place between two as 400~800@0.25";
            Error::data(format!("expected {expected}, found `{text}`"))
        };
        let step = |text: &str| text.trim().parse::<usize>().map_err(|_| refused());
        if let Some((first, last)) = text.split_once("..") {
            let (first, last) = (step(first)?, step(last)?);
            if first > last {
                let hint = format!("write the smaller step first: {last}..{first}");
                return Err(refused().with_hint(hint));
            }
            return Ok(if first == last { Self::One(first) } else { Self::Mean(first, last) });
        }
        if let Some((first, rest)) = text.split_once('~') {
            let (last, share) = rest.split_once('@').unwrap_or((rest, "0.5"));
            let share: f64 = share.trim().parse().map_err(|_| refused())?;
            if !(0.0..=1.0).contains(&share) {
                return Err(refused().with_hint("the share behind @ is from 0 to 1"));
            }
            let share = (share * f64::from(WHOLE)).round() as u16;
            return Ok(Self::Between(step(first)?, step(last)?, share));
        }
        step(text).map(Self::One)
    }
}

impl fmt::Display for StepChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(step) => write!(f, "{step}"),
            Self::Mean(first, last) => write!(f, "{first}..{last}"),
            Self::Between(first, last, share) => {
                write!(f, "{first}~{last}@{}", f64::from(*share) / f64::from(WHOLE))
            }
        }
    }
}

impl TryFrom<String> for StepChoice {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<StepChoice> for String {
    fn from(choice: StepChoice) -> Self {
        choice.to_string()
    }
}

impl OptionType for StepChoice {
    const KIND: OptionKind = OptionKind::Text;
}

/// The mean of vectors of equal length, summed in their order in f64; none of none.
#[must_use]
pub fn mean<'v>(lists: impl IntoIterator<Item = &'v [f32]>) -> Vec<f32> {
    let (mut sum, mut count) = (Vec::<f64>::new(), 0usize);
    for vectors in lists {
        sum.resize(vectors.len(), 0.0);
        sum.iter_mut().zip(vectors).for_each(|(s, v)| *s += f64::from(*v));
        count += 1;
    }
    sum.into_iter().map(|s| (s / count.max(1) as f64) as f32).collect()
}

/// Spherical interpolation of each vector of `[n, width]`: the direction turns along the great
/// circle from `a` to `b` while the length goes straight. `share` is 0 at `a` and 1 at `b`.
#[must_use]
pub fn slerp(a: &[f32], b: &[f32], share: f64, width: usize) -> Vec<f32> {
    let width = width.max(1);
    a.chunks(width).zip(b.chunks(width)).flat_map(|(a, b)| slerp_one(a, b, share)).collect()
}

fn slerp_one(a: &[f32], b: &[f32], share: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let (from, to) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    let cosine = (dot(a, b) / (from * to)).clamp(-1.0, 1.0);
    let angle = cosine.acos();
    // Parallel, opposite or empty: there is no great circle to go along.
    let (left, right) = if !angle.is_finite() || angle.sin() < 1e-6 {
        (1.0 - share, share)
    } else {
        let length = from + (to - from) * share;
        let part = |x: f64, norm: f64| (x * angle).sin() / angle.sin() / norm * length;
        (part(1.0 - share, from), part(share, to))
    };
    let mix = |(a, b): (&f32, &f32)| (f64::from(*a) * left + f64::from(*b) * right) as f32;
    a.iter().zip(b).map(mix).collect()
}

impl StepChoice {
    /// What a place between two steps is of the way, 0 to 1.
    pub(super) fn share(share: u16) -> f64 {
        f64::from(share) / f64::from(WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn choices_are_read_and_written_alike() {
        for text in ["0", "700", "400..800", "400~800@0.5", "800~400@0.25"] {
            assert_eq!(text.parse::<StepChoice>().unwrap().to_string(), text);
        }
        assert_eq!("1~3".parse::<StepChoice>().unwrap(), StepChoice::Between(1, 3, 500));
        assert_eq!("7..7".parse::<StepChoice>().unwrap(), StepChoice::One(7));
        let json = serde_json::to_string(&StepChoice::Mean(4, 8)).unwrap();
        assert_eq!(json, "\"4..8\"");
        assert_eq!(serde_json::from_str::<StepChoice>(&json).unwrap(), StepChoice::Mean(4, 8));
        for text in ["", "x", "8..4", "1~2@3", "1~2@x", "-1", "1..", "..2"] {
            let error = text.parse::<StepChoice>().unwrap_err();
            assert!(error.to_string().contains("expected a step"), "{text}: {error}");
        }
    }

    #[test]
    fn slerp_turns_at_a_steady_pace_and_keeps_lengths() {
        let half = slerp(&[1.0, 0.0], &[0.0, 3.0], 0.5, 2);
        assert!((half[0] - half[1]).abs() < 1e-6 && (half[0].hypot(half[1]) - 2.0).abs() < 1e-6);
        let two = slerp(&[1.0, 0.0, 0.0, 2.0], &[0.0, 1.0, 0.0, 4.0], 0.5, 2);
        assert!((two[3] - 3.0).abs() < 1e-6, "parallel ones are mixed: {two:?}");
        assert_eq!(slerp(&[0.0, 0.0], &[2.0, 4.0], 0.5, 2), [1.0, 2.0]);
    }

    proptest! {
        #[test]
        fn a_mean_of_equals_and_the_ends_of_a_slerp_are_exact(
            a in proptest::collection::vec(-1.0f32..1.0, 6),
            b in proptest::collection::vec(-1.0f32..1.0, 6),
        ) {
            prop_assert_eq!(mean([&a[..], &a[..]]), a.clone());
            for (share, want) in [(0.0, &a), (1.0, &b)] {
                let got = slerp(&a, &b, share, 3);
                let near = got.iter().zip(want).all(|(x, y)| (x - y).abs() < 1e-5);
                prop_assert!(near, "{got:?} {want:?}");
            }
        }
    }
}
