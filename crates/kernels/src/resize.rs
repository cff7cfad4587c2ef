//! Nearest-neighbour resize of pictures `[height * width, channels]`:
//! `y[i] = x[i from / to]`, rounded down.
use crate::{Cpu, Element};

/// Height and width.
type Grid = (usize, usize);

fn check(source: usize, target: usize, channels: usize, from: Grid, to: Grid) -> usize {
    let batch = source / (from.0 * from.1 * channels);
    assert_eq!(source, batch * from.0 * from.1 * channels, "resize: size of the source");
    assert_eq!(target, batch * to.0 * to.1 * channels, "resize: size of the target");
    batch
}

/// y `[batch, to, channels]` from x `[batch, from, channels]`.
pub fn forward<X: Element>(cpu: &Cpu, x: &[X], channels: usize, from: Grid, to: Grid, y: &mut [X]) {
    check(x.len(), y.len(), channels, from, to);
    cpu.pool.chunks(y, to.1 * channels, |line, y| {
        let (b, i) = (line / to.0, line % to.0);
        let line = (b * from.0 + i * from.0 / to.0) * from.1;
        for (j, y) in y.chunks_exact_mut(channels).enumerate() {
            y.copy_from_slice(&x[(line + j * from.1 / to.1) * channels..][..channels]);
        }
    });
}

/// dx: each source pixel sums dy over its copies.
pub fn backward<G: Element>(
    cpu: &Cpu,
    dy: &[G],
    channels: usize,
    from: Grid,
    to: Grid,
    dx: &mut [f32],
) {
    check(dx.len(), dy.len(), channels, from, to);
    // The copies of source i are the targets from ceil(i to / from) up to the next source's.
    let copies =
        |i: usize, from: usize, to: usize| (i * to).div_ceil(from)..((i + 1) * to).div_ceil(from);
    cpu.pool.chunks(dx, from.1 * channels, |line, dx| {
        let (b, i) = (line / from.0, line % from.0);
        dx.fill(0.0);
        for (j, dx) in dx.chunks_exact_mut(channels).enumerate() {
            for row in copies(i, from.0, to.0) {
                for column in copies(j, from.1, to.1) {
                    let at = ((b * to.0 + row) * to.1 + column) * channels;
                    for (dx, dy) in dx.iter_mut().zip(&dy[at..at + channels]) {
                        *dx += dy.get();
                    }
                }
            }
        }
    });
}
