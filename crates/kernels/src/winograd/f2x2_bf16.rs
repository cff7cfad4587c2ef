//! The three transforms of F(2x2, 3x3), on vectors of channels, for bf16 products.
//!
//! With the matrices of the paper: input B^T d B, weights G g G^T, output A^T m A.
#![expect(clippy::needless_range_loop, reason = "several arrays are indexed in step")]
use super::{Pixels, Transform, gather};
use crate::tile::{Bf16, COLUMNS};
use crate::{Isa, View};
use half::bf16;
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mul_ps, _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
};

impl Transform for Bf16 {
    const OUT: usize = 2;
    const CHUNK: usize = 32;
    const BAND: usize = 256;
    const LEAST: usize = 16;
    const LEAST_KEPT: usize = 4;

    fn pixels(
        self,
        _: Isa,
        x: View<'_>,
        from: impl Fn(usize) -> Option<usize>,
        zeros: &[f32],
        to: &mut [&mut [bf16]],
    ) {
        tile(self, x, from, zeros, to);
    }

    fn weights(self, _: Isa, taps: [&[bf16]; 9], to: &mut [bf16]) {
        weights(self, taps, to);
    }

    fn back(self, _: Isa, sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
        back(self, sums, at, apart, out);
    }
}

pub(super) fn tile(
    _: Bf16,
    x: View<'_>,
    from: impl Fn(usize) -> Option<usize>,
    zeros: &[f32],
    to: &mut [&mut [bf16]],
) {
    let channels = zeros.len();
    assert!(channels.is_multiple_of(16) && to.iter().all(|t| t.len() == channels), "whole vectors");
    let to: [*mut bf16; 16] = std::array::from_fn(|i| to[i].as_mut_ptr());
    // SAFETY: a Bf16 exists only where the processor has AVX-512; every address holds `channels`
    // values, which gathering and the assertion checked.
    unsafe {
        match gather(x, from, zeros) {
            Pixels::F32(from) => tile_f32(from.map(<[f32]>::as_ptr), channels, to),
            Pixels::Bf16(from) => tile_bf16(from.map(<[bf16]>::as_ptr), channels, to),
        }
    }
}

/// # Safety
/// The processor has AVX-512 with bf16; `channels`, a multiple of 16, values at each address.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile_f32(from: [*const f32; 16], channels: usize, to: [*mut bf16; 16]) {
    for c in (0..channels).step_by(16) {
        let mut d = [_mm512_setzero_ps(); 16];
        // SAFETY: c + 16 <= channels.
        unsafe {
            for i in 0..16 {
                d[i] = _mm512_loadu_ps(from[i].add(c));
            }
            let out = forth(d);
            for i in 0..16 {
                narrow(to[i].add(c), out[i]);
            }
        }
    }
}

/// # Safety
/// As [`tile_f32`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile_bf16(from: [*const bf16; 16], channels: usize, to: [*mut bf16; 16]) {
    let whole = channels / 32 * 32;
    for c in (0..whole).step_by(32) {
        let (mut even, mut odd) = ([_mm512_setzero_ps(); 16], [_mm512_setzero_ps(); 16]);
        // SAFETY: c + 32 <= channels.
        unsafe {
            for i in 0..16 {
                even[i] = low(_mm512_loadu_si512(from[i].add(c).cast()));
            }
            let even = forth(even);
            for i in 0..16 {
                odd[i] = high(_mm512_loadu_si512(from[i].add(c).cast()));
            }
            let odd = forth(odd);
            for i in 0..16 {
                _mm512_storeu_si512(to[i].add(c).cast(), both(even[i], odd[i]));
            }
        }
    }
    if whole < channels {
        let mut d = [_mm512_setzero_ps(); 16];
        // SAFETY: 16 channels are left.
        unsafe {
            for i in 0..16 {
                let short = _mm256_loadu_si256(from[i].add(whole).cast());
                d[i] = low(_mm512_cvtepu16_epi32(short));
            }
            let out = forth(d);
            for i in 0..16 {
                narrow(to[i].add(whole), out[i]);
            }
        }
    }
}

/// B^T d B.
#[inline]
#[target_feature(enable = "avx512f")]
fn forth(d: [__m512; 16]) -> [__m512; 16] {
    let mut half = d;
    for j in 0..4 {
        let [a, b, c, e] = [d[j], d[4 + j], d[8 + j], d[12 + j]];
        half[j] = _mm512_sub_ps(a, c);
        half[4 + j] = _mm512_add_ps(b, c);
        half[8 + j] = _mm512_sub_ps(c, b);
        half[12 + j] = _mm512_sub_ps(b, e);
    }
    let mut out = half;
    for i in 0..4 {
        let [a, b, c, e] = [half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3]];
        out[4 * i] = _mm512_sub_ps(a, c);
        out[4 * i + 1] = _mm512_add_ps(b, c);
        out[4 * i + 2] = _mm512_sub_ps(c, b);
        out[4 * i + 3] = _mm512_sub_ps(b, e);
    }
    out
}

/// Words whose low halves become f32.
#[inline]
#[target_feature(enable = "avx512f")]
fn low(words: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn high(words: __m512i) -> __m512 {
    let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    _mm512_castsi512_ps(_mm512_and_si512(words, mask))
}

/// bf16 of `a` in the low and of `b` in the high halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn both(a: __m512, b: __m512) -> __m512i {
    const fn places() -> [u16; 32] {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            order[2 * i] = i as u16;
            order[2 * i + 1] = 16 + i as u16;
            i += 1;
        }
        order
    }
    const PLACES: [u16; 32] = places();
    // SAFETY: 32 halves are 512 bits, as are both kinds of vector.
    unsafe {
        let places = _mm512_loadu_si512(PLACES.as_ptr().cast());
        let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a));
        _mm512_permutexvar_epi16(places, halves)
    }
}

/// # Safety
/// The processor has AVX-512 with bf16, and 16 values may be written.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn narrow(to: *mut bf16, x: __m512) {
    // SAFETY: the caller's promise; both kinds of vector are 256 bits.
    unsafe {
        let short = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
        _mm256_storeu_si256(to.cast(), short);
    }
}

pub(super) fn weights(_: Bf16, taps: [&[bf16]; 9], to: &mut [bf16]) {
    let length = taps[0].len();
    assert!(length.is_multiple_of(32) && taps.iter().all(|t| t.len() == length), "whole vectors");
    assert_eq!(to.len(), 16 * length, "room for 16 panels");
    // SAFETY: a Bf16 exists only where the processor has AVX-512; lengths were checked.
    unsafe { weights_avx512(taps.map(<[bf16]>::as_ptr), length, to.as_mut_ptr()) };
}

/// # Safety
/// The processor has AVX-512 with bf16; `length`, a multiple of 32, values at each tap, 16 times
/// as many at `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn weights_avx512(taps: [*const bf16; 9], length: usize, to: *mut bf16) {
    for at in (0..length).step_by(32) {
        let (mut even, mut odd) = ([_mm512_setzero_ps(); 9], [_mm512_setzero_ps(); 9]);
        // SAFETY: at + 32 <= length.
        unsafe {
            for i in 0..9 {
                even[i] = low(_mm512_loadu_si512(taps[i].add(at).cast()));
            }
            let even = spread(even);
            for i in 0..9 {
                odd[i] = high(_mm512_loadu_si512(taps[i].add(at).cast()));
            }
            let odd = spread(odd);
            for p in 0..16 {
                _mm512_storeu_si512(to.add(p * length + at).cast(), both(even[p], odd[p]));
            }
        }
    }
}

/// G g G^T.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(g: [__m512; 9]) -> [__m512; 16] {
    let mut half = [_mm512_setzero_ps(); 12];
    for j in 0..3 {
        let four = line(g[j], g[3 + j], g[6 + j]);
        for (i, value) in four.into_iter().enumerate() {
            half[3 * i + j] = value;
        }
    }
    let mut out = [_mm512_setzero_ps(); 16];
    for i in 0..4 {
        let four = line(half[3 * i], half[3 * i + 1], half[3 * i + 2]);
        out[4 * i..4 * i + 4].copy_from_slice(&four);
    }
    out
}

/// a, (a + b + c) / 2, (a - b + c) / 2, c.
#[inline]
#[target_feature(enable = "avx512f")]
fn line(a: __m512, b: __m512, c: __m512) -> [__m512; 4] {
    let half = _mm512_set1_ps(0.5);
    let outer = _mm512_mul_ps(_mm512_add_ps(a, c), half);
    [a, _mm512_fmadd_ps(b, half, outer), _mm512_fnmadd_ps(b, half, outer), c]
}

pub(super) fn back(_: Bf16, sums: &[f32], at: usize, apart: usize, out: &mut [f32]) {
    assert!(15 * apart + at + COLUMNS <= sums.len(), "16 sums");
    assert!(out.len() >= 4 * COLUMNS, "room for 4 outputs");
    // SAFETY: a Bf16 exists only where the processor has AVX-512; the lengths were checked.
    unsafe { back_avx512(sums.as_ptr().add(at), apart, out.as_mut_ptr()) };
}

/// # Safety
/// The processor has AVX-512; 32 values at each of 16 addresses `apart` from each other; room for
/// 4 times 32.
#[target_feature(enable = "avx512f")]
unsafe fn back_avx512(sums: *const f32, apart: usize, out: *mut f32) {
    for first in [0, 16] {
        let mut half = [_mm512_setzero_ps(); 8];
        for j in 0..4 {
            let mut m = [_mm512_setzero_ps(); 4];
            for i in 0..4 {
                // SAFETY: places 0 to 15, columns 0 to 31.
                m[i] = unsafe { _mm512_loadu_ps(sums.add((4 * i + j) * apart + first)) };
            }
            half[j] = _mm512_add_ps(_mm512_add_ps(m[0], m[1]), m[2]);
            half[4 + j] = _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);
        }
        for i in 0..2 {
            let [a, b, c, d] = [half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3]];
            let left = _mm512_add_ps(_mm512_add_ps(a, b), c);
            let right = _mm512_sub_ps(_mm512_sub_ps(b, c), d);
            // SAFETY: columns `first` to `first + 15` of 32.
            unsafe {
                _mm512_storeu_ps(out.add(2 * i * COLUMNS + first), left);
                _mm512_storeu_ps(out.add((2 * i + 1) * COLUMNS + first), right);
            }
        }
    }
}
