//! Elementwise operations: swish, sums, multiples, and sums over tokens.
use crate::math::logistic;
use crate::{Cpu, Element};

/// Values of one piece of work.
const PIECE: usize = 4 * 1024;

vectorized! {
    fn swish_rows[X, Y](x: &[X], beta: f32, y: &mut [Y]) {
        for (x, y) in x.iter().zip(y) {
            let x = x.get();
            *y = Y::put(x * logistic(beta * x));
        }
    }
}

vectorized! {
    fn swish_gradient[X, G, D](x: &[X], dy: &[G], beta: f32, dx: &mut [D]) {
        for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
            let x = x.get();
            let s = logistic(beta * x);
            *dx = D::put(dy.get() * (s + beta * x * s * (1.0 - s)));
        }
    }
}

vectorized! {
    fn sum[A, B, Y](a: &[A], b: &[B], y: &mut [Y]) {
        for ((a, b), y) in a.iter().zip(b).zip(y) {
            *y = Y::put(a.get() + b.get());
        }
    }
}

vectorized! {
    fn multiple[X, Y](x: &[X], factor: f32, y: &mut [Y]) {
        for (x, y) in x.iter().zip(y) {
            *y = Y::put(x.get() * factor);
        }
    }
}

vectorized! {
    fn add_rows[X, V, Y](x: &[X], v: &[V], y: &mut [Y]) {
        let c = v.len();
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for i in 0..c {
                y[i] = Y::put(x[i].get() + v[i].get());
            }
        }
    }
}

/// swish(beta): y = x s(beta x), s the logistic function; SiLU is beta = 1.
pub fn swish<X: Element, Y: Element>(cpu: &Cpu, x: &[X], beta: f32, y: &mut [Y]) {
    assert_eq!(x.len(), y.len(), "swish: sizes");
    cpu.pool.chunks(y, PIECE, |i, y| swish_rows(cpu.isa, &x[i * PIECE..][..y.len()], beta, y));
}

/// dx = dy (s + beta x s (1 - s)), s = s(beta x).
pub fn swish_backward<X: Element, G: Element, D: Element>(
    cpu: &Cpu,
    x: &[X],
    dy: &[G],
    beta: f32,
    dx: &mut [D],
) {
    assert!(x.len() == dx.len() && dy.len() == x.len(), "swish: sizes");
    cpu.pool.chunks(dx, PIECE, |i, dx| {
        let range = i * PIECE..i * PIECE + dx.len();
        swish_gradient(cpu.isa, &x[range.clone()], &dy[range], beta, dx);
    });
}

/// y = a + b.
pub fn add<A: Element, B: Element, Y: Element>(cpu: &Cpu, a: &[A], b: &[B], y: &mut [Y]) {
    assert!(a.len() == y.len() && b.len() == y.len(), "add: sizes");
    cpu.pool.chunks(y, PIECE, |i, y| {
        let range = i * PIECE..i * PIECE + y.len();
        sum(cpu.isa, &a[range.clone()], &b[range], y);
    });
}

/// y = factor x.
pub fn scale<X: Element, Y: Element>(cpu: &Cpu, x: &[X], factor: f32, y: &mut [Y]) {
    assert_eq!(x.len(), y.len(), "scale: sizes");
    cpu.pool.chunks(y, PIECE, |i, y| multiple(cpu.isa, &x[i * PIECE..][..y.len()], factor, y));
}

/// y = x + v: v `[batch, channels]` holds one vector for all tokens of a sample of
/// x `[batch, tokens, channels]`.
pub fn add_channels<X: Element, V: Element, Y: Element>(
    cpu: &Cpu,
    x: &[X],
    v: &[V],
    tokens: usize,
    channels: usize,
    y: &mut [Y],
) {
    let batch = v.len() / channels;
    assert!(v.len() == batch * channels, "add_channels: sizes");
    assert!(x.len() == y.len() && x.len() == batch * tokens * channels, "add_channels: sizes");
    let each = (PIECE / channels).clamp(1, tokens);
    let pieces = tokens.div_ceil(each);
    let parts = crate::pool::Parts::new(y);
    cpu.pool.run(batch * pieces, |i| {
        let (b, first) = (i / pieces, i % pieces * each);
        let from = (b * tokens + first) * channels;
        // SAFETY: pieces are ranges of tokens that do not overlap.
        let y = unsafe { parts.part(from, each.min(tokens - first) * channels) };
        add_rows(cpu.isa, &x[from..from + y.len()], &v[b * channels..][..channels], y);
    });
}

/// y `[batch, channels]` = sum over the tokens of x `[batch, tokens, channels]`.
pub fn sum_tokens<X: Element>(cpu: &Cpu, x: &[X], tokens: usize, channels: usize, y: &mut [f32]) {
    assert_eq!(x.len(), y.len() * tokens, "sum_tokens: sizes");
    // Columns in pieces, so that each sum has one order whatever the number of threads.
    const COLUMNS: usize = 64;
    for (x, y) in x.chunks_exact(tokens * channels).zip(y.chunks_exact_mut(channels)) {
        cpu.pool.chunks(y, COLUMNS, |i, y| {
            let first = i * COLUMNS;
            let mut total = [0.0_f64; COLUMNS];
            for row in x.chunks_exact(channels) {
                for (total, x) in total.iter_mut().zip(&row[first..first + y.len()]) {
                    *total += f64::from(x.get());
                }
            }
            y.iter_mut().zip(total).for_each(|(y, t)| *y = t as f32);
        });
    }
}
