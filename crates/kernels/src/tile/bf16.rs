//! Tiles of 8 x 32 with AVX-512's products of bf16 pairs.
use super::{COLUMNS, Kernel, Product};
use crate::{Isa, Level};
use half::bf16;
use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_storeu_ps,
};

const ROWS: usize = 8;

/// Proof that the processor has AVX-512 with bf16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bf16(());

impl Isa {
    pub(crate) fn bf16(self) -> Option<Bf16> {
        (self.level() >= Level::Avx512Bf16).then_some(Bf16(()))
    }
}

impl Kernel for Bf16 {
    type Value = bf16;
    const ROWS: usize = ROWS;
    const PAIR: usize = 2;

    #[inline]
    unsafe fn tile(self, product: Product<'_, bf16>, c: &mut [f32]) {
        debug_assert!(product.rows.len() == ROWS && c.len() == ROWS * COLUMNS);
        // SAFETY: the instructions exist, as `self` proves; the bounds are the caller's promise.
        unsafe { tile(product, c.as_mut_ptr()) };
    }
}

/// # Safety
/// As [`Kernel::tile`], and the processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile(p: Product<'_, bf16>, c: *mut f32) {
    let (a, panel) = (p.a.as_ptr(), p.panel.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: every address is inside the ranges that the caller promises.
    unsafe {
        if p.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_loadu_ps(c.add(i * COLUMNS + 16 * v));
                }
            }
        }
        for segment in p.segments {
            let mut starts = [a.cast::<i32>(); ROWS];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = a.add(*p.rows.get_unchecked(i) + segment.offset).cast();
            }
            let panel = panel.add(segment.panel);
            for step in 0..p.steps {
                let b = panel.add(step * 2 * COLUMNS);
                let mut columns = [pairs(_mm512_loadu_si512(b.cast())); 2];
                for (v, columns) in columns.iter_mut().enumerate().skip(1) {
                    *columns = pairs(_mm512_loadu_si512(b.add(COLUMNS * v).cast()));
                }
                for i in 0..ROWS {
                    let both = starts[i].add(step).read_unaligned();
                    let both = pairs(_mm512_set1_epi32(both));
                    for v in 0..2 {
                        sums[i][v] = _mm512_dpbf16_ps(sums[i][v], both, columns[v]);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(c.add(i * COLUMNS + 16 * v), *sum);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) }
}
