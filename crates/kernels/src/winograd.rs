//! 3x3 convolutions of stride 1 with 4 products for each output instead of 9: F(2x2, 3x3) of
//! Winograd (Lavin and Gray 2015, arXiv 1509.09308).
//!
//! A tile of 4 x 4 input pixels gives 2 x 2 outputs. Tiles are transformed to 16 values, so are
//! the weights' 3 x 3 taps, and for each of the 16 places there is one product over the channels;
//! the 16 sums are transformed back to 4. Weights are transformed panel by panel on the way into
//! scratch memory and serve all tiles of a band of the picture, so no second copy of them is
//! kept. The transforms add up to 4 values (with weights 1), before rounding where products are of
//! bf16, so the error is about twice that of nine products.
use crate::packed::{Direction, Packed, PanelValue};
use crate::pool::Parts;
use crate::product::Finish;
use crate::tile::{COLUMNS, Kernel, Segment, multiply};
use crate::{Cpu, Isa, View, scratch};

#[cfg(target_arch = "x86_64")]
mod pairs;
mod plain;

/// A kernel with the three transforms.
pub(crate) trait Transform: Kernel<Value: PanelValue> {
    /// Tiles whose sums are held at a time.
    const CHUNK: usize;
    /// Tiles of a band: enough that the transform of a panel's weights is a twentieth of its
    /// products, and few enough that the transformed tiles stay in a cache.
    const BAND: usize;
    /// Tiles of a picture from which on the transform of the weights pays.
    const LEAST: usize;

    /// B^T d B of one tile: the 16 places, from where pixel i of the tile's 16 begins in x, `None`
    /// outside of the picture. `zeros` are as many as there are channels.
    fn pixels(
        self,
        isa: Isa,
        x: View<'_>,
        from: impl Fn(usize) -> Option<usize>,
        zeros: &[f32],
        to: [&mut [Self::Value]; 16],
    );

    /// G g G^T: 16 panels, one after the other, from 9 of equal length.
    fn weights(self, isa: Isa, taps: [&[Self::Value]; 9], to: &mut [Self::Value]);

    /// A^T m A: the 2 x 2 outputs of one tile, 32 columns each. Place p of the tile's 16 sums is
    /// at `sums[p * apart + at..]`.
    fn back(self, isa: Isa, sums: &[f32], at: usize, apart: usize, out: &mut [f32]);
}

/// Tiles that are transformed by one piece of work.
const PIECE: usize = 32;
/// Added to the distance of neighbouring places, which would otherwise often be a multiple of
/// 4 KB and put all 16 into the same lines of the first cache.
const APART: usize = 32;

/// Whether a convolution of stride 1 over `channels` of a picture of this size comes here.
pub(crate) fn pays<K: Transform>(
    _: K,
    channels: usize,
    columns: usize,
    (height, width): (usize, usize),
) -> bool {
    let tiles = height.div_ceil(2) * width.div_ceil(2);
    channels.is_multiple_of(16) && columns >= 16 && tiles >= K::LEAST
}

/// y of pictures `[batch, size, channels]`; backward turns the taps around.
#[expect(clippy::too_many_arguments, reason = "each is a size of its own")]
pub(crate) fn run<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    x: View<'_>,
    batch: usize,
    size: (usize, usize),
    w: &Packed,
    direction: Direction,
    finish: &Finish<'_>,
) {
    let (columns, channels) = w.sizes(direction);
    let pixels = size.0 * size.1;
    assert_eq!(x.len(), batch * pixels * channels, "pictures of their size");
    let across = size.1.div_ceil(2);
    let lines = size.0.div_ceil(2);
    let each = (K::BAND / across).clamp(1, lines);
    let each = lines.div_ceil(lines.div_ceil(each));
    let panels = columns.div_ceil(COLUMNS);
    let zeros = vec![0.0_f32; channels];
    for picture in 0..batch {
        for first in (0..lines).step_by(each) {
            let band = each.min(lines - first);
            let tiles = band * across;
            let place = tiles * channels + APART;
            scratch::with(16 * place, |v: &mut [K::Value]| {
                let parts = Parts::new(v);
                cpu.pool.run(tiles.div_ceil(PIECE), |piece| {
                    for tile in piece * PIECE..tiles.min((piece + 1) * PIECE) {
                        let (line, column) = (first + tile / across, tile % across);
                        let from = |i: usize| {
                            let row = (2 * line + i / 4).checked_sub(1)?;
                            let column = (2 * column + i % 4).checked_sub(1)?;
                            let inside = row < size.0 && column < size.1;
                            let pixel = picture * pixels + row * size.1 + column;
                            inside.then_some(pixel * channels)
                        };
                        // SAFETY: each tile has its own row at each of the 16 places.
                        let to = std::array::from_fn(|p| unsafe {
                            parts.part(p * place + tile * channels, channels)
                        });
                        kernel.pixels(cpu.isa, x, from, &zeros, to);
                    }
                });
                let v = &*v;
                cpu.pool.run(panels, |panel| {
                    let length = channels.next_multiple_of(COLUMNS) * COLUMNS;
                    scratch::with(16 * length, |u: &mut [K::Value]| {
                        weights(cpu, kernel, w, direction, panel, length, u);
                        let band = Band { picture, first, across, tiles, place, size };
                        products(cpu, kernel, v, channels, u, length, panel, band, finish);
                    });
                });
            });
        }
    }
}

/// The transformed weights of a panel: 16 panels one after the other.
fn weights<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    w: &Packed,
    direction: Direction,
    panel: usize,
    length: usize,
    u: &mut [K::Value],
) {
    if let Some((taps, tap)) = K::Value::in_place(w, direction, panel) {
        let taps = std::array::from_fn(|t| &taps[t * tap..t * tap + length]);
        return kernel.weights(cpu.isa, taps, u);
    }
    scratch::with(9 * length, |made: &mut [K::Value]| {
        let blocks = length / (COLUMNS * COLUMNS);
        for (t, to) in made.chunks_exact_mut(length).enumerate() {
            K::Value::make(cpu.isa, w, direction, panel, t, 0..blocks, to);
        }
        // The gradient's convolution has its taps turned around.
        let of = |t: usize| if direction == Direction::Backward { 8 - t } else { t };
        let taps = std::array::from_fn(|t| &made[of(t) * length..(of(t) + 1) * length]);
        kernel.weights(cpu.isa, taps, u);
    });
}

/// Where a band of tiles lies.
#[derive(Clone, Copy)]
struct Band {
    picture: usize,
    /// Its first line of tiles.
    first: usize,
    /// Tiles of one line.
    across: usize,
    tiles: usize,
    /// From place to place of the transformed tiles.
    place: usize,
    /// Height and width of the picture.
    size: (usize, usize),
}

#[expect(clippy::too_many_arguments, reason = "two factors with their sizes")]
fn products<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    v: &[K::Value],
    channels: usize,
    u: &[K::Value],
    length: usize,
    panel: usize,
    band: Band,
    finish: &Finish<'_>,
) {
    let apart = K::CHUNK * COLUMNS + APART;
    scratch::with(16 * apart + 4 * K::CHUNK * COLUMNS, |all: &mut [f32]| {
        let (sums, c) = all.split_at_mut(16 * apart);
        let mut rows = Vec::with_capacity(4 * K::CHUNK);
        let mut starts = Vec::with_capacity(K::CHUNK);
        for start in (0..band.tiles).step_by(K::CHUNK) {
            let count = K::CHUNK.min(band.tiles - start);
            starts.clear();
            starts.extend((start..start + count).map(|t| t * channels));
            for p in 0..16 {
                let at = [Segment { offset: p * band.place, panel: p * length }];
                let sums = &mut sums[p * apart..][..count * COLUMNS];
                multiply(kernel, v, &starts, u, &at, channels / K::PAIR, sums, false);
            }
            rows.clear();
            for t in 0..count {
                let tile = start + t;
                let (line, column) = (band.first + tile / band.across, tile % band.across);
                let to = &mut c[rows.len() * COLUMNS..][..4 * COLUMNS];
                kernel.back(cpu.isa, sums, t * COLUMNS, apart, to);
                let before = rows.len();
                for i in 0..4 {
                    let (row, column) = (2 * line + i / 2, 2 * column + i % 2);
                    if row < band.size.0 && column < band.size.1 {
                        // At the edge of a picture of odd size the others move up.
                        let (from, now) = (i * COLUMNS, (rows.len() - before) * COLUMNS);
                        if from != now {
                            to.copy_within(from..from + COLUMNS, now);
                        }
                        let pixel = band.picture * band.size.0 * band.size.1;
                        rows.push(pixel + row * band.size.1 + column);
                    }
                }
            }
            // SAFETY: this piece alone has these tiles' pixels and this panel's columns.
            unsafe { finish.rows(cpu.isa, &c[..rows.len() * COLUMNS], &rows, panel * COLUMNS) };
        }
    });
}
