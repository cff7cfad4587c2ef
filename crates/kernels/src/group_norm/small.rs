//! Group norm of a small token count: some groups of one sample are one piece of work from their statistics
//! to the result, so that they stay in the first cache and threads meet once.
//!
//! Sums have the order that they have for many tokens.
use super::{BLOCK, NormSizes, five, normalized_gradient};
use crate::math::logistic;
use crate::pool::Parts;
use crate::{Cpu, Element, Isa, scratch};

/// Tokens up to which a sample is treated in this way.
const MAX_TOKENS: usize = 256;
/// Channels of one piece at least, if there are so many.
const CHANNELS: usize = 32;
/// Channels of a vector: the groups of a piece fill whole ones if they can.
const VECTOR: usize = 16;

pub(super) fn suits(s: &NormSizes) -> bool {
    s.tokens <= MAX_TOKENS
}

/// The weight: y = xhat scale + shift per channel.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a> {
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

/// Some groups of a sample.
#[derive(Clone, Copy)]
struct Piece {
    /// Where the first channel of its first token is.
    at: usize,
    /// Its first channel and their number.
    first: usize,
    channels: usize,
    /// Channels of a group.
    width: usize,
}

/// Calls `f` for each piece.
fn pieces(cpu: &Cpu, s: &NormSizes, f: impl Fn(Piece) + Sync) {
    let width = s.channels / s.groups;
    let whole = VECTOR >> width.trailing_zeros().min(VECTOR.trailing_zeros());
    let each = CHANNELS.div_ceil(width).next_multiple_of(whole).min(s.groups);
    let count = s.groups.div_ceil(each);
    cpu.pool.run(s.batch * count, |i| {
        let (sample, group) = (i / count, i % count * each);
        let (first, groups) = (group * width, each.min(s.groups - group));
        let at = sample * s.tokens * s.channels + first;
        f(Piece { at, first, channels: groups * width, width });
    });
}

/// A vector's values from `at` on; `WHOLE` says that there are so many, else zeros follow. Held by
/// value, so that the compiler need not fear that results overlap with what is read.
#[inline(always)]
fn load<const WHOLE: bool, X: Element>(x: &[X], at: usize) -> [f32; VECTOR] {
    let count = if WHOLE { VECTOR } else { (x.len() - at).min(VECTOR) };
    let x = &x[at..at + count];
    let mut out = [0.0; VECTOR];
    for j in 0..count {
        out[j] = x[j].get();
    }
    out
}

#[inline(always)]
fn store<const WHOLE: bool, X: Element>(values: &[f32; VECTOR], x: &mut [X], at: usize) {
    let count = if WHOLE { VECTOR } else { (x.len() - at).min(VECTOR) };
    let x = &mut x[at..at + count];
    for j in 0..count {
        x[j] = X::put(values[j]);
    }
}

/// Calls `$f::<WHOLE>` for each vector of `$c` channels.
macro_rules! vectors {
    ($c:expr, $f:ident($($x:expr),*)) => {
        for at in (0..$c).step_by(VECTOR) {
            if at + VECTOR <= $c {
                $f::<true, _, _>(at, $($x),*);
            } else {
                $f::<false, _, _>(at, $($x),*);
            }
        }
    };
}

vectorized! {
    /// Per channel, sums of x - origin and of its square; rows lie `stride` apart.
    fn moments[X](x: &[X], stride: usize, origin: &[f32], out: &mut [f32]) {
        let (sum, square) = out.split_at_mut(origin.len());
        vectors!(origin.len(), moments_of(x, stride, origin, sum, square));
    }
}

#[inline(always)]
fn moments_of<const WHOLE: bool, X: Element, F: Element>(
    at: usize,
    x: &[X],
    stride: usize,
    origin: &[F],
    sum: &mut [F],
    square: &mut [F],
) {
    let c = origin.len();
    let origin = load::<WHOLE, _>(origin, at);
    let (mut one, mut two) = (load::<WHOLE, _>(sum, at), load::<WHOLE, _>(square, at));
    for row in x.chunks(stride) {
        let x = load::<WHOLE, _>(&row[..c], at);
        for j in 0..VECTOR {
            let d = x[j] - origin[j];
            one[j] += d;
            two[j] += d * d;
        }
    }
    store::<WHOLE, _>(&one, sum, at);
    store::<WHOLE, _>(&two, square, at);
}

vectorized! {
    /// # Safety
    /// No other thread may read or write the piece's values of y at the same time.
    unsafe fn apply[X, Y](x: &[X], stride: usize, k: &[f32], silu: bool, y: &Parts<'_, Y>, first: usize) {
        let [a, b, _, _, _] = five(k, k.len() / 5);
        // SAFETY: the caller's contract.
        unsafe {
            if silu {
                vectors!(a.len(), apply_of(x, stride, (a, b), true, y, first));
            } else {
                vectors!(a.len(), apply_of(x, stride, (a, b), false, y, first));
            }
        }
    }
}

/// # Safety
/// As [`apply`].
#[inline(always)]
unsafe fn apply_of<const WHOLE: bool, X: Element, Y: Element>(
    at: usize,
    x: &[X],
    stride: usize,
    (a, b): (&[f32], &[f32]),
    silu: bool,
    y: &Parts<'_, Y>,
    first: usize,
) {
    let c = a.len();
    let (a, b) = (load::<WHOLE, _>(a, at), load::<WHOLE, _>(b, at));
    for (row, x) in x.chunks(stride).enumerate() {
        let x = load::<WHOLE, _>(&x[..c], at);
        let mut out = [0.0; VECTOR];
        for j in 0..VECTOR {
            let n = x[j] * a[j] + b[j];
            out[j] = if silu { n * logistic(n) } else { n };
        }
        // SAFETY: the caller's contract.
        store::<WHOLE, _>(&out, unsafe { y.part(first + row * stride, c) }, at);
    }
}

vectorized! {
    /// Per channel, sums of g = d loss / d xhat and of g xhat; g itself.
    fn gradients[X, G](
        x: &[X], dy: &[G], stride: usize, k: &[f32], silu: bool, out: &mut [f32], g: &mut [f32],
    ) {
        let c = k.len() / 5;
        if silu {
            vectors!(c, gradients_of((x, dy), stride, k, true, out, g));
        } else {
            vectors!(c, gradients_of((x, dy), stride, k, false, out, g));
        }
    }
}

#[inline(always)]
fn gradients_of<const WHOLE: bool, X: Element, G: Element>(
    at: usize,
    (x, dy): (&[X], &[G]),
    stride: usize,
    k: &[f32],
    silu: bool,
    out: &mut [f32],
    g: &mut [f32],
) {
    let c = k.len() / 5;
    let [a, b, m, inverse, scale] = five(k, c);
    let (first, second) = out.split_at_mut(c);
    let (a, b) = (load::<WHOLE, _>(a, at), load::<WHOLE, _>(b, at));
    let (m, inverse) = (load::<WHOLE, _>(m, at), load::<WHOLE, _>(inverse, at));
    let scale = load::<WHOLE, _>(scale, at);
    let (mut sum, mut product) = (load::<WHOLE, _>(first, at), load::<WHOLE, _>(second, at));
    for ((x, dy), g) in x.chunks(stride).zip(dy.chunks(stride)).zip(g.chunks_exact_mut(c)) {
        let (x, dy) = (load::<WHOLE, _>(&x[..c], at), load::<WHOLE, _>(&dy[..c], at));
        let mut gradients = [0.0; VECTOR];
        for j in 0..VECTOR {
            gradients[j] = normalized_gradient(x[j], dy[j], a[j], b[j], scale[j], silu);
        }
        for j in 0..VECTOR {
            sum[j] += gradients[j];
            product[j] += gradients[j] * ((x[j] - m[j]) * inverse[j]);
        }
        store::<WHOLE, _>(&gradients, g, at);
    }
    store::<WHOLE, _>(&sum, first, at);
    store::<WHOLE, _>(&product, second, at);
}

vectorized! {
    /// # Safety
    /// No other thread may read or write the piece's values of dx at the same time.
    unsafe fn finish[X, D](
        x: &[X], g: &[f32], stride: usize, k: &[f32], means: &[f32], dx: &Parts<'_, D>, first: usize,
    ) {
        // SAFETY: the caller's contract.
        unsafe { vectors!(k.len() / 5, finish_of(x, g, stride, (k, means), dx, first)) };
    }
}

/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn finish_of<const WHOLE: bool, X: Element, D: Element>(
    at: usize,
    x: &[X],
    g: &[f32],
    stride: usize,
    (k, means): (&[f32], &[f32]),
    dx: &Parts<'_, D>,
    first: usize,
) {
    let c = k.len() / 5;
    let [_, _, m, inverse, _] = five(k, c);
    let (mean_g, mean_gx) = means.split_at(c);
    let (m, inverse) = (load::<WHOLE, _>(m, at), load::<WHOLE, _>(inverse, at));
    let (mean_g, mean_gx) = (load::<WHOLE, _>(mean_g, at), load::<WHOLE, _>(mean_gx, at));
    for (row, (x, g)) in x.chunks(stride).zip(g.chunks_exact(c)).enumerate() {
        let (x, g) = (load::<WHOLE, _>(&x[..c], at), load::<WHOLE, _>(g, at));
        let mut out = [0.0; VECTOR];
        for j in 0..VECTOR {
            let xhat = (x[j] - m[j]) * inverse[j];
            out[j] = inverse[j] * (g[j] - mean_g[j] - xhat * mean_gx[j]);
        }
        // SAFETY: the caller's contract.
        store::<WHOLE, _>(&out, unsafe { dx.part(first + row * stride, c) }, at);
    }
}

/// Adds sums per channel to those per group.
fn gather(channel: &[f32], width: usize, total: &mut [[f64; 2]]) {
    let (first, second) = channel.split_at(channel.len() / 2);
    let groups = first.chunks_exact(width).zip(second.chunks_exact(width));
    for (total, (first, second)) in total.iter_mut().zip(groups) {
        total[0] += first.iter().map(|v| f64::from(*v)).sum::<f64>();
        total[1] += second.iter().map(|v| f64::from(*v)).sum::<f64>();
    }
}

impl Piece {
    /// The values of tokens `from..to`.
    fn of<'a, X>(&self, x: &'a [X], s: &NormSizes, from: usize, to: usize) -> &'a [X] {
        let at = self.at + from * s.channels;
        &x[at..at + (to - from - 1) * s.channels + self.channels]
    }

    /// Per channel a, b, mean, inverse and scale, at `k`; `sums` are two for each channel.
    fn coefficients<X: Element>(
        &self,
        isa: Isa,
        x: &[X],
        s: &NormSizes,
        Affine { scale, shift }: Affine<'_>,
        sums: &mut [f32],
        k: &mut [f32],
    ) {
        let (c, width) = (self.channels, self.width);
        // What is taken away before summing stands where a will.
        let (origin, _) = k.split_at_mut(c);
        for (origin, first) in
            origin.chunks_exact_mut(width).zip(self.of(x, s, 0, 1).chunks_exact(width))
        {
            origin.fill(first.iter().map(|v| v.get()).sum::<f32>() / width as f32);
        }
        let mut total = [[0.0; 2]; CHANNELS];
        for start in (0..s.tokens).step_by(BLOCK) {
            sums.fill(0.0);
            let x = self.of(x, s, start, s.tokens.min(start + BLOCK));
            moments(isa, x, s.channels, origin, sums);
            gather(sums, width, &mut total);
        }
        let count = (s.tokens * width) as f64;
        let (a, rest) = k.split_at_mut(c);
        let (b, rest) = rest.split_at_mut(c);
        let (m, rest) = rest.split_at_mut(c);
        let (inverses, scales) = rest.split_at_mut(c);
        scales.copy_from_slice(&scale[self.first..self.first + c]);
        for (group, [sum, square]) in total[..c / width].iter().enumerate() {
            let off = sum / count;
            let var = (square / count - off * off).max(0.0);
            let mean = (f64::from(a[group * width]) + off) as f32;
            let inverse = (1.0 / (var + f64::from(s.eps)).sqrt()) as f32;
            for i in group * width..(group + 1) * width {
                a[i] = inverse * scales[i];
                b[i] = shift[self.first + i] - mean * a[i];
                (m[i], inverses[i]) = (mean, inverse);
            }
        }
    }
}

pub(super) fn forward<X: Element, Y: Element>(
    cpu: &Cpu,
    x: &[X],
    s: &NormSizes,
    weight: Affine<'_>,
    y: &mut [Y],
) {
    let y = Parts::new(y);
    pieces(cpu, s, |piece| {
        scratch::with(7 * piece.channels, |memory: &mut [f32]| {
            let (sums, k) = memory.split_at_mut(2 * piece.channels);
            piece.coefficients(cpu.isa, x, s, weight, sums, k);
            let x = piece.of(x, s, 0, s.tokens);
            // SAFETY: this piece alone has these groups of this sample.
            unsafe { apply(cpu.isa, x, s.channels, k, s.silu, &y, piece.at) };
        });
    });
}

pub(super) fn backward<X: Element, G: Element, D: Element>(
    cpu: &Cpu,
    x: &[X],
    dy: &[G],
    s: &NormSizes,
    weight: Affine<'_>,
    dx: &mut [D],
) {
    let dx = Parts::new(dx);
    pieces(cpu, s, |piece| {
        let c = piece.channels;
        scratch::with((9 + s.tokens) * c, |memory: &mut [f32]| {
            let (sums, memory) = memory.split_at_mut(2 * c);
            let (k, memory) = memory.split_at_mut(5 * c);
            let (means, g) = memory.split_at_mut(2 * c);
            piece.coefficients(cpu.isa, x, s, weight, sums, k);
            let mut total = [[0.0; 2]; CHANNELS];
            for start in (0..s.tokens).step_by(BLOCK) {
                sums.fill(0.0);
                let end = s.tokens.min(start + BLOCK);
                let (x, dy) = (piece.of(x, s, start, end), piece.of(dy, s, start, end));
                let g = &mut g[start * c..end * c];
                gradients(cpu.isa, x, dy, s.channels, k, s.silu, sums, g);
                gather(sums, piece.width, &mut total);
            }
            let count = (s.tokens * piece.width) as f64;
            let (mean_g, mean_gx) = means.split_at_mut(c);
            for i in 0..c {
                let [sum, product] = total[i / piece.width];
                (mean_g[i], mean_gx[i]) = ((sum / count) as f32, (product / count) as f32);
            }
            let x = piece.of(x, s, 0, s.tokens);
            // SAFETY: this piece alone has these groups of this sample.
            unsafe { finish(cpu.isa, x, g, s.channels, k, means, &dx, piece.at) };
        });
    });
}
