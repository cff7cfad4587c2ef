//! From coefficients to pixels: libjpeg's accurate integer transform, its chroma filter, its colors.
use super::{Component, Headers, Picture, Refused};

/// The picture of all coefficients. They are given back as they become samples: of 50 million pixels
/// they hold 150 to 300 MB.
pub(super) fn picture(headers: &mut Headers) -> Result<Picture, Refused> {
    let (width, height) = (headers.width, headers.height);
    let most = |f: fn(&Component) -> usize| headers.components.iter().map(f).max().unwrap_or(1);
    let most = (most(|c| c.h), most(|c| c.v));
    let mut planes = Vec::new();
    for c in &mut headers.components {
        let table = headers.quantisation[c.quantisation];
        let table = table.ok_or(Refused::Damaged("a quantisation table is missing"))?;
        let samples = plane(c, &table);
        c.coefficients = Vec::new();
        planes.push(enlarge(&samples, c, most, (width, height)).ok_or(Refused::OtherKind)?);
    }
    let channels = planes.len();
    let data = match &planes[..] {
        [_] => planes.remove(0),
        [a, b, c] => {
            let three = a.iter().zip(b).zip(c);
            // A flattened iterator does not know its length, and growing holds the pixels twice.
            let mut data = Vec::with_capacity(3 * width * height);
            if is_rgb(headers) {
                data.extend(three.flat_map(|((r, g), b)| [*r, *g, *b]));
            } else {
                data.extend(three.flat_map(|((y, cb), cr)| rgb(*y, *cb, *cr)));
            }
            data
        }
        _ => return Err(Refused::OtherKind),
    };
    Ok(Picture { width, height, channels, data })
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
}

fn plane(c: &Component, table: &[u16; 64]) -> Plane {
    let width = c.blocks.0 * 8;
    let mut samples = vec![0; width * c.blocks.1 * 8];
    for (i, block) in c.coefficients.chunks_exact(64).enumerate() {
        let (x, y) = (i % c.blocks.0 * 8, i / c.blocks.0 * 8);
        let levels = inverse_transform(block, table);
        for (row, levels) in levels.chunks_exact(8).enumerate() {
            let at = (y + row) * width + x;
            samples[at..at + 8].copy_from_slice(levels);
        }
    }
    Plane { width, samples }
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

fn inverse_transform(block: &[i16], table: &[u16; 64]) -> [u8; 64] {
    let mut work = [0i64; 64];
    for x in 0..8 {
        let column =
            std::array::from_fn(|y| i64::from(block[y * 8 + x]) * i64::from(table[y * 8 + x]));
        for (y, v) in eight(column).into_iter().enumerate() {
            work[y * 8 + x] = descale(v, BITS - BETWEEN);
        }
    }
    let mut out = [0; 64];
    for (row, out) in work.chunks_exact(8).zip(out.chunks_exact_mut(8)) {
        let row = eight(std::array::from_fn(|x| row[x]));
        for (v, out) in row.into_iter().zip(out) {
            *out = (descale(v, BITS + BETWEEN + 3) + 128).clamp(0, 255) as u8;
        }
    }
    out
}

/// A component at the picture's size. `None` for samplings that libjpeg does not enlarge either.
fn enlarge(
    plane: &Plane,
    c: &Component,
    most: (usize, usize),
    (width, height): (usize, usize),
) -> Option<Vec<u8>> {
    if !most.0.is_multiple_of(c.h) || !most.1.is_multiple_of(c.v) {
        return None;
    }
    let (across, down) = (most.0 / c.h, most.1 / c.v);
    // Only samples of the picture count; the last row stands for those below it.
    let row = |y: usize| {
        let y = y.min(c.size.1 - 1);
        &plane.samples[y * plane.width..][..c.size.0]
    };
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let near = row(y / down);
        // the other row that a pixel's center lies towards
        let far = if y % down == 0 { row((y / down).saturating_sub(1)) } else { row(y / down + 1) };
        let line: Vec<u8> = match (across, down) {
            (1, 1) => near.to_vec(),
            (2, 1) if c.size.0 > 2 => twice(near),
            (1, 2) => {
                let bias = if y % 2 == 0 { 1 } else { 2 };
                let pairs = near.iter().zip(far);
                pairs
                    .map(|(n, f)| ((u16::from(*n) * 3 + u16::from(*f) + bias) >> 2) as u8)
                    .collect()
            }
            (2, 2) if c.size.0 > 2 => twice_of_two(near, far),
            _ => near.iter().flat_map(|v| std::iter::repeat_n(*v, across)).collect(),
        };
        out.extend(&line[..width]);
    }
    Some(out)
}

/// Twice as many samples, each three quarters of its own and one quarter of the nearest other.
fn twice(row: &[u8]) -> Vec<u8> {
    let at = |i: usize| u16::from(row[i]);
    let last = row.len() - 1;
    let pair = |i: usize| {
        let left = if i == 0 { row[0] } else { ((at(i) * 3 + at(i - 1) + 1) >> 2) as u8 };
        let right = if i == last { row[last] } else { ((at(i) * 3 + at(i + 1) + 2) >> 2) as u8 };
        [left, right]
    };
    (0..row.len()).flat_map(pair).collect()
}

/// The same in both directions, rounded once.
fn twice_of_two(near: &[u8], far: &[u8]) -> Vec<u8> {
    let at = |i: usize| u16::from(near[i]) * 3 + u16::from(far[i]);
    let last = near.len() - 1;
    let pair = |i: usize| {
        let left = if i == 0 { at(0) * 4 + 8 } else { at(i) * 3 + at(i - 1) + 8 };
        let right = if i == last { at(last) * 4 + 7 } else { at(i) * 3 + at(i + 1) + 7 };
        [(left >> 4) as u8, (right >> 4) as u8]
    };
    (0..near.len()).flat_map(pair).collect()
}
