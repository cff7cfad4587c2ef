//! The three transforms of F(2x2, 3x3) for f32 products, as plain loops over eight channels at a
//! time that a compiler turns into vectors.
use super::{Pixels, Transform, gather};
use crate::tile::{COLUMNS, TileUnit, Tiled};
use crate::{Element, Isa, View};
use half::bf16;

/// Channels at a time.
pub(super) const LANES: usize = 8;
pub(super) type Lanes = [f32; LANES];

#[inline(always)]
pub(super) fn add(a: &Lanes, b: &Lanes) -> Lanes {
    let mut out = *a;
    for i in 0..LANES {
        out[i] += b[i];
    }
    out
}

#[inline(always)]
pub(super) fn sub(a: &Lanes, b: &Lanes) -> Lanes {
    let mut out = *a;
    for i in 0..LANES {
        out[i] -= b[i];
    }
    out
}

/// One dimension of B^T d B.
#[inline(always)]
fn forth(a: &Lanes, b: &Lanes, c: &Lanes, d: &Lanes) -> [Lanes; 4] {
    [sub(a, c), add(b, c), sub(c, b), sub(b, d)]
}

/// One dimension of G g G^T: a, (a + b + c) / 2, (a - b + c) / 2, c.
#[inline(always)]
fn spread(a: &Lanes, b: &Lanes, c: &Lanes) -> [Lanes; 4] {
    let (mut plus, mut minus) = (add(a, c), add(a, c));
    for i in 0..LANES {
        plus[i] = 0.5 * (plus[i] + b[i]);
        minus[i] = 0.5 * (minus[i] - b[i]);
    }
    [*a, plus, minus, *c]
}

#[inline(always)]
pub(super) fn take<X: Element>(x: &[X], at: usize) -> Lanes {
    let mut out = [0.0; LANES];
    let x: &[X] = &x[at..at + LANES];
    for i in 0..LANES {
        out[i] = x[i].get();
    }
    out
}

#[inline(always)]
fn put<V: Element>(lanes: &Lanes, to: &mut [V]) {
    for (to, lane) in to.iter_mut().zip(lanes) {
        *to = V::put(*lane);
    }
}

vectorized! {
    /// The 16 places of one tile, from 16 pixels.
    fn tile[X, V](from: &[&[X]; 16], to: &mut [&mut [V]]) {
        let channels = to[0].len();
        for c in (0..channels).step_by(LANES) {
            let mut half = [[0.0; LANES]; 16];
            for j in 0..4 {
                let [a, b, c, d] = [
                    take(from[j], c),
                    take(from[4 + j], c),
                    take(from[8 + j], c),
                    take(from[12 + j], c),
                ];
                let column = forth(&a, &b, &c, &d);
                for i in 0..4 {
                    half[4 * i + j] = column[i];
                }
            }
            for i in 0..4 {
                let row = forth(&half[4 * i], &half[4 * i + 1], &half[4 * i + 2], &half[4 * i + 3]);
                for j in 0..4 {
                    put(&row[j], &mut to[4 * i + j][c..c + LANES]);
                }
            }
        }
    }
}

vectorized! {
    /// 16 panels from 9 taps.
    fn weights[V](taps: &[&[V]; 9], to: &mut [V]) {
        let length = taps[0].len();
        for at in (0..length).step_by(LANES) {
            let mut half = [[0.0; LANES]; 12];
            for j in 0..3 {
                let four = spread(&take(taps[j], at), &take(taps[3 + j], at), &take(taps[6 + j], at));
                for i in 0..4 {
                    half[3 * i + j] = four[i];
                }
            }
            for i in 0..4 {
                let four = spread(&half[3 * i], &half[3 * i + 1], &half[3 * i + 2]);
                for j in 0..4 {
                    put(&four[j], &mut to[(4 * i + j) * length + at..][..LANES]);
                }
            }
        }
    }
}

vectorized! {
    /// 4 outputs of 32 columns from 16 sums.
    fn back[](sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
        for first in (0..COLUMNS).step_by(LANES) {
            let mut half = [[0.0; LANES]; 8];
            for j in 0..4 {
                let offset = |i: usize| (4 * i + j) * apart + at + first;
                let (a, b) = (take(sums, offset(0)), take(sums, offset(1)));
                let (c, d) = (take(sums, offset(2)), take(sums, offset(3)));
                half[j] = add(&add(&a, &b), &c);
                half[4 + j] = sub(&sub(&b, &c), &d);
            }
            for i in 0..2 {
                let [a, b, c, d] = [half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3]];
                let (left, right) = (add(&add(&a, &b), &c), sub(&sub(&b, &c), &d));
                out[2 * i * COLUMNS + first..][..LANES].copy_from_slice(&left);
                out[(2 * i + 1) * COLUMNS + first..][..LANES].copy_from_slice(&right);
            }
        }
    }
}

macro_rules! plain {
    ($($kernel:ty),*) => { $(
        impl Transform for $kernel {
            const OUT: usize = 2;
            const CHUNK: usize = 48;
            const BAND: usize = 128;
            const LEAST: usize = 64;

            fn pixels(
                self,
                isa: Isa,
                x: View<'_>,
                from: impl Fn(usize) -> Option<usize>,
                zeros: &[f32],
                to: &mut [&mut [f32]],
            ) {
                match gather(x, from, zeros) {
                    Pixels::F32(from) => tile(isa, &from, to),
                    Pixels::Bf16(from) => tile(isa, &from, to),
                }
            }

            fn weights(self, isa: Isa, taps: [&[f32]; 9], to: &mut [f32]) {
                weights(isa, &taps, to);
            }

            fn back(self, isa: Isa, sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
                back(isa, sums, at, apart, out);
            }
        }
    )* };
}

plain!(crate::tile::Portable);
#[cfg(target_arch = "x86_64")]
plain!(crate::tile::Avx2, crate::tile::Avx512);

/// With a tile unit: by vectors where the processor has them.
impl<U: TileUnit> Transform for Tiled<U> {
    const OUT: usize = 2;
    const CHUNK: usize = 32;
    const BAND: usize = 256;
    /// Of smaller pictures the taps are faster: the unit multiplies faster than weights are
    /// transformed.
    const LEAST: usize = 64;
    const LEAST_KEPT: usize = 4;
    const PAIRS: usize = 1280;

    fn pixels(
        self,
        isa: Isa,
        x: View<'_>,
        from: impl Fn(usize) -> Option<usize>,
        zeros: &[f32],
        to: &mut [&mut [bf16]],
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return super::f2x2_bf16::tile(kernel, x, from, zeros, to);
        }
        match gather(x, from, zeros) {
            Pixels::F32(from) => tile(isa, &from, to),
            Pixels::Bf16(from) => tile(isa, &from, to),
        }
    }

    fn weights(self, isa: Isa, taps: [&[bf16]; 9], to: &mut [bf16]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return super::f2x2_bf16::weights(kernel, taps, to);
        }
        weights(isa, &taps, to);
    }

    fn back(self, isa: Isa, sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return super::f2x2_bf16::back(kernel, sums, at, apart, out);
        }
        back(isa, sums, at, apart, out);
    }
}
