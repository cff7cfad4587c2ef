//! From coefficients to pixels: libjpeg's accurate integer transform, its chroma filter, its colors.
//!
//! A row of units at a time: what is held of a picture is its pixels and two rows of units of each
//! component.
use super::canvas::{Canvas, Turning};
use super::{Headers, Picture, Refused, transform};

/// Makes pixels of rows of units.
pub(super) struct Rows {
    bands: Vec<Band>,
    /// Rows of pixels in a row of units.
    height: usize,
    /// Rows of units that are whole.
    done: usize,
    /// Whether the components are red, green and blue.
    is_rgb: bool,
    canvas: Canvas,
    lines: [Vec<u8>; 3],
}

impl Rows {
    /// Of a picture whose headers were read.
    pub(super) fn new(headers: &Headers, turning: Turning) -> Result<Self, Refused> {
        let most = headers.most();
        let mut bands = Vec::new();
        for c in &headers.components {
            if !most.0.is_multiple_of(c.h) || !most.1.is_multiple_of(c.v) {
                // libjpeg does not enlarge these samplings either.
                return Err(Refused::OtherKind);
            }
            let table = headers.quantisation[c.quantisation];
            let width = c.blocks.0 * 8;
            bands.push(Band {
                width,
                size: c.size,
                times: (most.0 / c.h, most.1 / c.v),
                table: table.ok_or(Refused::Damaged("a quantization table is missing"))?,
                samples: vec![0; 2 * 8 * c.v * width],
            });
        }
        let (size, channels) = ((headers.width, headers.height), bands.len());
        Ok(Self {
            bands,
            height: 8 * most.1,
            done: 0,
            is_rgb: is_rgb(headers),
            canvas: Canvas::new(size, channels, turning),
            lines: Default::default(),
        })
    }

    /// A component's samples.
    pub(super) fn band(&mut self, component: usize) -> &mut Band {
        &mut self.bands[component]
    }

    /// Makes pixels of the rows of units that are whole, of which this is one more.
    pub(super) fn next(&mut self, is_last: bool) {
        self.done += 1;
        let height = self.canvas.height();
        // Chroma's filter takes the row below, which the next row of units brings.
        let lag = self.height / 8;
        let end = if is_last { height } else { (self.done * self.height - lag).min(height) };
        let (bands, lines, is_rgb) = (&self.bands, &mut self.lines, self.is_rgb);
        while self.canvas.rows() < end {
            let y = self.canvas.rows();
            self.canvas.add(|out| {
                let width = out.len() / bands.len();
                for (band, line) in bands.iter().zip(&mut *lines) {
                    band.row(y, width, line);
                }
                let [a, b, c] = &*lines;
                let pixels = out.as_chunks_mut::<3>().0;
                match (bands.len(), is_rgb) {
                    (1, _) => out.copy_from_slice(a),
                    (_, false) => colors(pixels, a, b, c),
                    (_, true) => {
                        let levels = a.iter().zip(b.iter().zip(c));
                        pixels.iter_mut().zip(levels).for_each(|(to, (r, (g, b)))| {
                            *to = [*r, *g, *b];
                        });
                    }
                }
            });
        }
    }

    /// The picture.
    pub(super) fn finish(self) -> Picture {
        let channels = self.bands.len();
        let (width, height, data) = self.canvas.finish();
        Picture { width, height, channels, data }
    }
}

/// The picture of all coefficients.
pub(super) fn picture(headers: &mut Headers, turning: Turning) -> Result<Picture, Refused> {
    let mut rows = Rows::new(headers, turning)?;
    let mut components = std::mem::take(&mut headers.components);
    for (c, band) in components.iter_mut().zip(&mut rows.bands) {
        c.keep_coefficients();
        band.pack(&mut c.coefficients);
    }
    // Pixels come after the packing, which gives back half of the memory.
    let count = headers.height.div_ceil(rows.height);
    for unit in 0..count {
        for (c, band) in components.iter().zip(&mut rows.bands) {
            let rows = 8 * c.v;
            band.unpack(unit * rows..(unit + 1) * rows, &c.coefficients);
        }
        rows.next(unit + 1 == count);
    }
    Ok(rows.finish())
}

/// libjpeg's guess: JFIF is YCbCr, Adobe says it, else names of components tell.
fn is_rgb(headers: &Headers) -> bool {
    match (headers.jfif, headers.adobe) {
        (true, _) => false,
        (false, Some(transform)) => transform == 0,
        (false, None) => headers.components.iter().map(|c| c.id).eq(*b"RGB"),
    }
}

/// Pixels that are converted at once.
const GROUP: usize = 16;

/// libjpeg's colors of YCbCr, to the level.
fn colors(out: &mut [[u8; 3]], y: &[u8], cb: &[u8], cr: &[u8]) {
    let (groups, rest) = out.as_chunks_mut::<GROUP>();
    let (y, cb, cr) = (y.as_chunks::<GROUP>(), cb.as_chunks::<GROUP>(), cr.as_chunks::<GROUP>());
    for (out, (y, (cb, cr))) in groups.iter_mut().zip(y.0.iter().zip(cb.0.iter().zip(cr.0))) {
        *out = group(y, cb, cr);
    }
    let whole = |part: &[u8]| {
        let mut all = [0; GROUP];
        all[..part.len()].copy_from_slice(part);
        all
    };
    let last = group(&whole(y.1), &whole(cb.1), &whole(cr.1));
    rest.iter_mut().zip(last).for_each(|(to, from)| *to = from);
}

/// The factors 1.402, 0.34414, 0.71414 and 1.772 times 65536, less whole multiples of it, which are
/// added for themselves: so factors, and all but the products, have 16 bits.
#[inline]
fn group(y: &[u8; GROUP], cb: &[u8; GROUP], cr: &[u8; GROUP]) -> [[u8; 3]; GROUP] {
    let [mut red, mut green, mut blue] = [[0; GROUP]; 3];
    let product = |a: i16, b: i16| i32::from(a) * i32::from(b);
    let high = |v: i32| ((v + (1 << 15)) >> 16) as i16;
    let level = |v: i16| v.clamp(0, 255) as u8;
    for i in 0..GROUP {
        let (y, cb, cr) = (i16::from(y[i]), i16::from(cb[i]) - 128, i16::from(cr[i]) - 128);
        red[i] = level(y + cr + high(product(26345, cr)));
        green[i] = level(y - cr + high(product(18734, cr) + product(-22554, cb)));
        blue[i] = level(y + 2 * cb + high(product(-14942, cb)));
    }
    std::array::from_fn(|i| [red[i], green[i], blue[i]])
}

/// Samples of a component: its last two rows of units, in turn.
pub(super) struct Band {
    width: usize,
    /// Columns and rows that belong to the picture.
    size: (usize, usize),
    /// How many times it is enlarged across and down.
    times: (usize, usize),
    table: [u16; 64],
    samples: Vec<u8>,
}

impl Band {
    /// Makes samples of the block at `(x, y)`.
    pub(super) fn place(&mut self, (x, y): (usize, usize), block: &[i16; 64]) {
        let (width, held) = (self.width, self.samples.len());
        let start = y * 8 * width % held + x * 8;
        let levels = transform::inverse(block, &self.table);
        for (row, levels) in self.samples[start..].chunks_mut(width).zip(&levels) {
            row[..8].copy_from_slice(levels);
        }
    }

    /// Makes samples of all coefficients, two in the place of each, and gives back the other half.
    fn pack(&mut self, coefficients: &mut Vec<i16>) {
        let (width, mut rows) = (self.width, vec![0; self.width * 8]);
        for y in 0..coefficients.len() / (8 * width) {
            let blocks = coefficients[y * 8 * width..][..8 * width].as_chunks::<64>().0;
            for (x, block) in blocks.iter().enumerate() {
                let levels = transform::inverse(block, &self.table);
                for (row, levels) in rows.chunks_exact_mut(width).zip(&levels) {
                    row[x * 8..][..8].copy_from_slice(levels);
                }
            }
            let pairs = rows.as_chunks::<2>().0;
            let packed = &mut coefficients[y * 4 * width..][..4 * width];
            packed.iter_mut().zip(pairs).for_each(|(to, pair)| *to = i16::from_ne_bytes(*pair));
        }
        coefficients.truncate(coefficients.len() / 2);
        coefficients.shrink_to_fit();
    }

    /// Takes rows of packed samples.
    fn unpack(&mut self, rows: std::ops::Range<usize>, packed: &[i16]) {
        let half = self.width / 2;
        let start = rows.start * self.width % self.samples.len();
        let to = self.samples[start..][..rows.len() * self.width].as_chunks_mut::<2>().0;
        let packed = &packed[rows.start * half..rows.end * half];
        to.iter_mut().zip(packed).for_each(|(pair, packed)| *pair = packed.to_ne_bytes());
    }

    /// A row at the picture's size.
    fn row(&self, y: usize, width: usize, out: &mut Vec<u8>) {
        let (across, down) = self.times;
        // Only samples of the picture count; the last row stands for those below it.
        let row = |y: usize| {
            let y = y.min(self.size.1 - 1);
            &self.samples[y * self.width % self.samples.len()..][..self.size.0]
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
    let sum = |i: usize| u16::from(near[i]) * 3 + u16::from(far[i]);
    let mix = |own: u16, other: u16, half: u16| ((own * 3 + other + half) >> 4) as u8;
    let edge = |own: u16, half: u16| ((own * 4 + half) >> 4) as u8;
    let last = near.len() - 1;
    out.resize(2 * near.len(), 0);
    let windows = near.windows(3).zip(far.windows(3));
    for (pair, (n, f)) in out[2..].as_chunks_mut::<2>().0.iter_mut().zip(windows) {
        let [before, own, after] = std::array::from_fn(|i| u16::from(n[i]) * 3 + u16::from(f[i]));
        *pair = [mix(own, before, 8), mix(own, after, 7)];
    }
    (out[0], out[1]) = (edge(sum(0), 8), mix(sum(0), sum(1), 7));
    (out[2 * last], out[2 * last + 1]) = (mix(sum(last), sum(last - 1), 8), edge(sum(last), 7));
}
