//! Moving rows: gather and its transpose, lookup in a table, concatenation along the channels.
use crate::{Cpu, Element};

/// Rows of one piece of work.
const PIECE: usize = 64;

/// y row i = x row `rows[i]`.
pub fn gather<X: Element>(cpu: &Cpu, x: &[X], channels: usize, rows: &[u32], y: &mut [f32]) {
    assert_eq!(y.len(), rows.len() * channels, "gather: sizes");
    cpu.pool.chunks(y, PIECE * channels, |i, y| {
        for (y, row) in y.chunks_exact_mut(channels).zip(&rows[i * PIECE..]) {
            copy(&x[*row as usize * channels..][..channels], y);
        }
    });
}

/// dx row `rows[i]` sums dy row i; the others are zero.
pub fn scatter<G: Element>(dy: &[G], channels: usize, rows: &[u32], dx: &mut [f32]) {
    assert_eq!(dy.len(), rows.len() * channels, "scatter: sizes");
    dx.fill(0.0);
    for (dy, row) in dy.chunks_exact(channels).zip(rows) {
        let dx = &mut dx[*row as usize * channels..][..channels];
        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy.get());
    }
}

/// y row i = row `ids[i]` of the table, or of `extra` behind it.
pub fn lookup<T: Element, E: Element>(
    table: &[T],
    extra: &[E],
    channels: usize,
    ids: &[u32],
    y: &mut [f32],
) {
    assert_eq!(y.len(), ids.len() * channels, "lookup: sizes");
    let known = table.len() / channels;
    for (y, id) in y.chunks_exact_mut(channels).zip(ids) {
        let id = *id as usize;
        match id.checked_sub(known) {
            None => copy(&table[id * channels..][..channels], y),
            Some(id) => copy(&extra[id * channels..][..channels], y),
        }
    }
}

fn copy<X: Element, Y: Element>(x: &[X], y: &mut [Y]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = Y::put(x.get()));
}

/// y row = (a row, b row).
pub fn concat<A: Element, B: Element, Y: Element>(
    cpu: &Cpu,
    a: &[A],
    b: &[B],
    a_channels: usize,
    b_channels: usize,
    y: &mut [Y],
) {
    let width = a_channels + b_channels;
    let rows = y.len() / width;
    assert!(a.len() == rows * a_channels && b.len() == rows * b_channels, "concat: sizes");
    cpu.pool.chunks(y, PIECE * width, |i, y| {
        let first = i * PIECE;
        for (j, y) in y.chunks_exact_mut(width).enumerate() {
            let (ya, yb) = y.split_at_mut(a_channels);
            copy(&a[(first + j) * a_channels..][..a_channels], ya);
            copy(&b[(first + j) * b_channels..][..b_channels], yb);
        }
    });
}

/// (a row, b row) = x row.
pub fn split<X: Element, A: Element, B: Element>(
    cpu: &Cpu,
    x: &[X],
    a_channels: usize,
    b_channels: usize,
    a: &mut [A],
    b: &mut [B],
) {
    let width = a_channels + b_channels;
    let rows = x.len() / width;
    assert!(a.len() == rows * a_channels && b.len() == rows * b_channels, "split: sizes");
    cpu.pool.chunks(a, PIECE * a_channels, |i, a| {
        let x = &x[i * PIECE * width..];
        for (a, x) in a.chunks_exact_mut(a_channels).zip(x.chunks_exact(width)) {
            copy(&x[..a_channels], a);
        }
    });
    cpu.pool.chunks(b, PIECE * b_channels, |i, b| {
        let x = &x[i * PIECE * width..];
        for (b, x) in b.chunks_exact_mut(b_channels).zip(x.chunks_exact(width)) {
            copy(&x[a_channels..], b);
        }
    });
}
