//! A picture as a network wants it: cover-resized, center-cropped, `[3, h, w]`, normalized.
use super::{Normalize, RgbImage};

/// Values of one source axis that make one value of the target axis: first index and weights.
struct Tap {
    start: usize,
    weights: Vec<f32>,
}

/// Area weights for shrinking, linear ones for enlarging. `offset` and `span` are the part of the
/// source axis that is shown, in source pixels.
fn taps(source: usize, offset: f64, span: f64, target: usize) -> Vec<Tap> {
    let step = span / target as f64;
    let last = source - 1;
    let tap = |i: usize| {
        let (from, to) = (offset + i as f64 * step, offset + (i + 1) as f64 * step);
        let mut weights = Vec::new();
        let start;
        if step >= 1.0 {
            start = (from.floor() as usize).min(last);
            let end = (to.ceil() as usize).clamp(start + 1, source);
            for p in start..end {
                weights.push((to.min((p + 1) as f64) - from.max(p as f64)).max(0.0) as f32);
            }
        } else {
            let center = ((from + to) / 2.0 - 0.5).clamp(0.0, last as f64);
            start = (center.floor() as usize).min(last);
            let share = (center - start as f64) as f32;
            weights.push(1.0 - share);
            if start < last {
                weights.push(share);
            }
        }
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        Tap { start, weights }
    };
    (0..target).map(tap).collect()
}

/// `[3, height, width]` values for a network of the input size `(width, height)`.
pub(super) fn planes(picture: &RgbImage, size: (u32, u32), normalize: &Normalize) -> Vec<f32> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let (from_w, from_h) = (picture.width() as usize, picture.height() as usize);
    let scale = (from_w as f64 / width as f64).min(from_h as f64 / height as f64);
    let (span_w, span_h) = (width as f64 * scale, height as f64 * scale);
    let across = taps(from_w, (from_w as f64 - span_w) / 2.0, span_w, width);
    let down = taps(from_h, (from_h as f64 - span_h) / 2.0, span_h, height);
    let bytes = picture.as_raw();
    let mut rows = vec![0.0f32; from_h * width * 3];
    for (y, row) in rows.chunks_exact_mut(width * 3).enumerate() {
        for (x, tap) in across.iter().enumerate() {
            for (k, weight) in tap.weights.iter().enumerate() {
                let at = (y * from_w + tap.start + k) * 3;
                for c in 0..3 {
                    row[x * 3 + c] += weight * f32::from(bytes[at + c]);
                }
            }
        }
    }
    let mut out = vec![0.0f32; 3 * height * width];
    for (y, tap) in down.iter().enumerate() {
        for x in 0..width {
            for c in 0..3 {
                let column = tap.weights.iter().enumerate();
                let value: f32 =
                    column.map(|(k, w)| w * rows[((tap.start + k) * width + x) * 3 + c]).sum();
                let value = (value / 255.0 - normalize.mean[c]) / normalize.std[c];
                out[(c * height + y) * width + x] = value;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Normalize = Normalize { mean: [0.0; 3], std: [1.0; 3] };

    #[test]
    fn halving_averages_and_a_constant_stays() {
        let picture = RgbImage::from_fn(4, 2, |x, y| image::Rgb([(x * 10 + y * 4) as u8, 7, 0]));
        let got = planes(&picture, (2, 1), &PLAIN);
        let want = [7.0 / 255.0, 27.0 / 255.0, 7.0 / 255.0, 7.0 / 255.0, 0.0, 0.0];
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
        for size in [(1, 1), (3, 5), (9, 4), (8, 8)] {
            let flat = planes(&RgbImage::from_pixel(5, 3, image::Rgb([51; 3])), size, &PLAIN);
            assert!(flat.iter().all(|v| (v - 0.2).abs() < 1e-6), "{size:?} {flat:?}");
        }
    }

    #[test]
    fn a_wide_picture_is_cropped_in_the_middle() {
        let picture = RgbImage::from_fn(4, 2, |x, _| image::Rgb([(x * 10) as u8, 0, 0]));
        let got = planes(&picture, (2, 2), &PLAIN);
        assert!((got[0] * 255.0 - 10.0).abs() < 1e-4 && (got[1] * 255.0 - 20.0).abs() < 1e-4);
    }
}
