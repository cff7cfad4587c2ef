//! Slices of values in one of the types in which activations lie in memory.
use crate::pool::Parts;
use half::bf16;

/// Height and width of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Grid {
    /// Number of pixels.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// Values that are read.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// Full.
    F32(&'a [f32]),
    /// Upper halves.
    Bf16(&'a [bf16]),
}

/// Values that are written.
#[derive(Debug)]
pub enum ViewMut<'a> {
    /// Full.
    F32(&'a mut [f32]),
    /// Upper halves.
    Bf16(&'a mut [bf16]),
}

impl View<'_> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::Bf16(v) => v.len(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ViewMut<'_> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::Bf16(v) => v.len(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a [f32]> for View<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a [bf16]> for View<'a> {
    fn from(values: &'a [bf16]) -> Self {
        Self::Bf16(values)
    }
}

impl<'a> From<&'a mut [f32]> for ViewMut<'a> {
    fn from(values: &'a mut [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a mut [bf16]> for ViewMut<'a> {
    fn from(values: &'a mut [bf16]) -> Self {
        Self::Bf16(values)
    }
}

/// A [`ViewMut`] whose parts several threads write.
#[derive(Debug)]
pub(crate) enum PartsMut<'a> {
    F32(Parts<'a, f32>),
    Bf16(Parts<'a, bf16>),
}

impl<'a> From<ViewMut<'a>> for PartsMut<'a> {
    fn from(view: ViewMut<'a>) -> Self {
        match view {
            ViewMut::F32(v) => Self::F32(Parts::new(v)),
            ViewMut::Bf16(v) => Self::Bf16(Parts::new(v)),
        }
    }
}

/// How far apart rows of so many values are best kept: not a multiple of 4 KB, which would put all
/// of them in the same places of a cache.
pub(crate) const fn apart<V>(length: usize) -> usize {
    if (length * size_of::<V>()).is_multiple_of(4096) {
        length + 64 / size_of::<V>()
    } else {
        length
    }
}
