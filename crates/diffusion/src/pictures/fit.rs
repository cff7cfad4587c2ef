//! A picture brought to a size of another shape.
use super::{Pixels, Resample, resample, resample_from};

/// What happens where the shapes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The picture is stretched.
    #[default]
    Stretch,
    /// Its longer side is cut off at both ends.
    Crop,
    /// Its shorter side is filled up with its border.
    Fill,
}

impl Fit {
    const ALL: [Self; 3] = [Self::Stretch, Self::Crop, Self::Fill];

    /// Its name in the web UI.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stretch => "Just resize",
            Self::Crop => "Crop and resize",
            Self::Fill => "Resize and fill",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fit| fit.name().eq_ignore_ascii_case(name))
    }
}

/// Brings a picture to `(width, height)` by Lanczos, as the web UI's resize modes do.
///
/// # Panics
/// If a side is 0.
#[must_use]
pub fn fit(pixels: &Pixels, (width, height): (usize, usize), how: Fit) -> Pixels {
    // The shapes are compared as the web UI does: by quotients in f64.
    let (wanted, given) =
        (width as f64 / height as f64, pixels.width as f64 / pixels.height as f64);
    let by_width = pixels.height * width / pixels.width;
    let by_height = pixels.width * height / pixels.height;
    let inner = match how {
        Fit::Stretch => return resample(pixels, (width, height), Resample::Lanczos),
        Fit::Crop if wanted > given => (width, by_width),
        Fit::Crop => (by_height, height),
        Fit::Fill if wanted < given => (width, by_width),
        Fit::Fill => (by_height, height),
    };
    let inner = (inner.0.max(1), inner.1.max(1));
    let resized = resample(pixels, inner, Resample::Lanczos);
    let mut out = Pixels::filled(width, height, pixels.channels, 0);
    let half = |outer: usize, inner: usize| (outer / 2) as isize - (inner / 2) as isize;
    let (x, y) = (half(width, inner.0), half(height, inner.1));
    place(&mut out, &resized, (x, y));
    if how == Fit::Fill {
        let (w, h) = (inner.0 as f64, inner.1 as f64);
        let strip = |size, part| resample_from(&resized, size, Resample::Bicubic, part);
        if wanted < given && y > 0 {
            let size = (width, y.unsigned_abs());
            place(&mut out, &strip(size, [0.0, 0.0, w, 0.0]), (0, 0));
            place(&mut out, &strip(size, [0.0, h, w, h]), (0, y + inner.1 as isize));
        } else if wanted > given && x > 0 {
            let size = (x.unsigned_abs(), height);
            place(&mut out, &strip(size, [0.0, 0.0, 0.0, h]), (0, 0));
            place(&mut out, &strip(size, [w, 0.0, w, h]), (x + inner.0 as isize, 0));
        }
    }
    out
}

/// Pastes at a place that may lie outside.
fn place(out: &mut Pixels, other: &Pixels, (x, y): (isize, isize)) {
    let cut = |at: isize, length: usize| (at.min(0).unsigned_abs().min(length), length);
    let ((left, right), (top, bottom)) = (cut(x, other.width), cut(y, other.height));
    let seen = other.crop(super::Region { left, top, right, bottom });
    out.paste(&seen, (x.max(0).unsigned_abs(), y.max(0).unsigned_abs()));
}
