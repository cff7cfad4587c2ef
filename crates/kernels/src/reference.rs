//! The plain form of every kernel: loops in f64 that follow the formula. Used by tests only, also
//! by those of crates above.
#![allow(missing_docs, reason = "the arguments are those of the kernels of the same names")]
use crate::attention::AttentionSizes as Attention;
use crate::conv3x3::ConvSizes as Conv;
use crate::group_norm::NormSizes as GroupNorm;

/// As f64.
#[must_use]
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

/// x `[rows, k]` W^T + b, W `[n, k]`.
#[must_use]
pub fn linear(x: &[f64], w: &[f64], bias: &[f64], k: usize) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(k) {
        for (w, b) in w.chunks_exact(k).zip(bias) {
            y.push(x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + b);
        }
    }
    y
}

/// Pictures `[batch, from, k]` with W `[n, k, 3, 3]`.
#[must_use]
pub fn conv3x3(x: &[f64], w: &[f64], bias: &[f64], k: usize, s: Conv) -> Vec<f64> {
    let mut y = Vec::new();
    let side = |o: usize, t: usize, from: usize| {
        (s.stride * o + t).checked_sub(s.pad).filter(|i| *i < from)
    };
    for b in 0..s.batch {
        for p in 0..s.to.pixels() {
            for (n, bias) in bias.iter().enumerate() {
                let mut sum = *bias;
                for t in 0..9 {
                    let row = side(p / s.to.width, t / 3, s.from.height);
                    let column = side(p % s.to.width, t % 3, s.from.width);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    let at = ((b * s.from.height + row) * s.from.width + column) * k;
                    sum += (0..k).map(|c| x[at + c] * w[(n * k + c) * 9 + t]).sum::<f64>();
                }
                y.push(sum);
            }
        }
    }
    y
}

/// 1 / (1 + e^-x)
#[must_use]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `[batch, tokens, channels]`
#[must_use]
pub fn group_norm(x: &[f64], s: GroupNorm, scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let (c, width) = (s.channels, s.channels / s.groups);
    let mut y = vec![0.0; x.len()];
    for b in 0..s.batch {
        for g in 0..s.groups {
            let at: Vec<usize> = (0..s.tokens * width)
                .map(|i| (b * s.tokens + i / width) * c + g * width + i % width)
                .collect();
            let n = at.len() as f64;
            let mean = at.iter().map(|i| x[*i]).sum::<f64>() / n;
            let var = at.iter().map(|i| (x[*i] - mean).powi(2)).sum::<f64>() / n;
            for i in at {
                let n =
                    (x[i] - mean) / (var + f64::from(s.eps)).sqrt() * scale[i % c] + shift[i % c];
                y[i] = if s.silu { n * logistic(n) } else { n };
            }
        }
    }
    y
}

/// `[rows, channels]`
#[must_use]
pub fn layer_norm(x: &[f64], eps: f64, scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let c = scale.len();
    let mut y = Vec::new();
    for x in x.chunks_exact(c) {
        let mean = x.iter().sum::<f64>() / c as f64;
        let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / c as f64;
        y.extend((0..c).map(|i| (x[i] - mean) / (var + eps).sqrt() * scale[i] + shift[i]));
    }
    y
}

/// y of attention.
#[must_use]
pub fn attention(q: &[f64], k: &[f64], v: &[f64], s: Attention) -> Vec<f64> {
    let stride = s.heads * s.width;
    let mut y = vec![0.0; q.len()];
    for (i, out) in y.chunks_exact_mut(s.width).enumerate() {
        let (row, h) = (i / s.heads, i % s.heads);
        let (b, query) = (row / s.queries, row % s.queries);
        let q = &q[i * s.width..][..s.width];
        let keys = if s.causal { query + 1 } else { s.keys };
        let at = |key: usize| (b * s.keys + key) * stride + h * s.width;
        let p: Vec<f64> = (0..keys)
            .map(|j| {
                let dot: f64 = q.iter().zip(&k[at(j)..]).map(|(a, b)| a * b).sum();
                (dot / (s.width as f64).sqrt()).exp()
            })
            .collect();
        let sum: f64 = p.iter().sum();
        for (j, p) in p.iter().enumerate() {
            out.iter_mut().zip(&v[at(j)..]).for_each(|(y, v)| *y += p / sum * v);
        }
    }
    y
}

/// Phi, by the series of its integral (Abramowitz and Stegun 26.2.10), good for |x| < 6; beyond, where it
/// is 0 or 1 but for 1e-9, that.
#[must_use]
pub fn phi(x: f64) -> f64 {
    if x.abs() >= 6.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 && n < 200.0 {
        n += 1.0;
        term *= -x * x / (2.0 * n);
        sum += term / (2.0 * n + 1.0);
    }
    0.5 + sum / (2.0 * std::f64::consts::PI).sqrt()
}

/// x `[rows, 2 c]` to a b Phi(b).
#[must_use]
pub fn geglu(x: &[f64], c: usize) -> Vec<f64> {
    x.chunks_exact(2 * c).flat_map(|x| (0..c).map(|i| x[i] * x[c + i] * phi(x[c + i]))).collect()
}

/// The gradient of sum(f(x) dy) to x, by central differences.
#[must_use]
pub fn gradient(x: &[f64], dy: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut x = x.to_vec();
    let h = 1e-5;
    let total = |x: &[f64]| f(x).iter().zip(dy).map(|(y, d)| y * d).sum::<f64>();
    (0..x.len())
        .map(|i| {
            let old = x[i];
            x[i] = old + h;
            let more = total(&x);
            x[i] = old - h;
            let less = total(&x);
            x[i] = old;
            (more - less) / (2.0 * h)
        })
        .collect()
}
