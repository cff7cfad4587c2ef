//! Layer norm: y = (x - mean) / sqrt(var + eps) * scale + shift over each row.
use crate::{Cpu, Element};

/// Rows of one piece of work.
const PIECE: usize = 16;
/// Sums run in this many lanes, so that they become vector instructions.
const LANES: usize = 16;

/// A vector of sums.
type Lanes = [f32; LANES];

#[inline(always)]
fn total(mut lanes: Lanes) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] += lanes[j + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Mean of a row.
#[inline(always)]
fn mean<X: Element>(x: &[X]) -> f32 {
    let mut sum = [0.0; LANES];
    for x in x.chunks_exact(LANES) {
        for j in 0..LANES {
            sum[j] += x[j].get();
        }
    }
    let mut rest = 0.0;
    for x in x.chunks_exact(LANES).remainder() {
        rest += x.get();
    }
    (rest + total(sum)) / x.len() as f32
}

vectorized! {
    fn rows[X, Y](x: &[X], eps: f32, scale: &[f32], shift: &[f32], y: &mut [Y]) {
        let c = scale.len();
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            let mean = mean(x);
            let mut sum = [0.0; LANES];
            for x in x.chunks_exact(LANES) {
                for j in 0..LANES {
                    let d = x[j].get() - mean;
                    sum[j] += d * d;
                }
            }
            let mut rest = 0.0;
            for x in x.chunks_exact(LANES).remainder() {
                let d = x.get() - mean;
                rest += d * d;
            }
            // The variance is that of the differences to the mean.
            let inverse = 1.0 / ((rest + total(sum)) / c as f32 + eps).sqrt();
            for i in 0..c {
                y[i] = Y::put((x[i].get() - mean) * inverse * scale[i] + shift[i]);
            }
        }
    }
}

vectorized! {
    fn gradients[X, G, D](x: &[X], dy: &[G], eps: f32, scale: &[f32], dx: &mut [D]) {
        let c = scale.len();
        let n = c as f32;
        for ((x, dy), dx) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
            let mean = mean(x);
            // Sums of d^2, g and g d, with d = x - mean and g = dy scale.
            let (mut square, mut first, mut second) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            let lanes = x.chunks_exact(LANES).zip(dy.chunks_exact(LANES));
            for ((x, dy), scale) in lanes.zip(scale.chunks_exact(LANES)) {
                for j in 0..LANES {
                    let (d, g) = (x[j].get() - mean, dy[j].get() * scale[j]);
                    square[j] += d * d;
                    first[j] += g;
                    second[j] += g * d;
                }
            }
            let mut rest = [0.0; 3];
            for i in c / LANES * LANES..c {
                let (d, g) = (x[i].get() - mean, dy[i].get() * scale[i]);
                rest[0] += d * d;
                rest[1] += g;
                rest[2] += g * d;
            }
            let inverse = 1.0 / ((rest[0] + total(square)) / n + eps).sqrt();
            let g = (rest[1] + total(first)) / n;
            let gx = (rest[2] + total(second)) * inverse / n;
            for i in 0..c {
                let xhat = (x[i].get() - mean) * inverse;
                dx[i] = D::put(inverse * (dy[i].get() * scale[i] - g - xhat * gx));
            }
        }
    }
}

/// y from x, both `[rows, scale.len()]`.
pub fn forward<X: Element, Y: Element>(
    cpu: &Cpu,
    x: &[X],
    eps: f32,
    scale: &[f32],
    shift: &[f32],
    y: &mut [Y],
) {
    assert!(x.len() == y.len() && x.len().is_multiple_of(scale.len()), "layer norm: sizes");
    assert_eq!(scale.len(), shift.len(), "layer norm: sizes");
    let each = PIECE * scale.len();
    cpu.pool.chunks(y, each, |i, y| {
        rows(cpu.isa, &x[i * each..][..y.len()], eps, scale, shift, y);
    });
}

/// dx from x and dy: with g = dy scale, dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(var + eps).
pub fn backward<X: Element, G: Element, D: Element>(
    cpu: &Cpu,
    x: &[X],
    dy: &[G],
    eps: f32,
    scale: &[f32],
    dx: &mut [D],
) {
    assert!(x.len() == dx.len() && dy.len() == x.len(), "layer norm: sizes");
    assert_eq!(x.len() % scale.len(), 0, "layer norm: sizes");
    let each = PIECE * scale.len();
    cpu.pool.chunks(dx, each, |i, dx| {
        let range = i * each..i * each + dx.len();
        gradients(cpu.isa, &x[range.clone()], &dy[range], eps, scale, dx);
    });
}
