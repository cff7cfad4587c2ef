//! Rectangles: of a detector, in fractions of pixels, and crops of whole pixels.
use serde::{Deserialize, Serialize};

/// A rectangle in fractions of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a rectangle")]
pub struct Area {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    /// The right edge.
    #[must_use]
    pub fn right(self) -> f32 {
        self.left + self.width
    }

    /// The bottom edge.
    #[must_use]
    pub fn bottom(self) -> f32 {
        self.top + self.height
    }

    /// The middle, across and down.
    #[must_use]
    pub fn middle(self) -> (f32, f32) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// Square pixels; 0 where a side is negative.
    #[must_use]
    pub fn size(self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// What both cover.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let (right, bottom) = (self.right().min(other.right()), self.bottom().min(other.bottom()));
        Self { left, top, width: (right - left).max(0.0), height: (bottom - top).max(0.0) }
    }

    /// The part inside a picture of `(width, height)`.
    #[must_use]
    pub fn inside(self, (width, height): (usize, usize)) -> Self {
        self.common(Self { left: 0.0, top: 0.0, width: width as f32, height: height as f32 })
    }

    /// What both cover over what one of them covers, 0 to 1.
    #[must_use]
    pub fn overlap(self, other: Self) -> f32 {
        let common = self.common(other).size();
        let all = self.size() + other.size() - common;
        if all > 0.0 { common / all } else { 0.0 }
    }

    /// Every number times a factor.
    #[must_use]
    pub fn scaled(self, by: f32) -> Self {
        Self {
            left: self.left * by,
            top: self.top * by,
            width: self.width * by,
            height: self.height * by,
        }
    }
}

/// A rectangle of whole pixels inside a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "[usize; 4]", into = "[usize; 4]")]
#[expect(missing_docs, reason = "a rectangle")]
pub struct Crop {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Crop {
    /// The first column outside.
    #[must_use]
    pub const fn right(self) -> usize {
        self.left + self.width
    }

    /// The first row outside.
    #[must_use]
    pub const fn bottom(self) -> usize {
        self.top + self.height
    }

    /// The same as an area.
    #[must_use]
    pub fn area(self) -> Area {
        let [left, top, width, height] = <[usize; 4]>::from(self).map(|n| n as f32);
        Area { left, top, width, height }
    }

    /// Whether an area lies inside.
    #[must_use]
    pub fn holds(self, area: Area) -> bool {
        let own = self.area();
        own.left <= area.left
            && own.top <= area.top
            && own.right() >= area.right()
            && own.bottom() >= area.bottom()
    }

    /// Whether it lies inside a picture of `(width, height)` and has pixels.
    #[must_use]
    pub fn fits(self, (width, height): (usize, usize)) -> bool {
        let ends = |start: usize, length: usize| start.checked_add(length).filter(|_| length > 0);
        ends(self.left, self.width).is_some_and(|end| end <= width)
            && ends(self.top, self.height).is_some_and(|end| end <= height)
    }

    /// The largest crop of the shape of `(width, height)` in the middle of a picture.
    #[must_use]
    pub fn middle((w, h): (usize, usize), (width, height): (usize, usize)) -> Self {
        // Compared by products, which are exact.
        let (cw, ch) = if w * height > h * width {
            ((h * width / height).max(1), h)
        } else {
            (w, (w * height / width).max(1))
        };
        Self { left: (w - cw) / 2, top: (h - ch) / 2, width: cw, height: ch }
    }
}

impl From<[usize; 4]> for Crop {
    fn from([left, top, width, height]: [usize; 4]) -> Self {
        Self { left, top, width, height }
    }
}

impl From<Crop> for [usize; 4] {
    fn from(crop: Crop) -> Self {
        [crop.left, crop.top, crop.width, crop.height]
    }
}
