//! Pillow's resampling: each result pixel is a weighted sum over a window of columns, then of rows,
//! with integer weights, rounded to 8 bits after each.
use super::Pixels;
use std::f64::consts::PI;

/// A filter of Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resample {
    /// Means of areas.
    Box,
    /// Cubic with a = -0.5.
    Bicubic,
    /// Lanczos with 3 lobes.
    Lanczos,
}

impl Resample {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bicubic => cubic(x.abs()),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Resizes to `(width, height)`.
///
/// # Panics
/// If a side of either picture is 0.
#[must_use]
pub fn resample(pixels: &Pixels, to: (usize, usize), filter: Resample) -> Pixels {
    let (width, height) = (pixels.width as f64, pixels.height as f64);
    resample_from(pixels, to, filter, [0.0, 0.0, width, height])
}

/// Resizes a part of a picture: `part` is its left, top, right and bottom edge. An edge may equal
/// the opposite one; then the lines beside it are stretched.
///
/// # Panics
/// If a side of either picture is 0.
#[must_use]
pub fn resample_from(
    pixels: &Pixels,
    (width, height): (usize, usize),
    filter: Resample,
    [left, top, right, bottom]: [f64; 4],
) -> Pixels {
    assert!(pixels.width * pixels.height * width * height > 0, "sides are above 0");
    let c = pixels.channels;
    let mut out = pixels.clone();
    if width != pixels.width || left != 0.0 || right != width as f64 {
        let taps = taps(pixels.width, (left, right), width, filter);
        let mut data = Vec::with_capacity(width * pixels.height * c);
        for row in pixels.data.chunks_exact(pixels.width * c) {
            for (first, weights) in &taps {
                for channel in 0..c {
                    data.push(weighted(row[first * c + channel..].iter().step_by(c), weights));
                }
            }
        }
        out = Pixels { width, height: pixels.height, channels: c, data };
    }
    if height != pixels.height || top != 0.0 || bottom != height as f64 {
        let taps = taps(pixels.height, (top, bottom), height, filter);
        let row = width * c;
        let mut data = Vec::with_capacity(row * height);
        for (first, weights) in &taps {
            for x in 0..row {
                data.push(weighted(out.data[first * row + x..].iter().step_by(row), weights));
            }
        }
        out = Pixels { width, height, channels: c, data };
    }
    out
}

/// Bits after the point in the weights.
const PRECISION: u32 = 22;

/// For each pixel of the result: the first source pixel and integer weights.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a picture")]
fn taps(
    from: usize,
    (start, end): (f64, f64),
    to: usize,
    filter: Resample,
) -> Vec<(usize, Vec<i64>)> {
    let scale = (end - start) / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let tap = |i: usize| {
        let centre = start + (i as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let last = ((centre + support + 0.5) as usize).min(from);
        let weights: Vec<f64> =
            (first..last).map(|x| filter.weight((x as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |w: &f64| (w / sum * f64::from(1u32 << PRECISION)).round() as i64;
        (first, weights.iter().map(fixed).collect())
    };
    (0..to).map(tap).collect()
}

fn weighted<'a>(pixels: impl Iterator<Item = &'a u8>, weights: &[i64]) -> u8 {
    let sum: i64 = pixels.zip(weights).map(|(p, w)| i64::from(*p) * w).sum();
    ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
}
