//! F(4x4, 3x3) for f32 products: tiles of 6 x 6 pixels, 36 products for 16 outputs.
//!
//! The points are 0, 1/sqrt 2, -1/sqrt 2, sqrt 2, -sqrt 2 and infinity, whose transforms lose a
//! third of what those of 0, 1, -1, 2, -2 do: over 320 channels the error is 1.7 times that of
//! nine products, of one sum each.
#![expect(clippy::needless_range_loop, reason = "several arrays are indexed in step")]
use super::f2x2::{LANES, Lanes, add, sub, take};
use super::{Pixels, Transform, gather};
use crate::tile::{COLUMNS, Kernel, Product};
use crate::{Isa, View};
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// A kernel with these transforms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct F4x4<K>(pub(crate) K);

impl<K: Kernel> Kernel for F4x4<K> {
    type Value = K::Value;
    const ROWS: usize = K::ROWS;
    const PAIR: usize = K::PAIR;
    const PANEL: usize = K::PANEL;

    #[inline]
    unsafe fn tile(self, product: Product<'_, K::Value>, c: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { self.0.tile(product, c) };
    }
}

/// a + f b.
#[inline(always)]
fn with(a: &Lanes, f: f32, b: &Lanes) -> Lanes {
    let mut out = *a;
    for i in 0..LANES {
        out[i] += f * b[i];
    }
    out
}

/// f a.
#[inline(always)]
fn times(f: f32, a: &Lanes) -> Lanes {
    let mut out = *a;
    for i in 0..LANES {
        out[i] *= f;
    }
    out
}

/// One dimension of B^T d B.
#[inline(always)]
fn forth(d: &[Lanes; 6]) -> [Lanes; 6] {
    let near = with(&d[4], -2.0, &d[2]);
    let near_odd = with(&times(SQRT_2, &d[1]), -FRAC_1_SQRT_2, &d[3]);
    let far = with(&d[4], -0.5, &d[2]);
    let far_odd = with(&times(FRAC_1_SQRT_2, &d[1]), -SQRT_2, &d[3]);
    [
        with(&add(&d[0], &d[4]), -2.5, &d[2]),
        sub(&near, &near_odd),
        add(&near, &near_odd),
        sub(&far, &far_odd),
        add(&far, &far_odd),
        with(&add(&d[1], &d[5]), -2.5, &d[3]),
    ]
}

/// One dimension of G g G^T.
#[inline(always)]
fn spread(a: &Lanes, b: &Lanes, c: &Lanes) -> [Lanes; 6] {
    let near = with(&times(-2.0 / 3.0, a), -1.0 / 3.0, c);
    let near_odd = times(SQRT_2 / 3.0, b);
    let far = with(&times(1.0 / 6.0, a), 1.0 / 3.0, c);
    let far_odd = times(SQRT_2 / 6.0, b);
    [*a, sub(&near, &near_odd), add(&near, &near_odd), add(&far, &far_odd), sub(&far, &far_odd), *c]
}

/// One dimension of A^T m A.
#[inline(always)]
fn fold(m: &[Lanes; 6]) -> [Lanes; 4] {
    let (near, near_odd) = (add(&m[1], &m[2]), sub(&m[1], &m[2]));
    let (far, far_odd) = (add(&m[3], &m[4]), sub(&m[3], &m[4]));
    [
        add(&m[0], &add(&near, &far)),
        with(&times(FRAC_1_SQRT_2, &near_odd), SQRT_2, &far_odd),
        with(&times(0.5, &near), 2.0, &far),
        with(&with(&m[5], 0.5 * FRAC_1_SQRT_2, &near_odd), 2.0 * SQRT_2, &far_odd),
    ]
}

vectorized! {
    /// The 36 places of one tile, from as many pixels.
    fn tile[X](from: &[&[X]; 36], to: &mut [&mut [f32]]) {
        let channels = to[0].len();
        for c in (0..channels).step_by(LANES) {
            let mut half = [[0.0; LANES]; 36];
            for j in 0..6 {
                let mut d = [[0.0; LANES]; 6];
                for i in 0..6 {
                    d[i] = take(from[6 * i + j], c);
                }
                let column = forth(&d);
                for i in 0..6 {
                    half[6 * i + j] = column[i];
                }
            }
            for i in 0..6 {
                let mut d = [[0.0; LANES]; 6];
                d.copy_from_slice(&half[6 * i..6 * i + 6]);
                let row = forth(&d);
                for j in 0..6 {
                    to[6 * i + j][c..c + LANES].copy_from_slice(&row[j]);
                }
            }
        }
    }
}

vectorized! {
    /// 36 panels from 9 taps.
    fn weights[](taps: &[&[f32]; 9], to: &mut [f32]) {
        let length = taps[0].len();
        for at in (0..length).step_by(LANES) {
            let mut half = [[0.0; LANES]; 18];
            for j in 0..3 {
                let [a, b, c] = [take(taps[j], at), take(taps[3 + j], at), take(taps[6 + j], at)];
                let six = spread(&a, &b, &c);
                for i in 0..6 {
                    half[3 * i + j] = six[i];
                }
            }
            for i in 0..6 {
                let six = spread(&half[3 * i], &half[3 * i + 1], &half[3 * i + 2]);
                for j in 0..6 {
                    to[(6 * i + j) * length + at..][..LANES].copy_from_slice(&six[j]);
                }
            }
        }
    }
}

vectorized! {
    /// 16 outputs of 32 columns from 36 sums.
    fn back[](sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
        for first in (0..COLUMNS).step_by(LANES) {
            let mut half = [[0.0; LANES]; 24];
            for j in 0..6 {
                let mut m = [[0.0; LANES]; 6];
                for i in 0..6 {
                    m[i] = take(sums, (6 * i + j) * apart + at + first);
                }
                let column = fold(&m);
                for i in 0..4 {
                    half[6 * i + j] = column[i];
                }
            }
            for i in 0..4 {
                let mut m = [[0.0; LANES]; 6];
                m.copy_from_slice(&half[6 * i..6 * i + 6]);
                let row = fold(&m);
                for j in 0..4 {
                    out[(4 * i + j) * COLUMNS + first..][..LANES].copy_from_slice(&row[j]);
                }
            }
        }
    }
}

impl<K: Kernel<Value = f32>> Transform for F4x4<K> {
    const OUT: usize = 4;
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
