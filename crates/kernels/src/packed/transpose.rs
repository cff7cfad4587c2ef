//! Turning blocks of weights: bf16 pairs or f32 for the other direction, half floats to f32.
#![expect(clippy::needless_range_loop, reason = "several arrays are indexed in step")]
use super::BLOCK;
use crate::Isa;
use crate::tile::COLUMNS;
use half::f16;

/// Pairs along the other side: from `[16, 32]` words of two inputs of one output, low half first,
/// to `[16, 32]` words of two outputs of one input.
pub(super) fn pairs(isa: Isa, from: &[u32], to: &mut [u32]) {
    assert!(from.len() == BLOCK / 2 && to.len() == BLOCK / 2, "a block of words");
    #[cfg(target_arch = "x86_64")]
    if isa.avx512().is_some() {
        // SAFETY: the processor has AVX-512 and both slices hold a block, as was just checked.
        unsafe { avx512::pairs(from.as_ptr(), to.as_mut_ptr()) };
        return;
    }
    let _ = isa;
    plain(from, to);
}

fn plain(from: &[u32], to: &mut [u32]) {
    for i in 0..16 {
        for o in 0..16 {
            let (first, second) = (from[i * 32 + 2 * o], from[i * 32 + 2 * o + 1]);
            to[o * 32 + 2 * i] = (first & 0xffff) | (second << 16);
            to[o * 32 + 2 * i + 1] = (first >> 16) | (second & 0xffff_0000);
        }
    }
}

/// The transpose of a block of f32.
pub(super) fn block(isa: Isa, from: &[f32], to: &mut [f32]) {
    assert!(from.len() == BLOCK && to.len() == BLOCK, "a block of values");
    #[cfg(target_arch = "x86_64")]
    if isa.avx2().is_some() {
        // SAFETY: the processor has AVX2 and both slices hold a block, as was just checked.
        unsafe { avx2::block(from.as_ptr(), to.as_mut_ptr()) };
        return;
    }
    let _ = isa;
    for (j, to) in to.chunks_exact_mut(COLUMNS).enumerate() {
        for (to, from) in to.iter_mut().zip(from.chunks_exact(COLUMNS)) {
            *to = from[j];
        }
    }
}

/// Half floats to f32.
pub(super) fn widen_half(isa: Isa, from: &[f16], to: &mut [f32]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(8), "blocks");
    #[cfg(target_arch = "x86_64")]
    if isa.avx2().is_some() {
        // SAFETY: a level with AVX2 has F16C too; the lengths are equal multiples of 8.
        unsafe { f16c::widen(from, to) };
        return;
    }
    let _ = isa;
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from.to_f32());
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use crate::tile::COLUMNS;
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps,
        _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    /// # Safety
    /// The processor has AVX; 32 x 32 values at each address.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn block(from: *const f32, to: *mut f32) {
        for row in (0..COLUMNS).step_by(8) {
            for column in (0..COLUMNS).step_by(8) {
                let mut m = [_mm256_setzero_ps(); 8];
                for i in 0..8 {
                    // SAFETY: eight values of one of 32 rows.
                    m[i] = unsafe { _mm256_loadu_ps(from.add((row + i) * COLUMNS + column)) };
                }
                // Pairs of rows: of each half, columns 0 0 1 1 and 2 2 3 3.
                let mut a = m;
                for i in 0..4 {
                    a[2 * i] = _mm256_unpacklo_ps(m[2 * i], m[2 * i + 1]);
                    a[2 * i + 1] = _mm256_unpackhi_ps(m[2 * i], m[2 * i + 1]);
                }
                // Four rows: of each half, one column.
                for i in 0..2 {
                    let at = 4 * i;
                    m[at] = _mm256_shuffle_ps::<0b01_00_01_00>(a[at], a[at + 2]);
                    m[at + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a[at], a[at + 2]);
                    m[at + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(a[at + 1], a[at + 3]);
                    m[at + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(a[at + 1], a[at + 3]);
                }
                for i in 0..4 {
                    let low = _mm256_permute2f128_ps::<0x20>(m[i], m[4 + i]);
                    let high = _mm256_permute2f128_ps::<0x31>(m[i], m[4 + i]);
                    // SAFETY: as above, with the sides changed.
                    unsafe {
                        _mm256_storeu_ps(to.add((column + i) * COLUMNS + row), low);
                        _mm256_storeu_ps(to.add((column + 4 + i) * COLUMNS + row), high);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod f16c {
    use half::f16;
    use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};

    /// # Safety
    /// The processor has AVX and F16C; equal lengths, multiples of 8.
    #[target_feature(enable = "avx,f16c")]
    pub(super) unsafe fn widen(from: &[f16], to: &mut [f32]) {
        for (from, to) in from.chunks_exact(8).zip(to.chunks_exact_mut(8)) {
            // SAFETY: eight values on either side.
            unsafe {
                let wide = _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()));
                _mm256_storeu_ps(to.as_mut_ptr(), wide);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_setzero_si512, _mm512_shuffle_i64x2,
        _mm512_shufflehi_epi16, _mm512_shufflelo_epi16, _mm512_storeu_si512, _mm512_unpackhi_epi64,
        _mm512_unpacklo_epi64,
    };

    /// # Safety
    /// The processor has AVX-512 F and BW; 512 words at each address.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn pairs(from: *const u32, to: *mut u32) {
        // As a matrix of 16 x 16 double words, each of two inputs x two outputs: swap the middle
        // halves of each, then transpose by four quarters of 8 x 8.
        for row in 0..2 {
            for column in 0..2 {
                let mut m = [_mm512_setzero_si512(); 8];
                for (i, m) in m.iter_mut().enumerate() {
                    // SAFETY: row * 8 + i < 16 rows of 32 words, 16 of them from column * 16.
                    let words = unsafe {
                        _mm512_loadu_si512(from.add((row * 8 + i) * 32 + column * 16).cast())
                    };
                    // Of halves 0 1 2 3 to 0 2 1 3.
                    let low = _mm512_shufflelo_epi16::<0b11_01_10_00>(words);
                    *m = _mm512_shufflehi_epi16::<0b11_01_10_00>(low);
                }
                for (i, m) in transposed(m).into_iter().enumerate() {
                    // SAFETY: as above, with the sides changed.
                    unsafe {
                        _mm512_storeu_si512(to.add((column * 8 + i) * 32 + row * 16).cast(), m);
                    }
                }
            }
        }
    }

    /// The transpose of 8 x 8 double words.
    #[target_feature(enable = "avx512f")]
    fn transposed(m: [__m512i; 8]) -> [__m512i; 8] {
        let mut a = m;
        for i in 0..4 {
            a[2 * i] = _mm512_unpacklo_epi64(m[2 * i], m[2 * i + 1]);
            a[2 * i + 1] = _mm512_unpackhi_epi64(m[2 * i], m[2 * i + 1]);
        }
        // a[2 p + q] holds, in each 128-bit part l, rows 2 p and 2 p + 1 of column 2 l + q.
        let mut out = a;
        for q in 0..2 {
            let low = _mm512_shuffle_i64x2::<0b10_00_10_00>(a[q], a[2 + q]);
            let low_odd = _mm512_shuffle_i64x2::<0b11_01_11_01>(a[q], a[2 + q]);
            let high = _mm512_shuffle_i64x2::<0b10_00_10_00>(a[4 + q], a[6 + q]);
            let high_odd = _mm512_shuffle_i64x2::<0b11_01_11_01>(a[4 + q], a[6 + q]);
            // low: parts (p0 l0, p0 l2, p1 l0, p1 l2); columns q and 4 + q.
            out[q] = _mm512_shuffle_i64x2::<0b10_00_10_00>(low, high);
            out[4 + q] = _mm512_shuffle_i64x2::<0b11_01_11_01>(low, high);
            out[2 + q] = _mm512_shuffle_i64x2::<0b10_00_10_00>(low_odd, high_odd);
            out[6 + q] = _mm512_shuffle_i64x2::<0b11_01_11_01>(low_odd, high_odd);
        }
        out
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::guard::Guarded;

    #[test]
    fn turned_blocks_are_equal_on_every_instruction_set() {
        let from: Guarded<u32> = Guarded::new((0..512_u32).map(|i| (i * 2) | ((i * 2 + 1) << 16)));
        let mut right = [0; 512];
        plain(&from, &mut right);
        // Input 5 of output 7 is word (5 / 2) * 32 + 7, high half; it becomes word
        // (7 / 2) * 32 + 5, high half.
        assert_eq!(right[3 * 32 + 5] >> 16, from[2 * 32 + 7] >> 16);
        let mut to: Guarded<u32> = Guarded::new([0; 512]);
        pairs(Isa::detect(), &from, &mut to);
        assert_eq!(*to, right);
    }

    #[test]
    fn turned_blocks_of_f32() {
        let from: Guarded<f32> = Guarded::new((0..1024).map(|i| i as f32));
        for level in [crate::Level::Portable, crate::Level::Avx2] {
            let mut to: Guarded<f32> = Guarded::new([0.0; 1024]);
            block(Isa::detect().cap(level), &from, &mut to);
            for (i, to) in to.iter().enumerate() {
                assert_eq!(*to, from[i % 32 * 32 + i / 32], "{level:?}: {i}");
            }
        }
    }

    #[test]
    fn half_floats_widen_exactly() {
        let from: Guarded<f16> =
            Guarded::new((0..u16::MAX).step_by(97).map(f16::from_bits).take(64));
        let mut to: Guarded<f32> = Guarded::new([0.0; 64]);
        widen_half(Isa::detect(), &from, &mut to);
        for (from, to) in from.iter().zip(to.iter()) {
            assert_eq!(from.to_f32().to_bits(), to.to_bits());
        }
    }
}
