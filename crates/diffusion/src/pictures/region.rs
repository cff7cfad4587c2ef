//! The part of a picture around a mask that is drawn anew.
use super::Pixels;

/// A rectangle of pixels; right and bottom are the first outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "four edges")]
pub struct Region {
    pub left: usize,
    pub top: usize,
    pub right: usize,
    pub bottom: usize,
}

impl Region {
    /// Pixels across.
    #[must_use]
    pub const fn width(self) -> usize {
        self.right - self.left
    }

    /// Pixels down.
    #[must_use]
    pub const fn height(self) -> usize {
        self.bottom - self.top
    }

    /// Around everything in a mask that is not 0; `None` if nothing is.
    #[must_use]
    pub fn around(mask: &Pixels) -> Option<Self> {
        let seen = |row: &[u8]| row.iter().any(|v| *v > 0);
        let rows = || mask.data.chunks_exact(mask.width);
        let (top, bottom) = (rows().position(seen)?, rows().rposition(seen)? + 1);
        let column = |x: &usize| rows().any(|row| row[*x] > 0);
        let left = (0..mask.width).find(column)?;
        let right = (0..mask.width).rev().find(column)? + 1;
        Some(Self { left, top, right, bottom })
    }

    /// With more pixels on each side, as far as the picture `(width, height)` goes.
    #[must_use]
    pub fn padded(self, by: usize, (width, height): (usize, usize)) -> Self {
        Self {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(width),
            bottom: (self.bottom + by).min(height),
        }
    }

    /// Grown to the shape of `to`, moved where it would leave the picture `(width, height)`, and
    /// cut off where the picture is too small.
    #[must_use]
    pub fn grown(self, to: (usize, usize), (width, height): (usize, usize)) -> Self {
        let wanted = to.0 as f64 / to.1 as f64;
        let (w, h) = (self.width() as f64, self.height() as f64);
        // The more of a side is cut off to a whole number; the odd pixel goes to the end.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels")]
        let more = |wanted: f64, own: f64| (wanted - own).max(0.0) as usize;
        if w / h > wanted {
            let (top, bottom) = side((self.top, self.bottom), more(w / wanted, h), height);
            Self { top, bottom, ..self }
        } else {
            let (left, right) = side((self.left, self.right), more(h * wanted, w), width);
            Self { left, right, ..self }
        }
    }
}

fn side((from, to): (usize, usize), more: usize, length: usize) -> (usize, usize) {
    let (mut from, mut to) = (from as isize - (more / 2) as isize, to + more - more / 2);
    if to >= length {
        from -= (to - length) as isize;
        to = length;
    }
    if from < 0 {
        to += from.unsigned_abs();
        from = 0;
    }
    (from.unsigned_abs(), to.min(length))
}
