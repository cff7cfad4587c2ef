//! Gaussian blurs: OpenCV's for masks and Pillow's for filling.
use super::Pixels;

/// Blurs a mask along the columns and then along the rows, as OpenCV does with 8 bits: weights of
/// 1/256 whose rounding errors are carried on, borders mirrored at the last pixel.
#[must_use]
pub fn gaussian(mask: &Pixels, sigma: f64) -> Pixels {
    if sigma <= 0.0 {
        return mask.clone();
    }
    let weights = fixed_weights(sigma);
    transposed(&along_rows(&transposed(&along_rows(mask, &weights)), &weights))
}

/// The weights of a window of `2 int(2.5 sigma + 0.5) + 1` pixels, in 256ths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window's size")]
fn fixed_weights(sigma: f64) -> Vec<i64> {
    let half = (2.5 * sigma + 0.5) as usize;
    let bell = |i: usize| (-0.5 * (i as f64 - half as f64).powi(2) / (sigma * sigma)).exp();
    let exact: Vec<f64> = (0..=2 * half).map(bell).collect();
    let sum: f64 = exact.iter().sum();
    let mut out = vec![0; 2 * half + 1];
    let (mut carried, mut used) = (0.0, 0);
    for i in 0..half {
        let wanted = exact[i] / sum * 256.0 + carried;
        let taken = wanted.round_ties_even();
        carried = wanted - taken;
        (out[i], out[2 * half - i]) = (taken as i64, taken as i64);
        used += 2 * taken as i64;
    }
    out[half] = 256 - used;
    out
}

fn along_rows(mask: &Pixels, weights: &[i64]) -> Pixels {
    let half = weights.len() / 2;
    let last = mask.width as isize - 1;
    let mirrored = |mut x: isize| -> usize {
        while last > 0 && !(0..=last).contains(&x) {
            x = if x < 0 { -x } else { 2 * last - x };
        }
        x.clamp(0, last).unsigned_abs()
    };
    let places: Vec<usize> =
        (0..mask.width + 2 * half).map(|x| mirrored(x as isize - half as isize)).collect();
    let mut data = Vec::with_capacity(mask.data.len());
    for row in mask.data.chunks_exact(mask.width) {
        for x in 0..mask.width {
            let seen = places[x..x + weights.len()].iter();
            let sum: i64 = seen.zip(weights).map(|(p, w)| i64::from(row[*p]) * w).sum();
            data.push(((sum + 128) >> 8).clamp(0, 255) as u8);
        }
    }
    Pixels { data, ..mask.clone() }
}

/// Blurs all channels as Pillow does: three means of a window whose width is no whole number, along
/// the rows and then along the columns.
#[must_use]
pub fn pillow_gaussian(pixels: &Pixels, radius: f32) -> Pixels {
    let window = window(radius);
    let mut out = pixels.clone();
    for _ in 0..2 {
        for _ in 0..PASSES {
            out = mean_along_rows(&out, window);
        }
        out = transposed(&out);
    }
    out
}

const PASSES: u8 = 3;

/// Half the width of a mean's window, so that three of them have the deviation `radius` (Gwosdek
/// and others 2011).
fn window(radius: f32) -> f32 {
    let variance = radius * radius / f32::from(PASSES);
    let ideal = f64::from(12.0 * variance + 1.0).sqrt() as f32;
    let whole = ((ideal - 1.0) / 2.0).floor();
    let part = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
        / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
    whole + part
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window's width")]
fn mean_along_rows(pixels: &Pixels, window: f32) -> Pixels {
    let radius = window as usize;
    // Weights of the whole pixels and of the two at the ends, in 2^-24ths.
    let whole = (f64::from(1u32 << 24) / f64::from(window * 2.0 + 1.0)) as u64;
    let ends = ((1u64 << 24) - (2 * radius as u64 + 1) * whole) / 2;
    let (c, width) = (pixels.channels, pixels.width);
    let mut data = pixels.data.clone();
    for (row, out) in pixels.data.chunks_exact(width * c).zip(data.chunks_exact_mut(width * c)) {
        for channel in 0..c {
            let at = |x: isize| {
                let x = x.clamp(0, width as isize - 1).unsigned_abs();
                u64::from(row[x * c + channel])
            };
            let r = radius as isize;
            let mut sum: u64 = (-r - 1..r).map(at).sum();
            for x in 0..width {
                let here = x as isize;
                sum = sum + at(here + r) - at(here - r - 1);
                let bulk = sum * whole + (at(here - r - 1) + at(here + r + 1)) * ends;
                out[x * c + channel] = ((bulk + (1 << 23)) >> 24).min(255) as u8;
            }
        }
    }
    Pixels { data, ..pixels.clone() }
}

fn transposed(pixels: &Pixels) -> Pixels {
    let (width, height, c) = (pixels.width, pixels.height, pixels.channels);
    let mut data = Vec::with_capacity(pixels.data.len());
    for x in 0..width {
        for y in 0..height {
            let at = (y * width + x) * c;
            data.extend_from_slice(&pixels.data[at..at + c]);
        }
    }
    Pixels { width: height, height: width, channels: c, data }
}
