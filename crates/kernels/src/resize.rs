//! Nearest-neighbor resize of pictures `[height * width, channels]`:
//! `y[i] = x[i from / to]`, rounded down.
use crate::{Cpu, Element, Grid};

fn check(source: usize, target: usize, channels: usize, from: Grid, to: Grid) -> usize {
    let batch = source / (from.height * from.width * channels);
    assert_eq!(source, batch * from.height * from.width * channels, "resize: size of the source");
    assert_eq!(target, batch * to.height * to.width * channels, "resize: size of the target");
    batch
}

/// y `[batch, to, channels]` from x `[batch, from, channels]`.
pub fn forward<X: Element>(cpu: &Cpu, x: &[X], channels: usize, from: Grid, to: Grid, y: &mut [X]) {
    check(x.len(), y.len(), channels, from, to);
    cpu.pool.chunks(y, to.width * channels, |line, y| {
        let (b, i) = (line / to.height, line % to.height);
        let line = (b * from.height + i * from.height / to.height) * from.width;
        for (j, y) in y.chunks_exact_mut(channels).enumerate() {
            y.copy_from_slice(&x[(line + j * from.width / to.width) * channels..][..channels]);
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
    cpu.pool.chunks(dx, from.width * channels, |line, dx| {
        let (b, i) = (line / from.height, line % from.height);
        dx.fill(0.0);
        for (j, dx) in dx.chunks_exact_mut(channels).enumerate() {
            for row in copies(i, from.height, to.height) {
                for column in copies(j, from.width, to.width) {
                    let at = ((b * to.height + row) * to.width + column) * channels;
                    for (dx, dy) in dx.iter_mut().zip(&dy[at..at + channels]) {
                        *dx += dy.get();
                    }
                }
            }
        }
    });
}
