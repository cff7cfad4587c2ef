//! Attention in blocks of queries: y = softmax(q k^T / sqrt(width)) v, and its gradients.
//!
//! Probabilities live for one head and some queries at a time. Forward saves the logarithm of
//! each row's sum of exponentials; backward computes the probabilities again from it.
use crate::matrix::{Matrix, product};
use crate::pool::Parts;
use crate::{Cpu, math::exp};

/// Queries of one block.
const BLOCK: usize = 64;

/// Sizes: q and y `[batch, queries, heads * width]`, k and v `[batch, keys, heads * width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of samples.
    pub batch: usize,
    /// Tokens that ask.
    pub queries: usize,
    /// Tokens that answer.
    pub keys: usize,
    /// Independent heads, side by side in the channels.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
}

impl Shape {
    fn stride(&self) -> usize {
        self.heads * self.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    fn asking(&self) -> usize {
        self.batch * self.queries * self.stride()
    }

    fn answering(&self) -> usize {
        self.batch * self.keys * self.stride()
    }

    /// Keys that some of the queries below `end` see.
    fn seen(&self, end: usize) -> usize {
        if self.causal { end.min(self.keys) } else { self.keys }
    }
}

/// What is read: q, k, v.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
}

impl Inputs<'_> {
    fn check(&self, s: &Shape) {
        let sizes = [self.q.len(), self.k.len(), self.v.len()];
        assert!(s.asking() > 0 && s.answering() > 0, "attention of nothing");
        assert_eq!(sizes, [s.asking(), s.answering(), s.answering()], "attention: sizes");
        assert!(!s.causal || s.queries == s.keys, "causal attention is over itself");
    }
}

vectorised! {
    /// Turns rows of products into probabilities; the logarithm of each sum goes to `lse`.
    fn softmax[](s: &mut [f32], keys: usize, first: usize, causal: bool, lse: &mut [f32]) {
        for (i, (row, lse)) in s.chunks_exact_mut(keys).zip(lse).enumerate() {
            let seen = if causal { (first + i + 1).min(keys) } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            let mut lanes = [f32::NEG_INFINITY; 16];
            for part in row.chunks(16) {
                for (lane, x) in lanes.iter_mut().zip(part) {
                    *lane = if *x > *lane { *x } else { *lane };
                }
            }
            let most = lanes.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            let mut sums = [0.0_f32; 16];
            for part in row.chunks_mut(16) {
                for (sum, x) in sums.iter_mut().zip(part) {
                    *x = exp(*x - most);
                    *sum += *x;
                }
            }
            let sum: f32 = sums.iter().sum();
            let factor = 1.0 / sum;
            for x in row {
                *x *= factor;
            }
            hidden.fill(0.0);
            *lse = most + sum.ln();
        }
    }
}

vectorised! {
    /// Probabilities again, from products and the saved logarithms.
    fn again[](s: &mut [f32], keys: usize, first: usize, causal: bool, lse: &[f32]) {
        for (i, (row, lse)) in s.chunks_exact_mut(keys).zip(lse).enumerate() {
            let seen = if causal { (first + i + 1).min(keys) } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            for x in row {
                *x = exp(*x - *lse);
            }
            hidden.fill(0.0);
        }
    }
}

vectorised! {
    /// dS = scale P (dP - delta), in place of dP.
    fn slope[](p: &[f32], dp: &mut [f32], keys: usize, scale: f32, delta: &[f32]) {
        let rows = p.chunks_exact(keys).zip(dp.chunks_exact_mut(keys));
        for ((p, dp), delta) in rows.zip(delta) {
            for (p, dp) in p.iter().zip(dp) {
                *dp = scale * *p * (*dp - *delta);
            }
        }
    }
}

/// y, and `lse` `[batch, heads, queries]`.
pub fn forward(cpu: &Cpu, x: Inputs<'_>, s: Shape, y: &mut [f32], lse: &mut [f32]) {
    x.check(&s);
    assert!(y.len() == s.asking() && lse.len() == s.batch * s.heads * s.queries, "attention: y");
    let (stride, w) = (s.stride(), s.width);
    let blocks = s.queries.div_ceil(BLOCK);
    let (y, lse) = (Parts::new(y), Parts::new(lse));
    cpu.pool.run(s.batch * s.heads * blocks, |i| {
        let (b, h, first) = (i / blocks / s.heads, i / blocks % s.heads, i % blocks * BLOCK);
        let count = BLOCK.min(s.queries - first);
        let keys = s.seen(first + count);
        let asks = (b * s.queries + first) * stride + h * w;
        let answers = b * s.keys * stride + h * w;
        let q = Matrix::rows(&x.q[asks..], stride);
        let k = Matrix::rows(&x.k[answers..], stride);
        let v = Matrix::rows(&x.v[answers..], stride);
        let mut p = vec![0.0; count * keys];
        product(&mut p, keys, q, k.transposed(), (count, keys, w), s.scale(), false);
        // SAFETY: each piece has its own sample, head and queries.
        let lse = unsafe { lse.part((b * s.heads + h) * s.queries + first, count) };
        softmax(cpu.isa, &mut p, keys, first, s.causal, lse);
        let mut out = vec![0.0; count * w];
        product(&mut out, w, Matrix::rows(&p, keys), v, (count, w, keys), 1.0, false);
        for (row, out) in out.chunks_exact(w).enumerate() {
            // SAFETY: as above; the columns of one head in one row.
            unsafe { y.part(asks + row * stride, w) }.copy_from_slice(out);
        }
    });
}

/// What backward knows beside q, k and v: the forward's results and the gradient of y.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The forward's y.
    pub y: &'a [f32],
    /// The forward's logarithms.
    pub lse: &'a [f32],
    /// Gradient of y.
    pub dy: &'a [f32],
}

/// Gradients of q, k and v, of those that are given.
///
/// With P the probabilities and delta = sum(dy y) per row: dS = P (dy v^T - delta) / sqrt(width),
/// dq = dS k, dk = dS^T q, dv = P^T dy.
pub fn backward(
    cpu: &Cpu,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: Shape,
    gradients: [Option<&mut [f32]>; 3],
) {
    x.check(&s);
    assert!(out.y.len() == s.asking() && out.dy.len() == s.asking(), "attention: y");
    assert_eq!(out.lse.len(), s.batch * s.heads * s.queries, "attention: lse");
    let sizes = [s.asking(), s.answering(), s.answering()];
    let [dq, dk, dv] = gradients;
    for (g, size) in [&dq, &dk, &dv].into_iter().zip(sizes) {
        assert!(g.as_ref().is_none_or(|g| g.len() == size), "attention: sizes of gradients");
    }
    let [dq, dk, dv] = [dq, dk, dv].map(|g| g.map(Parts::new));
    let (stride, w) = (s.stride(), s.width);
    cpu.pool.run(s.batch * s.heads, |i| {
        let (b, h) = (i / s.heads, i % s.heads);
        let answers = b * s.keys * stride + h * w;
        let k = Matrix::rows(&x.k[answers..], stride);
        let v = Matrix::rows(&x.v[answers..], stride);
        let (mut sum_k, mut sum_v) = (vec![0.0; s.keys * w], vec![0.0; s.keys * w]);
        for first in (0..s.queries).step_by(BLOCK) {
            let count = BLOCK.min(s.queries - first);
            let keys = s.seen(first + count);
            let asks = (b * s.queries + first) * stride + h * w;
            let q = Matrix::rows(&x.q[asks..], stride);
            let dy = Matrix::rows(&out.dy[asks..], stride);
            let lse = &out.lse[(b * s.heads + h) * s.queries + first..][..count];
            let mut p = vec![0.0; count * keys];
            product(&mut p, keys, q, k.transposed(), (count, keys, w), s.scale(), false);
            again(cpu.isa, &mut p, keys, first, s.causal, lse);
            let p_rows = Matrix::rows(&p, keys);
            product(&mut sum_v, w, p_rows.transposed(), dy, (keys, w, count), 1.0, true);
            let delta: Vec<f32> = (0..count)
                .map(|row| {
                    let of = asks + row * stride..asks + row * stride + w;
                    out.dy[of.clone()].iter().zip(&out.y[of]).map(|(a, b)| a * b).sum()
                })
                .collect();
            let mut ds = vec![0.0; count * keys];
            product(&mut ds, keys, dy, v.transposed(), (count, keys, w), 1.0, false);
            slope(cpu.isa, &p, &mut ds, keys, s.scale(), &delta);
            let ds = Matrix::rows(&ds, keys);
            product(&mut sum_k, w, ds.transposed(), q, (keys, w, count), 1.0, true);
            if let Some(dq) = &dq {
                let mut own = vec![0.0; count * w];
                product(&mut own, w, ds, k, (count, w, keys), 1.0, false);
                spread(&own, dq, asks, stride, w);
            }
        }
        for (sum, out) in [(sum_k, &dk), (sum_v, &dv)] {
            if let Some(out) = out {
                spread(&sum, out, answers, stride, w);
            }
        }
    });
}

/// Writes one head's rows into their columns.
fn spread(rows: &[f32], out: &Parts<'_, f32>, at: usize, stride: usize, width: usize) {
    for (i, row) in rows.chunks_exact(width).enumerate() {
        // SAFETY: each piece of `backward` has its own sample and head, and so its own columns.
        unsafe { out.part(at + i * stride, width) }.copy_from_slice(row);
    }
}
