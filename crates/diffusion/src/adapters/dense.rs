//! Small dense products on the host, in f32, rows in parallel.
use rayon::prelude::*;
use wayword_tensor::host::{Floats, Right};

/// Rows that one task computes at a time.
const ROWS: usize = 256;

/// Rows below which making a right side ready costs more than it saves.
const FEW: usize = 16;

/// `out[row] += sum over r of a[row, r] * b[r, ..]` for one row of `a`.
fn add_row(out: &mut [f32], a: &[f32], b: &[f32]) {
    let n = out.len();
    let mut r = 0;
    // Four rows of b at a time: the sums stay in registers and out is read a quarter as often.
    while r + 4 <= a.len() {
        let (a0, a1, a2, a3) = (a[r], a[r + 1], a[r + 2], a[r + 3]);
        let (b0, rest) = b[r * n..(r + 4) * n].split_at(n);
        let (b1, rest) = rest.split_at(n);
        let (b2, b3) = rest.split_at(n);
        for ((((out, b0), b1), b2), b3) in out.iter_mut().zip(b0).zip(b1).zip(b2).zip(b3) {
            *out += (a0 * b0 + a1 * b1) + (a2 * b2 + a3 * b3);
        }
        r += 4;
    }
    for (a, b) in a[r..].iter().zip(b[r * n..].chunks_exact(n)) {
        out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
    }
}

/// `a [m, k]` times `b [k, n]`, both row-major.
pub(super) fn product(a: &[f32], b: &[f32], k: usize, n: usize) -> Vec<f32> {
    let m = a.len() / k.max(1);
    let mut out = vec![0.0; m * n];
    if k == 0 || n == 0 {
        return out;
    }
    if m < FEW {
        for (out, a) in out.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
            add_row(out, a, b);
        }
        return out;
    }
    let right = Right::new(b, (k, n));
    out.par_chunks_mut(n * ROWS)
        .zip(a.par_chunks(k * ROWS))
        .for_each(|(out, a)| right.product(a, out));
    out
}

/// `w += factor * (a [m, k] b [k, n])`, without a second array of w's size.
pub(super) fn add_product(w: &mut [f32], a: &[f32], b: &[f32], k: usize, factor: [f32; 2]) {
    if k == 0 || w.is_empty() {
        return;
    }
    let n = b.len() / k;
    let right = Right::new(b, (k, n));
    let [scale, multiplier] = factor;
    w.par_chunks_mut(n * ROWS).zip(a.par_chunks(k * ROWS)).for_each(|(w, a)| {
        let mut change = Floats::zeros(w.len());
        right.product(a, &mut change);
        w.iter_mut().zip(&*change).for_each(|(w, d)| *w += d * scale * multiplier);
    });
}

/// The transpose of `a [rows, columns]`.
pub(super) fn transposed(a: &[f32], columns: usize) -> Vec<f32> {
    let rows = a.len() / columns.max(1);
    let mut out = Vec::with_capacity(a.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| a[row * columns + column]));
    }
    out
}

/// Tucker's product: `sum over p, q of core[p, q, ..] * left[o, p] * right[q, i]` as
/// `[o, i, kernel]`.
pub(super) fn tucker(core: &[f32], left: &[f32], right: &[f32], ranks: [usize; 2]) -> Vec<f32> {
    let [p, q] = ranks;
    let kernel = core.len() / (p * q).max(1);
    let inputs = right.len() / q.max(1);
    // For each p: the core's [q, kernel] turned and multiplied with right [q, i] to [i, kernel].
    let right = transposed(right, inputs);
    let inner: Vec<f32> =
        core.par_chunks(q * kernel).flat_map_iter(|c| product(&right, c, q, kernel)).collect();
    product(left, &inner, p, inputs * kernel)
}

#[cfg(test)]
mod tests {
    use super::{add_product, product, tucker};

    #[test]
    fn small_products() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 0.0, 1.0, 2.0, 3.0];
        assert_eq!(product(&a, &b, 3, 2), [7.0, 11.0, 16.0, 23.0]);
        let mut w = [1.0; 4];
        add_product(&mut w, &a, &b, 3, [2.0, 0.5]);
        assert_eq!(w, [8.0, 12.0, 17.0, 24.0]);
        // A core of one number is a product of vectors.
        assert_eq!(tucker(&[2.0], &[1.0, 3.0], &[4.0, 5.0], [1, 1]), [8.0, 10.0, 24.0, 30.0]);
    }
}
