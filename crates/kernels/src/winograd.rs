//! 3x3 convolutions of stride 1 with 4 products for each output instead of 9: F(2x2, 3x3) of
//! Winograd (Lavin and Gray 2015, arXiv 1509.09308), for bf16 products.
//!
//! A tile of 4 x 4 input pixels gives 2 x 2 outputs. Tiles are transformed to 16 values, so are
//! the weights' 3 x 3 taps, and for each of the 16 places there is one product over the channels;
//! the 16 sums are transformed back to 4. Weights are transformed panel by panel on the way into
//! scratch memory and serve all tiles of a band of the picture, so no second copy of them is
//! kept. The transforms add up to 4 values (with weights 1) before rounding to bf16, so the
//! error is about twice that of nine bf16 products; f32 products never come here.
use crate::packed::{Direction, Packed, PanelValue};
use crate::pool::Parts;
use crate::product::Finish;
use crate::tile::{Bf16, COLUMNS, Segment, multiply};
use crate::{Cpu, View, scratch};
use half::bf16;

mod transforms;

/// Tiles of a band: enough that the transform of a panel's weights is a twentieth of its products,
/// and few enough that the transformed tiles stay in a cache.
const BAND: usize = 256;
/// Tiles that are transformed by one piece of work.
const PIECE: usize = 32;
/// Tiles whose sums are held at a time.
const CHUNK: usize = 32;
/// Added to the distance of neighbouring places, which would otherwise often be a multiple of
/// 4 KB and put all 16 into the same lines of the first cache.
const APART: usize = 32;
/// Tiles from which on the transform of the weights pays.
const TILES: usize = 16;

/// Whether a convolution of stride 1 over `channels` of a picture of this size comes here.
pub(crate) fn pays(channels: usize, columns: usize, (height, width): (usize, usize)) -> bool {
    let tiles = height.div_ceil(2) * width.div_ceil(2);
    channels.is_multiple_of(16) && columns >= 16 && tiles >= TILES
}

/// y of pictures `[batch, size, channels]`; backward turns the taps around.
#[expect(clippy::too_many_arguments, reason = "each is a size of its own")]
pub(crate) fn run(
    cpu: &Cpu,
    kernel: Bf16,
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
    let each = (BAND / across).clamp(1, lines);
    let each = lines.div_ceil(lines.div_ceil(each));
    let panels = columns.div_ceil(COLUMNS);
    let zeros = vec![0.0_f32; channels];
    for picture in 0..batch {
        for first in (0..lines).step_by(each) {
            let band = each.min(lines - first);
            let tiles = band * across;
            let place = tiles * channels + APART;
            scratch::with(16 * place, |v: &mut [bf16]| {
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
                        transforms::tile(kernel, x, from, &zeros, to);
                    }
                });
                let v = &*v;
                cpu.pool.run(panels, |panel| {
                    let length = channels.next_multiple_of(COLUMNS) * COLUMNS;
                    scratch::with(16 * length, |u: &mut [bf16]| {
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
fn weights(
    cpu: &Cpu,
    kernel: Bf16,
    w: &Packed,
    direction: Direction,
    panel: usize,
    length: usize,
    u: &mut [bf16],
) {
    if let Some((taps, tap)) = bf16::in_place(w, direction, panel) {
        let taps = std::array::from_fn(|t| &taps[t * tap..t * tap + length]);
        return transforms::weights(kernel, taps, u);
    }
    scratch::with(9 * length, |made: &mut [bf16]| {
        let blocks = length / (COLUMNS * COLUMNS);
        for (t, to) in made.chunks_exact_mut(length).enumerate() {
            bf16::make(cpu.isa, w, direction, panel, t, 0..blocks, to);
        }
        // The gradient's convolution has its taps turned around.
        let taps = std::array::from_fn(|t| &made[(8 - t) * length..(9 - t) * length]);
        transforms::weights(kernel, taps, u);
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
fn products(
    cpu: &Cpu,
    kernel: Bf16,
    v: &[bf16],
    channels: usize,
    u: &[bf16],
    length: usize,
    panel: usize,
    band: Band,
    finish: &Finish<'_>,
) {
    let apart = CHUNK * COLUMNS + APART;
    scratch::with(16 * apart + 4 * CHUNK * COLUMNS, |all: &mut [f32]| {
        let (sums, c) = all.split_at_mut(16 * apart);
        let mut rows = Vec::with_capacity(4 * CHUNK);
        for start in (0..band.tiles).step_by(CHUNK) {
            let count = CHUNK.min(band.tiles - start);
            let starts: Vec<usize> = (start..start + count).map(|t| t * channels).collect();
            for p in 0..16 {
                let at = [Segment { offset: p * band.place, panel: p * length }];
                let sums = &mut sums[p * apart..][..count * COLUMNS];
                multiply(kernel, v, &starts, u, &at, channels / 2, sums, false);
            }
            rows.clear();
            for t in 0..count {
                let tile = start + t;
                let (line, column) = (band.first + tile / band.across, tile % band.across);
                let to = &mut c[rows.len() * COLUMNS..][..4 * COLUMNS];
                transforms::back(kernel, sums, t * COLUMNS, apart, to);
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
