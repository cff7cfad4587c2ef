//! OFT and BOFT: blocks of a weight's rows rotated (Qiu et al. 2023, Liu et al. 2024).
use rayon::prelude::*;

/// Blocks as a file has them: `[stages, blocks, size, size]`, one stage in OFT.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) values: &'a [f32],
    pub(super) count: usize,
    pub(super) size: usize,
}

/// The rotations of blocks by Cayley's map: Q = B - B^T, limited to the norm `constraint` (none
/// where that is 0), R = (I + Q)(I - Q)^-1.
pub(super) fn rotations(blocks: Blocks<'_>, constraint: f32) -> Vec<f32> {
    let b = blocks.size;
    let mut q = vec![0.0f64; blocks.values.len()];
    for (q, block) in q.chunks_exact_mut(b * b).zip(blocks.values.chunks_exact(b * b)) {
        for (row, column) in (0..b).flat_map(|r| (0..b).map(move |c| (r, c))) {
            q[row * b + column] = f64::from(block[row * b + column] - block[column * b + row]);
        }
    }
    if constraint != 0.0 {
        let norm = q.iter().map(|v| v * v).sum::<f64>().sqrt();
        let factor = (norm.min(f64::from(constraint)) + 1e-8) / (norm + 1e-8);
        q.iter_mut().for_each(|v| *v *= factor);
    }
    let mut out = vec![0.0f32; q.len()];
    out.par_chunks_mut(b * b).zip(q.par_chunks(b * b)).for_each(|(out, q)| cayley(out, q, b));
    out
}

/// R (I - Q) = I + Q, solved from the transposed side: (I - Q)^T R^T = (I + Q)^T, and as Q is
/// skew, (I + Q) R^T = I - Q.
fn cayley(out: &mut [f32], q: &[f64], b: usize) {
    let width = 2 * b;
    let mut m = vec![0.0f64; b * width];
    for row in 0..b {
        for column in 0..b {
            let unit = if row == column { 1.0 } else { 0.0 };
            m[row * width + column] = unit + q[row * b + column];
            m[row * width + b + column] = unit - q[row * b + column];
        }
    }
    // I + Q is never singular for a skew Q: its eigenvalues are 1 + i x.
    for pivot in 0..b {
        let largest = |r: &usize, s: &usize| {
            m[r * width + pivot].abs().total_cmp(&m[s * width + pivot].abs())
        };
        let best = (pivot..b).max_by(largest).unwrap_or(pivot);
        if best != pivot {
            for column in 0..width {
                m.swap(pivot * width + column, best * width + column);
            }
        }
        let head = m[pivot * width + pivot];
        let line: Vec<f64> =
            m[pivot * width..(pivot + 1) * width].iter().map(|v| v / head).collect();
        for row in 0..b {
            let factor = if row == pivot { 0.0 } else { m[row * width + pivot] };
            let target = &mut m[row * width..(row + 1) * width];
            if row == pivot {
                target.copy_from_slice(&line)
            } else {
                target.iter_mut().zip(&line).for_each(|(v, l)| *v -= factor * l)
            }
        }
    }
    for (row, column) in (0..b).flat_map(|r| (0..b).map(move |c| (r, c))) {
        #[expect(clippy::cast_possible_truncation, reason = "solved in f64, kept in f32")]
        let value = m[column * width + b + row] as f32;
        out[row * b + column] = value;
    }
}

/// OFT: each run of rows is multiplied by its rotation's transpose.
pub(super) fn oft(rotations: &[f32], size: usize, w: &[f32], columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; w.len()];
    let run = size * columns;
    out.par_chunks_mut(run).zip(w.par_chunks(run)).zip(rotations.par_chunks(size * size)).for_each(
        |((out, w), r)| {
            for (m, out) in out.chunks_exact_mut(columns).enumerate() {
                for (n, w) in w.chunks_exact(columns).enumerate() {
                    let factor = r[n * size + m];
                    out.iter_mut().zip(w).for_each(|(out, w)| *out += factor * w);
                }
            }
        },
    );
    out
}

/// BOFT: in every stage rows are regrouped as in a butterfly, rotated in runs, and put back.
pub(super) fn boft(rotations: &[f32], blocks: Blocks<'_>, w: &[f32], columns: usize) -> Vec<f32> {
    let (b, rows) = (blocks.size, w.len() / columns);
    let mut now = w.to_vec();
    let mut next = vec![0.0; w.len()];
    for (stage, rotations) in rotations.chunks_exact(blocks.count * b * b).enumerate() {
        let k = (b / 2) << stage;
        let from: Vec<usize> =
            (0..rows).map(|p| p / (2 * k) * (2 * k) + (p % 2) * k + (p % (2 * k)) / 2).collect();
        next.fill(0.0);
        for (p, target) in from.iter().enumerate() {
            let (block, row) = (p / b, p % b);
            let r = &rotations[(block * b + row) * b..][..b];
            let target = &mut next[target * columns..][..columns];
            for (factor, source) in r.iter().zip(&from[block * b..]) {
                let source = &now[source * columns..][..columns];
                target.iter_mut().zip(source).for_each(|(t, s)| *t += factor * s);
            }
        }
        std::mem::swap(&mut now, &mut next);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::{Blocks, oft, rotations};

    #[test]
    fn cayley_of_two_by_two() {
        let blocks = Blocks { values: &[0.0, 0.5, 0.0, 0.0], count: 1, size: 2 };
        let r = rotations(blocks, 0.0);
        // tan(x / 2) = 0.5 gives cos 0.6 and sin 0.8.
        for (r, e) in r.iter().zip([0.6, 0.8, -0.8, 0.6]) {
            assert!((r - e).abs() < 1e-6, "{r} {e}");
        }
        let turned = oft(&r, 2, &[1.0, 0.0], 1);
        assert!((turned[0] - 0.6).abs() < 1e-6 && (turned[1] - 0.8).abs() < 1e-6);
    }
}
