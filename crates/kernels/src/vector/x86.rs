//! The vectors of AVX2 with FMA and of AVX-512.
use super::Vector;
use std::arch::x86_64::{
    __m256, __m512, _mm256_add_epi32, _mm256_add_ps, _mm256_blendv_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_cmpgt_epi32, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32,
    _mm256_slli_epi32, _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_epi32, _mm512_add_ps,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_mov_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_reduce_max_ps, _mm512_set1_ps,
    _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

/// Eight values, with AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eight(__m256);

/// Sixteen values, with AVX-512 F.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sixteen(__m512);

macro_rules! alike {
    ($type:ident, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident,
     $mul:ident, $fma:ident, $min:ident, $max:ident) => {
        const LANES: usize = $lanes;

        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            // SAFETY: as the module says; so below.
            Self(unsafe { $splat(x) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as above.
            Self(unsafe { $load(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as above.
            unsafe { $store(to, self.0) };
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $add(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $sub(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $mul(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn times_plus(self, a: Self, b: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $fma(self.0, a.0, b.0) })
        }

        #[inline(always)]
        unsafe fn within(self, least: f32, most: f32) -> Self {
            // The instructions give their second value where one is not a number.
            // SAFETY: as above.
            Self(unsafe { $min($splat(most), $max($splat(least), self.0)) })
        }
    };
}

impl Vector for Eight {
    alike!(
        Eight,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_min_ps,
        _mm256_max_ps
    );

    #[inline(always)]
    unsafe fn times_power(self, whole: Self) -> Self {
        // SAFETY: as the module says.
        unsafe {
            let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(whole.0));
            Self(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0), power)))
        }
    }

    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: f32) -> Self {
        // SAFETY: as the module says.
        unsafe {
            let count = _mm256_set1_epi32(count.min(8) as i32);
            let mask = _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
            Self(_mm256_blendv_ps(_mm256_set1_ps(other), self.0, _mm256_castsi256_ps(mask)))
        }
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        let mut all = [0.0_f32; 8];
        // SAFETY: as the module says; there is room for eight.
        unsafe { self.store(all.as_mut_ptr()) };
        all.iter().fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most })
    }
}

impl Vector for Sixteen {
    alike!(
        Sixteen,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_min_ps,
        _mm512_max_ps
    );

    #[inline(always)]
    unsafe fn times_power(self, whole: Self) -> Self {
        // SAFETY: as the module says.
        unsafe {
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(whole.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), power)))
        }
    }

    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: f32) -> Self {
        let mask = if count < 16 { (1_u16 << count) - 1 } else { !0 };
        // SAFETY: as the module says.
        Self(unsafe { _mm512_mask_mov_ps(_mm512_set1_ps(other), mask, self.0) })
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: as the module says.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}
