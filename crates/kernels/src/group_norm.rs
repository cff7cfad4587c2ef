//! Group norm (+ SiLU): y = (x - mean) / sqrt(var + eps) * scale + shift, then y s(y) if asked.
//!
//! Mean and variance run over the tokens and the channels of one group of one sample. Sums are
//! taken per channel over 64 tokens in f32 and then in f64, of values from which the sample's
//! first token's mean of the group was taken away, so that a large mean costs no digits.
use crate::math::logistic;
use crate::{Cpu, Element};
use std::sync::Mutex;

mod small;

/// Tokens summed in f32 before the sums go to f64.
const BLOCK: usize = 64;
/// Tokens of one piece of work.
const PIECE: usize = 512;

/// Sizes of one group norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSizes {
    /// Number of samples.
    pub batch: usize,
    /// Tokens of one sample.
    pub tokens: usize,
    /// Channels of one token, divisible by the groups.
    pub channels: usize,
    /// Groups of neighboring channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
    /// Whether SiLU follows.
    pub silu: bool,
}

impl NormSizes {
    fn check(&self, sizes: [usize; 2], scale: &[f32], shift: &[f32]) {
        let total = self.batch * self.tokens * self.channels;
        assert!(total > 0 && sizes == [total; 2], "group norm: sizes");
        assert!(scale.len() == self.channels && shift.len() == self.channels, "group norm: scale");
        assert_eq!(self.channels % self.groups, 0, "group norm: groups");
    }

    fn pieces(&self) -> usize {
        self.tokens.div_ceil(PIECE)
    }
}

/// Mean and 1 / sqrt(var + eps) of each group of each sample.
fn statistics<X: Element>(cpu: &Cpu, x: &[X], s: &NormSizes) -> Vec<(f32, f32)> {
    let (c, width) = (s.channels, s.channels / s.groups);
    let sample = s.tokens * c;
    // What is taken away before summing: one value per group, spread over its channels.
    let origin: Vec<f32> = (0..s.batch * c)
        .map(|i| {
            let (b, group) = (i / c, i % c / width);
            let first = &x[b * sample + group * width..][..width];
            first.iter().map(|v| v.get()).sum::<f32>() / width as f32
        })
        .collect();
    let sums = sums(cpu, s, |b, tokens, out| {
        let x = &x[b * sample + tokens.start * c..b * sample + tokens.end * c];
        moments(cpu.isa, x, &origin[b * c..][..c], out);
    });
    let count = (s.tokens * width) as f64;
    (0..s.batch * s.groups)
        .map(|i| {
            let [sum, square] = sums[i];
            let off = sum / count;
            let var = (square / count - off * off).max(0.0);
            let origin = f64::from(origin[i / s.groups * c + i % s.groups * width]);
            ((origin + off) as f32, (1.0 / (var + f64::from(s.eps)).sqrt()) as f32)
        })
        .collect()
}

/// Adds up, per sample and group, two sums per channel that `f` fills in for some tokens.
fn sums(
    cpu: &Cpu,
    s: &NormSizes,
    f: impl Fn(usize, std::ops::Range<usize>, &mut [f32]) + Sync,
) -> Vec<[f64; 2]> {
    let (c, width, pieces) = (s.channels, s.channels / s.groups, s.pieces());
    let parts: Vec<Mutex<Vec<[f64; 2]>>> =
        (0..s.batch * pieces).map(|_| Mutex::new(vec![[0.0; 2]; s.groups])).collect();
    cpu.pool.run(parts.len(), |i| {
        let (b, start) = (i / pieces, i % pieces * PIECE);
        let end = s.tokens.min(start + PIECE);
        let mut channel = vec![0.0_f32; 2 * c];
        let mut part = parts[i].lock().expect("each piece locks its own");
        for start in (start..end).step_by(BLOCK) {
            channel.fill(0.0);
            f(b, start..end.min(start + BLOCK), &mut channel);
            let (first, second) = channel.split_at(c);
            for (g, part) in part.iter_mut().enumerate() {
                let channels = g * width..(g + 1) * width;
                part[0] += first[channels.clone()].iter().map(|v| f64::from(*v)).sum::<f64>();
                part[1] += second[channels].iter().map(|v| f64::from(*v)).sum::<f64>();
            }
        }
    });
    let mut total = vec![[0.0; 2]; s.batch * s.groups];
    for (i, part) in parts.into_iter().enumerate() {
        let part = part.into_inner().expect("no piece panicked");
        let b = i / pieces;
        for (total, part) in total[b * s.groups..].iter_mut().zip(part) {
            total[0] += part[0];
            total[1] += part[1];
        }
    }
    total
}

vectorized! {
    /// Per channel, sums of x - origin and of its square.
    fn moments[X](x: &[X], origin: &[f32], out: &mut [f32]) {
        let c = origin.len();
        let (sum, square) = out.split_at_mut(c);
        for row in x.chunks_exact(c) {
            for i in 0..c {
                let d = row[i].get() - origin[i];
                sum[i] += d;
                square[i] += d * d;
            }
        }
    }
}

/// y = x a + b per channel: the norm as one multiplication and addition.
fn coefficients(
    s: &NormSizes,
    statistics: &[(f32, f32)],
    sample: usize,
    scale: &[f32],
    shift: &[f32],
) -> Vec<f32> {
    let width = s.channels / s.groups;
    let mut out = vec![0.0; 2 * s.channels];
    let (a, b) = out.split_at_mut(s.channels);
    for i in 0..s.channels {
        let (mean, inverse) = statistics[sample * s.groups + i / width];
        a[i] = inverse * scale[i];
        b[i] = shift[i] - mean * a[i];
    }
    out
}

vectorized! {
    fn apply[X, Y](x: &[X], ab: &[f32], silu: bool, y: &mut [Y]) {
        let c = ab.len() / 2;
        let (a, b) = ab.split_at(c);
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            if silu {
                for i in 0..c {
                    let n = x[i].get() * a[i] + b[i];
                    y[i] = Y::put(n * logistic(n));
                }
            } else {
                for i in 0..c {
                    y[i] = Y::put(x[i].get() * a[i] + b[i]);
                }
            }
        }
    }
}

/// y from x, both `[batch, tokens, channels]`.
pub fn forward<X: Element, Y: Element>(
    cpu: &Cpu,
    x: &[X],
    s: NormSizes,
    scale: &[f32],
    shift: &[f32],
    y: &mut [Y],
) {
    s.check([x.len(), y.len()], scale, shift);
    if small::suits(&s) {
        return small::forward(cpu, x, &s, small::Affine { scale, shift }, y);
    }
    let statistics = statistics(cpu, x, &s);
    let per_sample: Vec<Vec<f32>> =
        (0..s.batch).map(|b| coefficients(&s, &statistics, b, scale, shift)).collect();
    for_rows(cpu, &s, y, |b, from, y| {
        apply(cpu.isa, &x[from..from + y.len()], &per_sample[b], s.silu, y);
    });
}

/// Calls `f(sample, first value, values)` for pieces that do not cross samples.
fn for_rows<Y: Element>(
    cpu: &Cpu,
    s: &NormSizes,
    y: &mut [Y],
    f: impl Fn(usize, usize, &mut [Y]) + Sync,
) {
    let sample = s.tokens * s.channels;
    let pieces = s.pieces();
    let parts = crate::pool::Parts::new(y);
    cpu.pool.run(s.batch * pieces, |i| {
        let (b, start) = (i / pieces, i % pieces * PIECE);
        let end = s.tokens.min(start + PIECE);
        let from = b * sample + start * s.channels;
        // SAFETY: pieces are ranges of tokens that do not overlap.
        f(b, from, unsafe { parts.part(from, (end - start) * s.channels) });
    });
}

vectorized! {
    /// Per channel, sums of g = d loss / d xhat and of g xhat.
    fn gradient_sums[X, G](x: &[X], dy: &[G], k: &[f32], silu: bool, out: &mut [f32]) {
        let c = k.len() / 5;
        let [a, b, m, inverse, scale] = five(k, c);
        let (first, second) = out.split_at_mut(c);
        for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
            for i in 0..c {
                let x = x[i].get();
                let g = normalized_gradient(x, dy[i].get(), a[i], b[i], scale[i], silu);
                first[i] += g;
                second[i] += g * ((x - m[i]) * inverse[i]);
            }
        }
    }
}

vectorized! {
    fn apply_gradient[X, G, D](
        x: &[X], dy: &[G], k: &[f32], means: &[f32], silu: bool, dx: &mut [D],
    ) {
        let c = k.len() / 5;
        let [a, b, m, inverse, scale] = five(k, c);
        let (mean_g, mean_gx) = means.split_at(c);
        for ((x, dy), dx) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
            for i in 0..c {
                let x = x[i].get();
                let g = normalized_gradient(x, dy[i].get(), a[i], b[i], scale[i], silu);
                let xhat = (x - m[i]) * inverse[i];
                dx[i] = D::put(inverse[i] * (g - mean_g[i] - xhat * mean_gx[i]));
            }
        }
    }
}

/// d loss / d xhat of one value.
#[inline(always)]
fn normalized_gradient(x: f32, dy: f32, a: f32, b: f32, scale: f32, silu: bool) -> f32 {
    let mut g = dy;
    if silu {
        let n = x * a + b;
        let l = logistic(n);
        g *= l + n * l * (1.0 - l);
    }
    g * scale
}

#[inline(always)]
fn five(k: &[f32], c: usize) -> [&[f32]; 5] {
    [&k[..c], &k[c..2 * c], &k[2 * c..3 * c], &k[3 * c..4 * c], &k[4 * c..5 * c]]
}

/// dx from x and dy, all `[batch, tokens, channels]`.
///
/// With g = dy (silu') scale: dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(var + eps).
pub fn backward<X: Element, G: Element, D: Element>(
    cpu: &Cpu,
    x: &[X],
    dy: &[G],
    s: NormSizes,
    scale: &[f32],
    shift: &[f32],
    dx: &mut [D],
) {
    s.check([x.len(), dy.len()], scale, shift);
    assert_eq!(dx.len(), x.len(), "group norm: sizes");
    if small::suits(&s) {
        return small::backward(cpu, x, dy, &s, small::Affine { scale, shift }, dx);
    }
    let (c, width) = (s.channels, s.channels / s.groups);
    let statistics = statistics(cpu, x, &s);
    let per_sample: Vec<Vec<f32>> = (0..s.batch)
        .map(|b| {
            let mut k = coefficients(&s, &statistics, b, scale, shift);
            let statistic = |i: usize| statistics[b * s.groups + i / width];
            k.extend((0..c).map(|i| statistic(i).0));
            k.extend((0..c).map(|i| statistic(i).1));
            k.extend_from_slice(scale);
            k
        })
        .collect();
    let sample = s.tokens * c;
    let sums = sums(cpu, &s, |b, tokens, out| {
        let range = b * sample + tokens.start * c..b * sample + tokens.end * c;
        gradient_sums(cpu.isa, &x[range.clone()], &dy[range], &per_sample[b], s.silu, out);
    });
    let count = (s.tokens * width) as f64;
    let means: Vec<Vec<f32>> = (0..s.batch)
        .map(|b| {
            let group_sums = |i: usize| sums[b * s.groups + i / width];
            let first = (0..c).map(|i| (group_sums(i)[0] / count) as f32);
            first.chain((0..c).map(|i| (group_sums(i)[1] / count) as f32)).collect()
        })
        .collect();
    for_rows(cpu, &s, dx, |b, from, dx| {
        let range = from..from + dx.len();
        apply_gradient(
            cpu.isa,
            &x[range.clone()],
            &dy[range],
            &per_sample[b],
            &means[b],
            s.silu,
            dx,
        );
    });
}
