//! Layer norm: y = (x - mean) / sqrt(var + eps) * scale + shift over each row.
use crate::{Cpu, Element};

/// Rows of one piece of work.
const PIECE: usize = 64;
/// Sums run in this many lanes, so that they become vector instructions.
const LANES: usize = 16;

/// Sum over the row of `f(i)`.
#[inline(always)]
fn sum(count: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let whole = count / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (j, lane) in lanes.iter_mut().enumerate() {
            *lane += f(start + j);
        }
    }
    let mut total = 0.0;
    for i in whole..count {
        total += f(i);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] += lanes[j + width];
        }
        width /= 2;
    }
    total + lanes[0]
}

/// Mean and 1 / sqrt(var + eps) of a row, the variance from the differences to the mean.
#[inline(always)]
fn statistics<X: Element>(x: &[X], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.len(), |i| x[i].get()) / n;
    let var = sum(x.len(), |i| {
        let d = x[i].get() - mean;
        d * d
    }) / n;
    (mean, 1.0 / (var + eps).sqrt())
}

vectorised! {
    fn rows[X, Y](x: &[X], eps: f32, scale: &[f32], shift: &[f32], y: &mut [Y]) {
        let c = scale.len();
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            let (mean, inverse) = statistics(x, eps);
            for i in 0..c {
                y[i] = Y::put((x[i].get() - mean) * inverse * scale[i] + shift[i]);
            }
        }
    }
}

vectorised! {
    fn gradients[X, G, D](x: &[X], dy: &[G], eps: f32, scale: &[f32], dx: &mut [D]) {
        let c = scale.len();
        let n = c as f32;
        for ((x, dy), dx) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
            let (mean, inverse) = statistics(x, eps);
            let g = sum(c, |i| dy[i].get() * scale[i]) / n;
            let gx = sum(c, |i| dy[i].get() * scale[i] * ((x[i].get() - mean) * inverse)) / n;
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
        let of = i * each..i * each + dx.len();
        gradients(cpu.isa, &x[of.clone()], &dy[of], eps, scale, dx);
    });
}
