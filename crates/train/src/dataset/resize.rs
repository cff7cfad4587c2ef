//! Resizing with the filters that kohya uses: OpenCV's and Pillow's, each with its own arithmetic.
//!
//! All are separable: a pixel is a weighted sum over a window of columns and of rows.
use super::pixels::Pixels;
use wayword_diffusion::pictures::{Resample, resample};

/// A resampling filter, by kohya's `resize_interpolation` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// OpenCV's area means; where a side grows, its linear form.
    Area,
    /// Pillow's Lanczos with 3 lobes.
    Lanczos,
    /// Pillow's box.
    Box,
    /// OpenCV's nearest pixel by centers.
    Nearest,
    /// OpenCV's linear, without antialiasing.
    Bilinear,
    /// OpenCV's cubic with a = -0.75, without antialiasing.
    Bicubic,
}

/// Names that [`Filter::parse`] takes.
pub const FILTERS: &[&str] = &["area", "lanczos", "box", "nearest", "bilinear", "bicubic"];

impl Filter {
    /// The filter of kohya's name; `linear` and `cubic` are other names of two.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "area" => Self::Area,
            "lanczos" => Self::Lanczos,
            "box" => Self::Box,
            "nearest" => Self::Nearest,
            "bilinear" | "linear" => Self::Bilinear,
            "bicubic" | "cubic" => Self::Bicubic,
            _ => return None,
        })
    }

    /// kohya's choice where none is set: area where no side grows, else Lanczos.
    #[must_use]
    pub fn default_for(from: (usize, usize), to: (usize, usize)) -> Self {
        if from.0 >= to.0 && from.1 >= to.1 { Self::Area } else { Self::Lanczos }
    }
}

/// Resizes `pixels` to `(width, height)`; with `None` by [`Filter::default_for`]. Pixels that have
/// the size already are kept as they are.
///
/// # Panics
/// If a side is 0.
#[must_use]
pub fn resize(pixels: &Pixels, to: (usize, usize), filter: Option<Filter>) -> Pixels {
    let from = pixels.size();
    assert!(from.0 * from.1 * to.0 * to.1 > 0, "sides are above 0");
    if from == to {
        return pixels.clone();
    }
    let filter = filter.unwrap_or_else(|| Filter::default_for(from, to));
    match filter {
        Filter::Lanczos => resample(pixels, to, Resample::Lanczos),
        Filter::Box => resample(pixels, to, Resample::Box),
        Filter::Area if from.0 >= to.0 && from.1 >= to.1 => {
            let half = from == (2 * to.0, 2 * to.1);
            float(pixels, to, area(from.0, to.0), area(from.1, to.1), half)
        }
        Filter::Area => float(pixels, to, area_up(from.0, to.0), area_up(from.1, to.1), false),
        Filter::Nearest => float(pixels, to, nearest(from.0, to.0), nearest(from.1, to.1), false),
        Filter::Bilinear => float(pixels, to, linear(from.0, to.0), linear(from.1, to.1), false),
        Filter::Bicubic => float(pixels, to, cubic(from.0, to.0), cubic(from.1, to.1), false),
    }
}

/// For each pixel of the result: source pixels and their weights.
type Taps = Vec<Vec<(usize, f32)>>;

fn area(from: usize, to: usize) -> Taps {
    let scale = from as f64 / to as f64;
    let tap = |i: usize| {
        let (start, end) = (i as f64 * scale, (i + 1) as f64 * scale);
        let width = scale.min(from as f64 - start);
        let last = (end.floor() as usize).min(from - 1);
        let first = (start.ceil() as usize).min(last);
        let mut taps = Vec::new();
        // OpenCV leaves out borders thinner than this.
        if first as f64 - start > 1e-3 {
            taps.push((first - 1, ((first as f64 - start) / width) as f32));
        }
        taps.extend((first..last).map(|p| (p, (1.0 / width) as f32)));
        if end - last as f64 > 1e-3 {
            let part = (end - last as f64).min(1.0).min(width);
            taps.push((last, (part / width) as f32));
        }
        taps
    };
    (0..to).map(tap).collect()
}

fn area_up(from: usize, to: usize) -> Taps {
    let scale = from as f64 / to as f64;
    let inverse = to as f64 / from as f64;
    let tap = |i: usize| {
        let at = (i as f64 * scale).floor();
        let part = (i + 1) as f64 - (at + 1.0) * inverse;
        let part = if part <= 0.0 { 0.0 } else { part - part.floor() };
        two(from, at, part as f32)
    };
    (0..to).map(tap).collect()
}

fn linear(from: usize, to: usize) -> Taps {
    let scale = from as f64 / to as f64;
    let tap = |i: usize| {
        let center = (i as f64 + 0.5) * scale - 0.5;
        two(from, center.floor(), (center - center.floor()) as f32)
    };
    (0..to).map(tap).collect()
}

/// The pixel `at` and the one after it, the border's pixel where one is outside.
fn two(from: usize, at: f64, part: f32) -> Vec<(usize, f32)> {
    if at < 0.0 {
        return vec![(0, 1.0)];
    }
    let at = at as usize;
    if at + 1 >= from { vec![(from - 1, 1.0)] } else { vec![(at, 1.0 - part), (at + 1, part)] }
}

fn cubic(from: usize, to: usize) -> Taps {
    const A: f64 = -0.75;
    let scale = from as f64 / to as f64;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let tap = |i: usize| {
        let center = (i as f64 + 0.5) * scale - 0.5;
        let x = center - center.floor();
        let weights = [far(x + 1.0), near(x), near(1.0 - x)];
        let weights = [weights[0], weights[1], weights[2], 1.0 - weights.iter().sum::<f64>()];
        let place = |j: usize| center.floor() + j as f64 - 1.0;
        let inside = |p: f64| p.clamp(0.0, (from - 1) as f64) as usize;
        weights.iter().enumerate().map(|(j, w)| (inside(place(j)), *w as f32)).collect()
    };
    (0..to).map(tap).collect()
}

/// OpenCV's `INTER_NEAREST_EXACT`, in its fixed point of 16 bits.
fn nearest(from: usize, to: usize) -> Taps {
    let step = ((from << 16) + to / 2) / to;
    let start = (step / 2).saturating_sub(from % 2);
    (0..to).map(|i| vec![(((step * i + start) >> 16).min(from - 1), 1.0)]).collect()
}

/// Weighted sums in f32, rounded once at the end, as OpenCV's area means are.
fn float(pixels: &Pixels, to: (usize, usize), columns: Taps, rows: Taps, half_up: bool) -> Pixels {
    let c = pixels.channels;
    let row_len = to.0 * c;
    let mut sums = vec![0f32; row_len];
    let mut data = Vec::with_capacity(row_len * to.1);
    // One squeezed source row is used by several rows of the result at most: keep the last few.
    let mut squeezed: Vec<Option<Vec<f32>>> = vec![None; pixels.height];
    let mut done = 0;
    for taps in &rows {
        sums.fill(0.0);
        let first = taps.iter().map(|t| t.0).min().unwrap_or(0);
        squeezed[done..first.max(done)].fill(None);
        done = done.max(first);
        for (y, weight) in taps {
            let row = squeezed[*y].get_or_insert_with(|| {
                let source = &pixels.data[y * pixels.width * c..(y + 1) * pixels.width * c];
                let mut out = vec![0f32; row_len];
                for (pixel, taps) in out.chunks_exact_mut(c).zip(&columns) {
                    for (x, weight) in taps {
                        for (o, v) in pixel.iter_mut().zip(&source[x * c..x * c + c]) {
                            *o += weight * f32::from(*v);
                        }
                    }
                }
                out
            });
            sums.iter_mut().zip(row.iter()).for_each(|(s, v)| *s += weight * v);
        }
        let round = |v: &f32| {
            let v = if half_up { (v + 0.5).floor() } else { v.round_ties_even() };
            v.clamp(0.0, 255.0) as u8
        };
        data.extend(sums.iter().map(round));
    }
    Pixels { width: to.0, height: to.1, channels: c, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Filter; 6] = [
        Filter::Area,
        Filter::Lanczos,
        Filter::Box,
        Filter::Nearest,
        Filter::Bilinear,
        Filter::Bicubic,
    ];

    #[test]
    fn flat_pictures_stay_flat_at_any_size() {
        let pixels = Pixels::filled(13, 7, 3, 201);
        for filter in ALL {
            for to in [(1, 1), (13, 7), (5, 20), (40, 3), (26, 14), (6, 7), (3, 2)] {
                let out = resize(&pixels, to, Some(filter));
                assert_eq!(out, Pixels::filled(to.0, to.1, 3, 201), "{filter:?} {to:?}");
            }
        }
    }

    #[test]
    fn area_of_whole_factors_is_the_mean() {
        let mut pixels = Pixels::filled(4, 2, 1, 0);
        pixels.data = vec![0, 1, 10, 20, 2, 3, 30, 40];
        assert_eq!(resize(&pixels, (2, 1), None).data, [2, 25]);
    }

    #[test]
    fn names_are_kohyas() {
        assert!(FILTERS.iter().all(|name| Filter::parse(name).is_some()));
        assert_eq!(Filter::parse("cubic"), Some(Filter::Bicubic));
        assert_eq!(Filter::parse("hamming"), None);
    }
}
