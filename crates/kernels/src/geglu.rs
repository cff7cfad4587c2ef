//! GEGLU: x = (a, b), y = a gelu(b) = a b Phi(b), with Phi to 3e-7.
use crate::math::normal;
use crate::{Cpu, Element};

/// Rows of one piece of work.
const PIECE: usize = 16;

/// a gelu(b).
#[inline(always)]
pub(crate) fn gated(a: f32, b: f32) -> f32 {
    a * b * normal(b).0
}

vectorized! {
    fn rows[X, Y](x: &[X], channels: usize, y: &mut [Y]) {
        for (x, y) in x.chunks_exact(2 * channels).zip(y.chunks_exact_mut(channels)) {
            let (a, b) = x.split_at(channels);
            for i in 0..channels {
                y[i] = Y::put(gated(a[i].get(), b[i].get()));
            }
        }
    }
}

vectorized! {
    fn gradients[X, G, D](x: &[X], dy: &[G], channels: usize, dx: &mut [D]) {
        let pairs = x.chunks_exact(2 * channels).zip(dx.chunks_exact_mut(2 * channels));
        for ((x, dx), dy) in pairs.zip(dy.chunks_exact(channels)) {
            let (a, b) = x.split_at(channels);
            let (da, db) = dx.split_at_mut(channels);
            for i in 0..channels {
                let (a, b, dy) = (a[i].get(), b[i].get(), dy[i].get());
                let (phi, density) = normal(b);
                da[i] = D::put(dy * b * phi);
                db[i] = D::put(dy * a * (phi + b * density));
            }
        }
    }
}

/// y `[rows, channels]` from x `[rows, 2 channels]`.
pub fn forward<X: Element, Y: Element>(cpu: &Cpu, x: &[X], channels: usize, y: &mut [Y]) {
    assert!(
        channels > 0 && x.len() == 2 * y.len() && y.len().is_multiple_of(channels),
        "geglu: sizes"
    );
    let each = PIECE * channels;
    cpu.pool.chunks(y, each, |i, y| {
        rows(cpu.isa, &x[2 * i * each..][..2 * y.len()], channels, y);
    });
}

/// dx = (dy gelu(b), dy a (Phi(b) + b phi(b))).
pub fn backward<X: Element, G: Element, D: Element>(
    cpu: &Cpu,
    x: &[X],
    dy: &[G],
    channels: usize,
    dx: &mut [D],
) {
    assert!(channels > 0 && x.len() == 2 * dy.len() && dx.len() == x.len(), "geglu: sizes");
    assert_eq!(dy.len() % channels, 0, "geglu: sizes");
    let each = 2 * PIECE * channels;
    cpu.pool.chunks(dx, each, |i, dx| {
        let first = i * each;
        let x = &x[first..first + dx.len()];
        gradients(cpu.isa, x, &dy[first / 2..][..dx.len() / 2], channels, dx);
    });
}
