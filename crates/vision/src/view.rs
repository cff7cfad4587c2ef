//! Pixels of 8 bits: borrowed and owned.

/// A borrowed RGB picture, at least one pixel.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

impl<'a> View<'a> {
    /// A picture of `[height, width, 3]` levels; `None` where their number does not fit or is 0.
    #[must_use]
    pub fn new(width: usize, height: usize, rgb: &'a [u8]) -> Option<Self> {
        let count = width.checked_mul(height)?.checked_mul(3)?;
        (count > 0 && rgb.len() == count).then_some(Self { width, height, rgb })
    }

    /// Width and height in pixels.
    #[must_use]
    pub const fn size(self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// `[height, width, 3]` levels.
    #[must_use]
    pub const fn rgb(self) -> &'a [u8] {
        self.rgb
    }

    /// A row's levels.
    pub(crate) fn row(self, y: usize) -> &'a [u8] {
        &self.rgb[y * self.width * 3..(y + 1) * self.width * 3]
    }
}

/// An owned RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// `[height, width, 3]` levels.
    pub rgb: Vec<u8>,
}

impl Rgb {
    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { width: self.width, height: self.height, rgb: &self.rgb }
    }
}
