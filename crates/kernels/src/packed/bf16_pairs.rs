//! From a file's rows to blocks of bf16 pairs, 32 values at a time.
use super::{BLOCK, Values};
use crate::tile::COLUMNS;
use crate::{Element, Isa};
use half::bf16;

/// Packs panel `j` of a weight `[outputs, inputs, taps]` into zeroed blocks.
pub(super) fn panel(
    isa: Isa,
    values: Values<'_>,
    sizes: (usize, usize, usize),
    j: usize,
    to: &mut [bf16],
) {
    let (n, k, taps) = sizes;
    assert_eq!(to.len(), taps * k.div_ceil(COLUMNS) * BLOCK, "the blocks of a panel");
    assert!(values.len() == n * k * taps && j * COLUMNS < n, "a panel of the weight");
    #[cfg(target_arch = "x86_64")]
    if isa.avx512().is_some() && k.is_multiple_of(COLUMNS) && (taps == 1 || taps == 9) {
        let words = bytemuck::cast_slice_mut(to);
        // SAFETY: the processor has AVX-512; sizes and lengths were just checked.
        unsafe { avx512::panel(values, sizes, j, words) };
        return;
    }
    match values {
        Values::F32(v) => plain(isa, v, sizes, j, to),
        Values::F16(v) => plain(isa, v, sizes, j, to),
        Values::Bf16(v) => plain(isa, v, sizes, j, to),
    }
}

vectorized! {
    fn plain[T](v: &[T], sizes: (usize, usize, usize), j: usize, to: &mut [bf16]) {
        let (n, k, taps) = sizes;
        let across = k.div_ceil(COLUMNS);
        for (i, block) in to.chunks_exact_mut(BLOCK).enumerate() {
            let (tap, first) = (i / across, i % across * COLUMNS);
            let count = (k - first).min(COLUMNS);
            for o in 0..(n - j * COLUMNS).min(COLUMNS) {
                let row = &v[((j * COLUMNS + o) * k + first) * taps..][..count * taps];
                for c in 0..count {
                    let value = <bf16 as Element>::put(row[c * taps + tap].get());
                    block[c / 2 * 2 * COLUMNS + o * 2 + c % 2] = value;
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{BLOCK, COLUMNS, Values};
    use std::arch::x86_64::{
        __m512, __m512i, _CMP_UNORD_Q, _mm256_loadu_si256, _mm512_add_epi32, _mm512_and_si512,
        _mm512_castps_si512, _mm512_castsi256_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
        _mm512_cvtepi32_epi16, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_inserti64x4,
        _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_mov_epi32, _mm512_mask_permutexvar_epi16,
        _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_slli_epi32,
        _mm512_srli_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
        _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    };

    /// Taps of a convolution.
    const TAPS: usize = 9;

    /// Of 32 inputs with nine taps each, 288 values in a row, a tap's are nine apart: in which of
    /// nine vectors, as a mask for each, and at which place there.
    struct Apart {
        places: [[u16; 32]; TAPS],
        masks: [[u32; TAPS]; TAPS],
    }

    static APART: Apart = apart();

    const fn apart() -> Apart {
        let mut out = Apart { places: [[0; 32]; TAPS], masks: [[0; TAPS]; TAPS] };
        let mut tap = 0;
        while tap < TAPS {
            let mut c = 0;
            while c < 32 {
                let at = c * TAPS + tap;
                out.places[tap][c] = (at % 32) as u16;
                out.masks[tap][at / 32] |= 1 << c;
                c += 1;
            }
            tap += 1;
        }
        out
    }

    /// # Safety
    /// The processor has AVX-512 F and BW; `values` are `[outputs, inputs, taps]` with inputs a
    /// multiple of 32 and 1 or 9 taps, `j * 32 < outputs`, and `to` is a whole panel of words.
    #[target_feature(enable = "avx512f,avx512bw,f16c")]
    pub(super) unsafe fn panel(
        values: Values<'_>,
        (n, k, taps): (usize, usize, usize),
        j: usize,
        to: &mut [u32],
    ) {
        let across = k / COLUMNS;
        let rows = (n - j * COLUMNS).min(COLUMNS);
        // A block's rows by tap: 16 words of two inputs for each of 32 outputs.
        let mut turned = [[_mm512_setzero_si512(); COLUMNS]; TAPS];
        for block in 0..across {
            for o in 0..rows {
                let at = ((j * COLUMNS + o) * k + block * COLUMNS) * taps;
                let mut row = [_mm512_setzero_si512(); TAPS];
                for (i, row) in row[..taps].iter_mut().enumerate() {
                    // SAFETY: taps * 32 values of a row begin at `at`.
                    *row = unsafe { words(values, at + i * 32) };
                }
                if taps == 1 {
                    turned[0][o] = row[0];
                    continue;
                }
                for (tap, turned) in turned.iter_mut().enumerate() {
                    // SAFETY: 32 places of two bytes each.
                    let places = unsafe { _mm512_loadu_si512(APART.places[tap].as_ptr().cast()) };
                    let mut out = _mm512_setzero_si512();
                    for (row, mask) in row.iter().zip(APART.masks[tap]) {
                        out = _mm512_mask_permutexvar_epi16(out, mask, places, *row);
                    }
                    turned[o] = out;
                }
            }
            for (tap, turned) in turned[..taps].iter().enumerate() {
                let to = &mut to[(tap * across + block) * (BLOCK / 2)..][..BLOCK / 2];
                for half in 0..2 {
                    let rows: &[__m512i; 16] =
                        turned[half * 16..][..16].try_into().expect("16 of 32 rows");
                    for (i, words) in transposed(rows).into_iter().enumerate() {
                        // SAFETY: 16 words from i * 32 + half * 16 of 512.
                        unsafe {
                            let to = to.as_mut_ptr().add(i * 32 + half * 16);
                            _mm512_storeu_si512(to.cast(), words);
                        }
                    }
                }
            }
        }
    }

    /// 32 values from place `at` on, rounded to bf16.
    ///
    /// # Safety
    /// There are that many.
    #[target_feature(enable = "avx512f,avx512bw,f16c")]
    unsafe fn words(values: Values<'_>, at: usize) -> __m512i {
        // SAFETY: 16 values twice.
        let (low, high) = unsafe { (sixteen(values, at), sixteen(values, at + 16)) };
        let low = _mm512_castsi256_si512(_mm512_cvtepi32_epi16(rounded(low)));
        _mm512_inserti64x4::<1>(low, _mm512_cvtepi32_epi16(rounded(high)))
    }

    /// 16 values from place `at` on.
    ///
    /// # Safety
    /// There are that many.
    #[target_feature(enable = "avx512f,f16c")]
    unsafe fn sixteen(values: Values<'_>, at: usize) -> __m512 {
        // SAFETY: the caller's promise, for each type.
        unsafe {
            match values {
                Values::F32(v) => _mm512_loadu_ps(v.as_ptr().add(at)),
                Values::F16(v) => _mm512_cvtph_ps(_mm256_loadu_si256(v.as_ptr().add(at).cast())),
                Values::Bf16(v) => {
                    let halves = _mm256_loadu_si256(v.as_ptr().add(at).cast());
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
                }
            }
        }
    }

    /// The nearest bf16 of each value in its lower half, ties to even; as [`crate::Element::put`].
    #[target_feature(enable = "avx512f")]
    fn rounded(x: __m512) -> __m512i {
        let bits = _mm512_castps_si512(x);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let up = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), odd);
        let near = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, up));
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
        _mm512_mask_mov_epi32(near, nan, _mm512_set1_epi32(0x7fc0))
    }

    /// The transpose of 16 x 16 words.
    #[target_feature(enable = "avx512f")]
    fn transposed(m: &[__m512i; 16]) -> [__m512i; 16] {
        let mut a = *m;
        for i in 0..8 {
            a[2 * i] = _mm512_unpacklo_epi32(m[2 * i], m[2 * i + 1]);
            a[2 * i + 1] = _mm512_unpackhi_epi32(m[2 * i], m[2 * i + 1]);
        }
        // b[4 i + q] holds, in each 128-bit part l, column 4 l + q of rows 4 i to 4 i + 3.
        let mut b = a;
        for i in 0..4 {
            b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
            b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
            b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
            b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
        }
        let mut out = b;
        for q in 0..4 {
            let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(b[q], b[4 + q]);
            let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(b[q], b[4 + q]);
            let later_even = _mm512_shuffle_i32x4::<0b10_00_10_00>(b[8 + q], b[12 + q]);
            let later_odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(b[8 + q], b[12 + q]);
            out[q] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even, later_even);
            out[8 + q] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even, later_even);
            out[4 + q] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd, later_odd);
            out[12 + q] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd, later_odd);
        }
        out
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::guard::Guarded;
    use half::f16;

    /// Values of all sizes, with infinities and values that are none.
    fn bits(count: usize) -> impl Iterator<Item = u32> {
        let step = |s: &mut u32| {
            *s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(*s)
        };
        (0..count).scan(1, move |s, _| step(s))
    }

    #[test]
    fn panels_are_equal_on_every_instruction_set() {
        for sizes in [(32, 32, 1), (40, 64, 1), (33, 32, 9), (64, 96, 9), (5, 7, 9), (3, 33, 1)] {
            let (n, k, taps) = sizes;
            let count = n * k * taps;
            let f32s: Guarded<f32> = Guarded::new(bits(count).map(f32::from_bits));
            let f16s: Guarded<f16> =
                Guarded::new(bits(count).map(|b| f16::from_bits((b >> 16) as u16)));
            let bf16s: Guarded<bf16> =
                Guarded::new(bits(count).map(|b| bf16::from_bits((b >> 16) as u16)));
            for values in [Values::F32(&f32s), Values::F16(&f16s), Values::Bf16(&bf16s)] {
                let size = taps * k.div_ceil(COLUMNS) * BLOCK;
                for j in 0..n.div_ceil(COLUMNS) {
                    let zeros = || std::iter::repeat_n(bf16::ZERO, size);
                    let mut right: Guarded<bf16> = Guarded::new(zeros());
                    let mut to: Guarded<bf16> = Guarded::new(zeros());
                    match values {
                        Values::F32(v) => plain(Isa::detect(), v, sizes, j, &mut right),
                        Values::F16(v) => plain(Isa::detect(), v, sizes, j, &mut right),
                        Values::Bf16(v) => plain(Isa::detect(), v, sizes, j, &mut right),
                    }
                    panel(Isa::detect(), values, sizes, j, &mut to);
                    let same = to.iter().zip(right.iter()).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{sizes:?}, panel {j}");
                }
            }
        }
    }
}
