//! From coefficients to pixels: libjpeg's accurate integer transform, its chroma filter, its colors.
use super::{Component, Headers, Picture, Refused};

/// The picture of all samples. What is not needed any more is given back: of 50 million pixels the
/// coefficients of a progressive file hold 150 to 300 MB, and the pixels 150.
pub(super) fn picture(headers: &mut Headers) -> Result<Picture, Refused> {
    let (width, height) = (headers.width, headers.height);
    let most = headers.most();
    let mut planes = Vec::new();
    for c in &mut headers.components {
        if !most.0.is_multiple_of(c.h) || !most.1.is_multiple_of(c.v) {
            // libjpeg does not enlarge these samplings either.
            return Err(Refused::OtherKind);
        }
        if c.samples.is_empty() {
            let table = table(&headers.quantisation, c)?;
            transform(c, &table);
        }
        let (samples, times) = (std::mem::take(&mut c.samples), (most.0 / c.h, most.1 / c.v));
        planes.push(Plane { width: c.blocks.0 * 8, samples, size: c.size, times });
    }
    let channels = planes.len();
    let mut data = vec![0; channels * width * height];
    let mut lines = [Vec::new(), Vec::new(), Vec::new()];
    let is_rgb = is_rgb(headers);
    for (y, out) in data.chunks_exact_mut(channels * width).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            plane.row(y, width, line);
        }
        let [a, b, c] = &lines;
        let pixels = out.as_chunks_mut::<3>().0.iter_mut().zip(a.iter().zip(b).zip(c));
        match (channels, is_rgb) {
            (1, _) => out.copy_from_slice(a),
            (_, true) => pixels.for_each(|(out, ((r, g), b))| *out = [*r, *g, *b]),
            (_, false) => pixels.for_each(|(out, ((y, cb), cr))| *out = rgb(*y, *cb, *cr)),
        }
    }
    Ok(Picture { width, height, channels, data })
}

/// The quantization table of a component.
pub(super) fn table(all: &[Option<[u16; 64]>; 4], c: &Component) -> Result<[u16; 64], Refused> {
    all[c.quantisation].ok_or(Refused::Damaged("a quantization table is missing"))
}

/// libjpeg's guess: JFIF is YCbCr, Adobe says it, else names of components tell.
fn is_rgb(headers: &Headers) -> bool {
    match (headers.jfif, headers.adobe) {
        (true, _) => false,
        (false, Some(transform)) => transform == 0,
        (false, None) => headers.components.iter().map(|c| c.id).eq(*b"RGB"),
    }
}

fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let fix = |v: f64| (v * 65536.0 + 0.5) as i32;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let half = 1 << 15;
    let r = y + ((fix(1.402) * cr + half) >> 16);
    let g = y + ((-fix(0.34414) * cb + half - fix(0.71414) * cr) >> 16);
    let b = y + ((fix(1.772) * cb + half) >> 16);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

/// Samples of a component, whole blocks.
struct Plane {
    width: usize,
    samples: Vec<u8>,
    /// Columns and rows that belong to the picture.
    size: (usize, usize),
    /// How many times it is enlarged across and down.
    times: (usize, usize),
}

/// Makes samples of all coefficients, which are given back.
fn transform(c: &mut Component, table: &[u16; 64]) {
    c.keep_coefficients();
    c.samples = vec![0; c.coefficients.len()];
    let coefficients = std::mem::take(&mut c.coefficients);
    for (i, block) in coefficients.as_chunks::<64>().0.iter().enumerate() {
        place(c, (i % c.blocks.0, i / c.blocks.0), block, table);
    }
}

/// Makes samples of the block at `(x, y)`.
pub(super) fn place(
    c: &mut Component,
    (x, y): (usize, usize),
    block: &[i16; 64],
    table: &[u16; 64],
) {
    let width = c.blocks.0 * 8;
    let levels = inverse_transform(block, table);
    for (row, levels) in levels.as_chunks::<8>().0.iter().enumerate() {
        let at = (y * 8 + row) * width + x * 8;
        c.samples[at..at + 8].copy_from_slice(levels);
    }
}

impl Plane {
    /// A row at the picture's size.
    fn row(&self, y: usize, width: usize, out: &mut Vec<u8>) {
        let (across, down) = self.times;
        // Only samples of the picture count; the last row stands for those below it.
        let row = |y: usize| {
            let y = y.min(self.size.1 - 1);
            &self.samples[y * self.width..][..self.size.0]
        };
        let near = row(y / down);
        // the other row that a pixel's center lies towards
        let far = if y.is_multiple_of(down) {
            row((y / down).saturating_sub(1))
        } else {
            row(y / down + 1)
        };
        out.clear();
        match (across, down) {
            (1, 1) => out.extend(near),
            (2, 1) if self.size.0 > 2 => twice(near, out),
            (1, 2) => {
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                let pair =
                    |(n, f): (&u8, &u8)| ((u16::from(*n) * 3 + u16::from(*f) + bias) >> 2) as u8;
                out.extend(near.iter().zip(far).map(pair));
            }
            (2, 2) if self.size.0 > 2 => twice_of_two(near, far, out),
            _ => out.extend(near.iter().flat_map(|v| std::iter::repeat_n(*v, across))),
        }
        out.truncate(width);
    }
}

/// Bits after the point of the transform's constants.
const BITS: u32 = 13;
/// Bits kept between its two passes.
const BETWEEN: u32 = 2;

/// Loeffler, Ligtenberg and Moschytz' inverse cosine transform of 8 values with 11 multiplications.
fn eight(v: [i64; 8]) -> [i64; 8] {
    let z1 = (v[2] + v[6]) * 4433;
    let (t2, t3) = (z1 - v[6] * 15137, z1 + v[2] * 6270);
    let (t0, t1) = ((v[0] + v[4]) << BITS, (v[0] - v[4]) << BITS);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
    let (t0, t1, t2, t3) = (v[7], v[5], v[3], v[1]);
    let z5 = (t0 + t2 + t1 + t3) * 9633;
    let (z1, z2) = ((t0 + t3) * -7373, (t1 + t2) * -20995);
    let (z3, z4) = ((t0 + t2) * -16069 + z5, (t1 + t3) * -3196 + z5);
    let odd =
        [t3 * 12299 + z1 + z4, t2 * 25172 + z2 + z3, t1 * 16819 + z2 + z4, t0 * 2446 + z1 + z3];
    let mut out = [0; 8];
    for i in 0..4 {
        out[i] = even[i] + odd[i];
        out[7 - i] = even[i] - odd[i];
    }
    out
}

fn descale(v: i64, bits: u32) -> i64 {
    (v + (1 << (bits - 1))) >> bits
}

fn inverse_transform(block: &[i16; 64], table: &[u16; 64]) -> [u8; 64] {
    // Columns that have coefficients below their first; most have none.
    let mut below = [0i16; 8];
    for row in &block.as_chunks::<8>().0[1..] {
        below.iter_mut().zip(row).for_each(|(all, v)| *all |= v);
    }
    let level = |i: usize| i64::from(block[i]) * i64::from(table[i]);
    let mut work = [0i64; 64];
    for x in 0..8 {
        if below[x] == 0 {
            // What the transform gives, to the bit.
            let all = level(x) << BETWEEN;
            (0..8).for_each(|y| work[y * 8 + x] = all);
            continue;
        }
        let column = eight(std::array::from_fn(|y| level(y * 8 + x)));
        for (y, v) in column.into_iter().enumerate() {
            work[y * 8 + x] = descale(v, BITS - BETWEEN);
        }
    }
    let mut out = [0; 64];
    for (row, out) in work.as_chunks::<8>().0.iter().zip(out.as_chunks_mut::<8>().0) {
        let sample = |v: i64| (descale(v, BITS + BETWEEN + 3) + 128).clamp(0, 255) as u8;
        if row[1..].iter().all(|v| *v == 0) {
            out.fill(sample(row[0] << BITS));
        } else {
            *out = eight(*row).map(sample);
        }
    }
    out
}

/// Twice as many samples, at least 3, each three quarters of its own and one quarter of the nearest
/// other.
fn twice(row: &[u8], out: &mut Vec<u8>) {
    let mix =
        |own: u8, other: u8, half: u16| ((u16::from(own) * 3 + u16::from(other) + half) >> 2) as u8;
    let last = row.len() - 1;
    out.resize(2 * row.len(), 0);
    for (pair, w) in out[2..].as_chunks_mut::<2>().0.iter_mut().zip(row.windows(3)) {
        *pair = [mix(w[1], w[0], 1), mix(w[1], w[2], 2)];
    }
    (out[0], out[1]) = (row[0], mix(row[0], row[1], 2));
    (out[2 * last], out[2 * last + 1]) = (mix(row[last], row[last - 1], 1), row[last]);
}

/// The same in both directions, rounded once.
fn twice_of_two(near: &[u8], far: &[u8], out: &mut Vec<u8>) {
    let sums = near.iter().zip(far).map(|(n, f)| u16::from(*n) * 3 + u16::from(*f));
    let sums: Vec<u16> = sums.collect();
    let mix = |own: u16, other: u16, half: u16| ((own * 3 + other + half) >> 4) as u8;
    let last = sums.len() - 1;
    let edge = |own: u16, half: u16| ((own * 4 + half) >> 4) as u8;
    out.resize(2 * sums.len(), 0);
    for (pair, w) in out[2..].as_chunks_mut::<2>().0.iter_mut().zip(sums.windows(3)) {
        *pair = [mix(w[1], w[0], 8), mix(w[1], w[2], 7)];
    }
    (out[0], out[1]) = (edge(sums[0], 8), mix(sums[0], sums[1], 7));
    (out[2 * last], out[2 * last + 1]) = (mix(sums[last], sums[last - 1], 8), edge(sums[last], 7));
}
