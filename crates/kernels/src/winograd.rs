//! 3x3 convolutions of stride 1 with 4 products for each output instead of 9, or 2.25: F(2x2, 3x3)
//! and F(4x4, 3x3) of Winograd (Lavin and Gray 2015, arXiv 1509.09308).
//!
//! A tile of 4 x 4 input pixels gives 2 x 2 outputs. Tiles are transformed to 16 values, so are
//! the weights' 3 x 3 taps, and for each of the 16 places there is one product over the channels;
//! the 16 sums are transformed back to 4. Weights are transformed panel by panel on the way into
//! scratch memory and serve all tiles of a band of the picture, so no second copy of them is
//! kept. The transforms add up to 4 values (with weights 1), before rounding where products are of
//! bf16, so the error is about twice that of nine products. Tiles of 6 x 6 give 4 x 4 outputs by
//! 36 products ([`F4x4`]); their transforms have weights up to 2.8, which f32 alone can bear.
use crate::packed::{Direction, Packed, PanelValue};
use crate::pool::Parts;
use crate::product::Finish;
use crate::tile::{COLUMNS, Kernel, Product, Segment, multiply, share};
use crate::{Cpu, Grid, Isa, View, schedule, scratch};
use half::bf16;
use std::ops::Range;

mod f2x2;
#[cfg(target_arch = "x86_64")]
mod f2x2_bf16;
mod f4x4;

pub(crate) use f4x4::F4x4;

/// Places of the largest tile.
const MOST: usize = 36;

/// A kernel with the three transforms.
pub(crate) trait Transform: Kernel<Value: PanelValue> {
    /// Outputs on a side of a tile; of inputs there are two more.
    const OUT: usize;
    /// Tiles whose sums are held at a time.
    const CHUNK: usize;
    /// Tiles of a band: enough that the transform of a panel's weights is a twentieth of its
    /// products, and few enough that the transformed tiles stay in a cache.
    const BAND: usize;
    /// Tiles of a picture from which on the transform of the weights pays, and those from which
    /// on it pays where the weights are kept transformed.
    const LEAST: usize;
    const LEAST_KEPT: usize = Self::LEAST;
    /// Channels up to which two panels share a reading of the transformed tiles.
    const PAIRS: usize = 0;

    /// B^T d B of one tile: its places, from where pixel i of the tile begins in x, `None`
    /// outside of the picture. `zeros` are as many as there are channels.
    fn pixels(
        self,
        isa: Isa,
        x: View<'_>,
        from: impl Fn(usize) -> Option<usize>,
        zeros: &[f32],
        to: &mut [&mut [Self::Value]],
    );

    /// G g G^T: a panel for each place, one after the other, from 9 of equal length.
    fn weights(self, isa: Isa, taps: [&[Self::Value]; 9], to: &mut [Self::Value]);

    /// A^T m A: the outputs of one tile, 32 columns each. Place p of the tile's sums is
    /// at `sums[p * apart + at..]`.
    fn back(self, isa: Isa, sums: &[f32], at: usize, apart: usize, out: &mut [f32]);
}

/// The pixels of one tile, with their channels.
enum Pixels<'a, const N: usize> {
    F32([&'a [f32]; N]),
    Bf16([&'a [bf16]; N]),
}

/// A tile's pixels as [`Transform::pixels`] is told of them.
fn gather<'a, const N: usize>(
    x: View<'a>,
    from: impl Fn(usize) -> Option<usize>,
    zeros: &'a [f32],
) -> Pixels<'a, N> {
    let channels = zeros.len();
    match x {
        View::F32(x) => {
            Pixels::F32(std::array::from_fn(|i| from(i).map_or(zeros, |at| &x[at..at + channels])))
        }
        View::Bf16(x) => {
            // Zeros of f32 are twice as many zeros of bf16.
            let zeros: &[bf16] = &bytemuck::cast_slice(zeros)[..channels];
            Pixels::Bf16(std::array::from_fn(|i| from(i).map_or(zeros, |at| &x[at..at + channels])))
        }
    }
}

/// Tiles that are transformed by one piece of work.
const PIECE: usize = 8;
/// Added to the distance of neighboring places, which would otherwise often be a multiple of
/// 4 KB and put all of them into the same lines of the first cache.
const APART: usize = 32;

/// Whether a convolution of stride 1 in this direction of pictures of this size comes here. Their
/// number does not count, so that a picture's values do not depend on those beside it.
pub(crate) fn pays<K: Transform>(_: K, w: &Packed, direction: Direction, size: Grid) -> bool {
    let (columns, channels) = w.sizes(direction);
    let tiles = size.height.div_ceil(K::OUT) * size.width.div_ceil(K::OUT);
    let least = if w.small() { K::LEAST_KEPT } else { K::LEAST };
    channels.is_multiple_of(16) && columns >= 16 && tiles >= least
}

/// y of pictures `[batch, size, channels]`; backward turns the taps around.
#[expect(clippy::too_many_arguments, reason = "each is a size of its own")]
pub(crate) fn run<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    x: View<'_>,
    batch: usize,
    size: Grid,
    w: &Packed,
    direction: Direction,
    finish: &Finish<'_>,
) {
    let (columns, channels) = w.sizes(direction);
    let pixels = size.pixels();
    assert_eq!(x.len(), batch * pixels * channels, "pictures of their size");
    let (out, side) = (K::OUT, K::OUT + 2);
    let places = side * side;
    let across = size.width.div_ceil(out);
    // Lines of tiles are counted through all pictures.
    let of_one = size.height.div_ceil(out);
    let lines = batch * of_one;
    let each = (K::BAND / across).clamp(1, lines);
    let each = lines.div_ceil(lines.div_ceil(each));
    let panels = columns.div_ceil(COLUMNS);
    let zeros = vec![0.0_f32; channels];
    let length = channels.next_multiple_of(COLUMNS) * COLUMNS;
    // One kind of transform is kept: the others are for pictures that repay it at once.
    let kept_tiles = (out == 2).then(|| {
        w.tiles(direction, panels * places * length, |transformed: &mut [K::Value]| {
            for (panel, u) in transformed.chunks_exact_mut(places * length).enumerate() {
                weights(cpu, kernel, w, direction, panel, length, u);
            }
        })
    });
    let kept_tiles = kept_tiles.flatten();
    for first in (0..lines).step_by(each) {
        let tiles = each.min(lines - first) * across;
        let place = tiles * channels + APART;
        let band = Band { first, of_one, across, place, size };
        scratch::with(places * place, |v: &mut [K::Value]| {
            let parts = Parts::new(v);
            cpu.pool.run(tiles.div_ceil(PIECE), |piece| {
                for tile in piece * PIECE..tiles.min((piece + 1) * PIECE) {
                    let (picture, line, column) = band.tile(tile);
                    let from = |i: usize| {
                        let row = (out * line + i / side).checked_sub(1)?;
                        let column = (out * column + i % side).checked_sub(1)?;
                        let inside = row < size.height && column < size.width;
                        let pixel = picture * pixels + row * size.width + column;
                        inside.then_some(pixel * channels)
                    };
                    let mut to: [&mut [K::Value]; MOST] =
                        std::array::from_fn(|_| Default::default());
                    for (p, to) in to[..places].iter_mut().enumerate() {
                        // SAFETY: each tile has its own row at each of the places.
                        *to = unsafe { parts.part(p * place + tile * channels, channels) };
                    }
                    kernel.pixels(cpu.isa, x, from, &zeros, &mut to[..places]);
                }
            });
            let v = &*v;
            if let Some(kept_tiles) = kept_tiles {
                // Pieces of a panel, so that threads end at nearly the same time.
                let chunk = (tiles / 4).next_multiple_of(8).min(K::CHUNK);
                cpu.pool.run(panels * tiles.div_ceil(chunk), |i| {
                    let (panel, start) = (i % panels, i / panels * chunk);
                    let u = &kept_tiles[panel * places * length..][..places * length];
                    let part = start..tiles.min(start + chunk);
                    products(cpu, kernel, v, channels, (u, panel), band, part, finish);
                    finish.done();
                });
                return;
            }
            let threads = cpu.pool.threads();
            let pairs = channels <= K::PAIRS;
            let groups = if pairs { schedule::groups_of_panels(panels, threads) } else { panels };
            let parts = schedule::parts_of_band(groups, tiles, threads);
            cpu.pool.run(groups * parts, |i| {
                let (group, part) = (i % groups, i / groups);
                let panels = schedule::panels_of_group(group, panels, groups);
                let part = part * tiles / parts..(part + 1) * tiles / parts;
                scratch::with(panels.len() * places * length, |u: &mut [K::Value]| {
                    for (panel, u) in panels.clone().zip(u.chunks_exact_mut(places * length)) {
                        weights(cpu, kernel, w, direction, panel, length, u);
                    }
                    products(cpu, kernel, v, channels, (u, panels.start), band, part, finish);
                });
                finish.done();
            });
        });
    }
}

/// The transformed weights of a panel: one for each place, one after the other.
fn weights<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    w: &Packed,
    direction: Direction,
    panel: usize,
    length: usize,
    u: &mut [K::Value],
) {
    // The gradient's convolution has its taps turned around.
    let source_tap = |t: usize| if direction == Direction::Backward { 8 - t } else { t };
    if let Some((taps, tap)) = K::Value::in_place(w, direction, panel) {
        let taps =
            std::array::from_fn(|t| &taps[source_tap(t) * tap..source_tap(t) * tap + length]);
        return kernel.weights(cpu.isa, taps, u);
    }
    scratch::with(9 * length, |made: &mut [K::Value]| {
        let blocks = length / (COLUMNS * COLUMNS);
        for (t, to) in made.chunks_exact_mut(length).enumerate() {
            K::Value::make(cpu.isa, w, direction, panel, t, 0..blocks, to);
        }
        let taps =
            std::array::from_fn(|t| &made[source_tap(t) * length..(source_tap(t) + 1) * length]);
        kernel.weights(cpu.isa, taps, u);
    });
}

/// Where a band of tiles lies.
#[derive(Clone, Copy)]
struct Band {
    /// Its first line of tiles, and those of one picture.
    first: usize,
    of_one: usize,
    /// Tiles of one line.
    across: usize,
    /// From place to place of the transformed tiles.
    place: usize,
    /// Height and width of a picture.
    size: Grid,
}

impl Band {
    /// Picture, line and column of a tile.
    fn tile(&self, i: usize) -> (usize, usize, usize) {
        let line = self.first + i / self.across;
        (line / self.of_one, line % self.of_one, i % self.across)
    }
}

#[expect(clippy::too_many_arguments, reason = "two factors with their sizes")]
fn products<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    v: &[K::Value],
    channels: usize,
    (u, first): (&[K::Value], usize),
    band: Band,
    tiles: Range<usize>,
    finish: &Finish<'_>,
) {
    let (out, outputs) = (K::OUT, K::OUT * K::OUT);
    let places = (K::OUT + 2) * (K::OUT + 2);
    let length = channels.next_multiple_of(COLUMNS) * COLUMNS;
    let panels = u.len() / (places * length);
    let apart = K::CHUNK * COLUMNS + APART;
    let sizes = [panels * places * apart, outputs * K::CHUNK * COLUMNS];
    scratch::with(sizes.iter().sum(), |memory: &mut [f32]| {
        let (sums, c) = memory.split_at_mut(sizes[0]);
        let most = K::CHUNK.min(tiles.len());
        let (mut rows, mut starts) = (Vec::with_capacity(outputs * most), Vec::with_capacity(most));
        for start in tiles.clone().step_by(K::CHUNK) {
            let count = K::CHUNK.min(tiles.end - start);
            starts.clear();
            starts.extend((start..start + count).map(|t| t * channels));
            for p in 0..places {
                // Panels share a reading of the tiles; the next place's are fetched meanwhile.
                let (place, next) = match p + 1 {
                    p if p < places => (p, start),
                    _ => (0, start + count),
                };
                let ahead = place * band.place + next * channels;
                let ahead = &v[ahead.min(v.len())..(ahead + count * channels).min(v.len())];
                for (panel, u) in u.chunks_exact(places * length).enumerate() {
                    let segments = &[Segment { offset: p * band.place, panel: p * length }];
                    let sums = &mut sums[(panel * places + p) * apart..][..count * COLUMNS];
                    let product = Product {
                        a: v,
                        rows: &starts,
                        panel: u,
                        segments,
                        steps: channels / K::PAIR,
                        add: false,
                        once: false,
                        ahead: share(ahead, panel, panels),
                    };
                    multiply(kernel, product, sums);
                }
            }
            for (panel, sums) in sums.chunks_exact(places * apart).enumerate() {
                rows.clear();
                for t in 0..count {
                    let (picture, line, column) = band.tile(start + t);
                    let to = &mut c[rows.len() * COLUMNS..][..outputs * COLUMNS];
                    kernel.back(cpu.isa, sums, t * COLUMNS, apart, to);
                    let before = rows.len();
                    for i in 0..outputs {
                        let (row, column) = (out * line + i / out, out * column + i % out);
                        if row < band.size.height && column < band.size.width {
                            // At the edge of a picture of odd size the others move up.
                            let (from, now) = (i * COLUMNS, (rows.len() - before) * COLUMNS);
                            if from != now {
                                to.copy_within(from..from + COLUMNS, now);
                            }
                            let pixel = picture * band.size.pixels();
                            rows.push(pixel + row * band.size.width + column);
                        }
                    }
                }
                let c = &c[..rows.len() * COLUMNS];
                // SAFETY: this piece alone has these tiles' pixels and this panel's columns.
                unsafe { finish.rows(cpu.isa, c, &rows, (first + panel) * COLUMNS) };
            }
        }
    });
}
