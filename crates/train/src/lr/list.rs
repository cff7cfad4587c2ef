//! A1111's list of learning rates: `5e-3:200, 5e-4:1000`.
use super::LrError;
use super::warmup::decimal;
use std::str::FromStr;

/// Rates, each until an absolute number of updates.
#[derive(Debug, Clone, PartialEq)]
pub struct RateList {
    /// `(rate, updates done when it ends)`, ends rising; the last may have no end.
    pieces: Vec<(f64, Option<u64>)>,
}

impl RateList {
    /// The rate of update `k`, counted from 0. Past the end it is the last rate.
    #[must_use]
    pub fn rate(&self, k: u64) -> f64 {
        let piece = self.pieces.iter().find(|(_, until)| until.is_none_or(|u| k < u));
        piece.or(self.pieces.last()).map_or(0.0, |(rate, _)| *rate)
    }

    /// The updates after which the list ends the run; `None` where its last rate has no end.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.pieces.last().and_then(|(_, until)| *until)
    }

    /// The rate, where the list holds only one without an end.
    #[must_use]
    pub fn single(&self) -> Option<f64> {
        match self.pieces[..] {
            [(rate, None)] => Some(rate),
            _ => None,
        }
    }
}

impl FromStr for RateList {
    type Err = LrError;

    /// `rate` or `rate:until` pieces parted by commas; `-1` is "to the end of the run".
    fn from_str(text: &str) -> Result<Self, LrError> {
        let mut pieces: Vec<(f64, Option<u64>)> = Vec::new();
        for piece in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let bad = |why| LrError::Rates { text: piece.into(), why };
            if pieces.last().is_some_and(|(_, until)| until.is_none()) {
                return Err(bad("the rate before it has no end"));
            }
            let (rate, until) = match piece.split_once(':') {
                Some((rate, until)) => (rate.trim(), until.trim()),
                None => (piece, "-1"),
            };
            let rate = decimal(rate).filter(|r| *r >= 0.0).ok_or_else(|| bad("no rate from 0"))?;
            let until = match until {
                "-1" => None,
                step => Some(step.parse::<u64>().map_err(|_| bad("no whole number of steps"))?),
            };
            if let (Some(end), Some((_, Some(before)))) = (until, pieces.last())
                && end <= *before
            {
                return Err(bad("its end is not after the one before"));
            }
            pieces.push((rate, until));
        }
        if pieces.is_empty() {
            return Err(LrError::Rates { text: text.into(), why: "it is empty" });
        }
        Ok(Self { pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rate_holds_until_its_step() {
        let list: RateList = "5e-3:200, 5e-4:1000".parse().unwrap();
        assert_eq!(list.end(), Some(1000));
        assert_eq!((list.rate(0), list.rate(199), list.rate(200)), (5e-3, 5e-3, 5e-4));
        let list: RateList = "5e-3:10,1e-3".parse().unwrap();
        assert_eq!((list.end(), list.rate(10)), (None, 1e-3));
        assert_eq!("1e-3".parse::<RateList>().unwrap().single(), Some(1e-3));
        for bad in ["", "x", "1e-3,1e-4", "1:5,1:5", "1:-2", "nan", "-1e-3"] {
            assert!(bad.parse::<RateList>().is_err(), "{bad}");
        }
    }
}
