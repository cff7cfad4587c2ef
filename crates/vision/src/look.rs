//! A picture's look: a small hash and a thumbnail by which it is known again.
use crate::Gray;

/// Side of the thumbnail.
const SMALL: usize = 32;

/// Bits by which the hashes of two views of one picture may differ.
const BITS: u32 = 10;

/// Correlation of two thumbnails from which on they show the same.
const ALIKE: f64 = 0.98;

/// What is remembered of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Whether brightness grows from each of 9 x 8 places to the next ("difference hash"), as it is
    /// and mirrored.
    hash: [u64; 2],
    /// The gray thumbnail, mean 0 and length 1; zeros where it is of one color.
    small: Vec<f32>,
}

impl Look {
    /// The look of a picture.
    #[must_use]
    pub fn of(picture: &Gray) -> Self {
        let tiny = picture.shrunk(9, 8);
        Self {
            hash: [tiny.hash(), tiny.mirrored().hash()],
            small: picture.shrunk(SMALL, SMALL).unit(),
        }
    }

    /// Whether both show the same, as it is or mirrored.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        let far = |a: u64, b: u64| (a ^ b).count_ones() > BITS;
        let same = |x: &dyn Fn(usize) -> usize| {
            let products = (0..self.small.len()).map(|i| self.small[i] * other.small[x(i)]);
            f64::from(products.sum::<f32>()) >= ALIKE
        };
        let mirror = |i: usize| i / SMALL * SMALL + SMALL - 1 - i % SMALL;
        (!far(self.hash[0], other.hash[0]) && same(&|i| i))
            || (!far(self.hash[0], other.hash[1]) && same(&mirror))
    }

    /// Whether the picture is of one color.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.small.iter().all(|v| *v == 0.0)
    }
}
