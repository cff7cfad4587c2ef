//! Shrinking by whole factors for detectors, and a crop brought to a size by Lanczos.
use crate::{Crop, Rgb, View};
use std::f64::consts::PI;

/// Lobes of the filter on each side.
const LOBES: f64 = 3.0;

/// Means of blocks of `factor` by `factor` pixels. What is left at the right and the bottom is
/// dropped; a side shorter than a block becomes one pixel.
#[must_use]
pub fn decimate(picture: View<'_>, factor: usize) -> Rgb {
    let (from_w, from_h) = picture.size();
    let factor = factor.max(1);
    if factor == 1 {
        return Rgb { width: from_w, height: from_h, rgb: picture.rgb().to_vec() };
    }
    let (across, down) = (factor.min(from_w), factor.min(from_h));
    let (width, height) = (from_w / across, from_h / down);
    let count = (across * down) as u32;
    let mut rgb = Vec::with_capacity(width * height * 3);
    // Rows first, many levels at once: so many fit into 16 bits.
    const ROWS: usize = 256;
    let (mut columns, mut sums) = (vec![0u16; 3 * from_w], vec![0u32; width * 3]);
    for y in 0..height {
        sums.fill(0);
        let end = (y + 1) * down;
        for start in (y * down..end).step_by(ROWS) {
            columns.fill(0);
            for row in (start..end.min(start + ROWS)).map(|y| picture.row(y)) {
                columns.iter_mut().zip(row).for_each(|(sum, level)| *sum += u16::from(*level));
            }
            let blocks = columns.chunks_exact(3 * across);
            for (sum, block) in sums.as_chunks_mut::<3>().0.iter_mut().zip(blocks) {
                for pixel in block.as_chunks::<3>().0 {
                    for (sum, level) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(*level);
                    }
                }
            }
        }
        rgb.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
    }
    Rgb { width, height, rgb }
}

/// The crop of a picture at `(width, height)`, resampled once by Lanczos with three lobes, which
/// takes means where it shrinks. Pixels around the crop count as far as the filter reaches.
///
/// # Panics
/// If the crop does not lie in the picture or a side of the size is 0.
#[must_use]
pub fn cut(picture: View<'_>, crop: Crop, (width, height): (usize, usize)) -> Rgb {
    assert!(crop.fits(picture.size()) && width * height > 0, "a crop lies in its picture");
    let rows = taps(crop.top, crop.height, picture.size().1, height);
    let columns = taps(crop.left, crop.width, picture.size().0, width);
    let first = columns.iter().map(|tap| tap.start).min().unwrap_or(0);
    let last = columns.iter().map(|tap| tap.start + tap.weights.len()).max().unwrap_or(0);
    let length = (last - first) * 3;
    // A row of the picture counts for several rows of the result: it is converted once.
    let held = rows.iter().map(|tap| tap.weights.len()).max().unwrap_or(1);
    let (mut levels, mut end) = (vec![0f32; held * length], 0);
    let mut sums = vec![0f32; length];
    let mut rgb = Vec::with_capacity(width * height * 3);
    for tap in &rows {
        for y in end.max(tap.start)..tap.start + tap.weights.len() {
            let row = &picture.row(y)[first * 3..last * 3];
            let to = &mut levels[y % held * length..][..length];
            to.iter_mut().zip(row).for_each(|(to, level)| *to = f32::from(*level));
            end = y + 1;
        }
        sums.fill(0.0);
        for (y, weight) in (tap.start..).zip(&tap.weights) {
            let row = &levels[y % held * length..][..length];
            sums.iter_mut().zip(row).for_each(|(sum, level)| *sum += weight * level);
        }
        let pixels = sums.as_chunks::<3>().0;
        for tap in &columns {
            let mut pixel = [0f32; 3];
            for (source, weight) in pixels[tap.start - first..].iter().zip(&tap.weights) {
                for (sum, value) in pixel.iter_mut().zip(source) {
                    *sum += weight * value;
                }
            }
            rgb.extend(pixel.map(rounded));
        }
    }
    Rgb { width, height, rgb }
}

/// The nearest level, of two the higher: what `round` gives, which is a call on processors without
/// SSE 4.1.
fn rounded(v: f32) -> u8 {
    let v = v.clamp(0.0, 255.0);
    let below = v as u8;
    below + u8::from(v - f32::from(below) >= 0.5)
}

/// The first source pixel of a result pixel, and the weights from there on.
struct Tap {
    start: usize,
    weights: Vec<f32>,
}

/// `from` and `span` are the part of an axis of `length` pixels that becomes `to` pixels.
fn taps(from: usize, span: usize, length: usize, to: usize) -> Vec<Tap> {
    let scale = span as f64 / to as f64;
    let wide = scale.max(1.0);
    let lanczos = |x: f64| if x.abs() < LOBES { sinc(x) * sinc(x / LOBES) } else { 0.0 };
    let tap = |i: usize| {
        let center = from as f64 + (i as f64 + 0.5) * scale;
        let start = (center - LOBES * wide + 0.5).max(0.0) as usize;
        let end = ((center + LOBES * wide + 0.5) as usize).clamp(start + 1, length.max(start + 1));
        let weight = |p: usize| lanczos((p as f64 + 0.5 - center) / wide);
        let weights: Vec<f64> = (start..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Tap { start, weights: weights.iter().map(|w| (w / sum) as f32).collect() }
    };
    (0..to).map(tap).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_means() {
        let rgb: Vec<u8> = [0, 10, 20, 30, 40, 255].into_iter().flat_map(|v| [v; 3]).collect();
        let picture = View::new(3, 2, &rgb).unwrap();
        assert_eq!(decimate(picture, 2), Rgb { width: 1, height: 1, rgb: vec![20; 3] });
        assert_eq!(decimate(picture, 1).rgb, rgb);
        assert_eq!(decimate(picture, 99).width, 1);
        // More rows than are added up at once.
        let tall = [[255; 3], [245; 3]].repeat(600).concat();
        let one = decimate(View::new(2, 600, &tall).unwrap(), 600);
        assert_eq!((one.width, one.height, one.rgb), (1, 1, vec![250; 3]));
    }

    #[test]
    fn a_crop_of_its_own_size_is_unchanged_and_flat_pictures_stay_flat() {
        let rgb: Vec<u8> = (0..9 * 8 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let picture = View::new(9, 8, &rgb).unwrap();
        let crop = Crop { left: 2, top: 1, width: 5, height: 6 };
        let same = cut(picture, crop, (5, 6));
        assert_eq!(same.rgb[..15], rgb[(9 + 2) * 3..][..15]);
        let flat = vec![201; 9 * 8 * 3];
        let picture = View::new(9, 8, &flat).unwrap();
        for size in [(1, 1), (3, 2), (40, 17)] {
            assert!(cut(picture, crop, size).rgb.iter().all(|v| *v == 201), "{size:?}");
        }
    }
}
