//! What follows scores that a tile unit has left in memory: the largest, probabilities, dS.
//!
//! Every function here is unsafe because it takes pointers: its caller promises that the sizes
//! that it names are there. A [`Bf16`] proves that the processor has the instructions.
use super::tile::{exp2, halves, narrow, seen};
use crate::attention::kernel::{DsTiles, HIDDEN, PARTS, Scores};
use crate::tile::{Bf16, COLUMNS};
use half::bf16;
use std::arch::x86_64::{
    _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_maskz_mov_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_permutex2var_epi16, _mm512_reduce_max_ps, _mm512_set1_ps,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
};

/// Raises to the largest score of each query, over one panel whose first key is `first`.
///
/// # Safety
/// 32 sums for each query, `apart` from each other.
pub(in crate::attention) unsafe fn row_max(
    _: Bf16,
    sums: *const f32,
    apart: usize,
    first: usize,
    visible: &[usize],
    max: &mut [f32],
) {
    /// # Safety
    /// As above, and the instructions.
    #[target_feature(enable = "avx512f,avx512dq")]
    unsafe fn avx512(
        sums: *const f32,
        apart: usize,
        first: usize,
        visible: &[usize],
        max: &mut [f32],
    ) {
        for (row, (max, visible)) in max.iter_mut().zip(visible).enumerate() {
            // SAFETY: the caller's contract.
            let [a, b] = unsafe {
                let sums = sums.add(row * apart);
                [_mm512_loadu_ps(sums), _mm512_loadu_ps(sums.add(16))]
            };
            let hidden = _mm512_set1_ps(HIDDEN);
            let a = _mm512_mask_mov_ps(hidden, seen(*visible, first), a);
            let b = _mm512_mask_mov_ps(hidden, seen(*visible, first + 16), b);
            *max = max.max(_mm512_reduce_max_ps(_mm512_max_ps(a, b)));
        }
    }
    // SAFETY: the caller's contract; the processor has the instructions.
    unsafe { avx512(sums, apart, first, visible, max) };
}

/// Probabilities 2^(score - max) as rows, and 16 parts of their sums.
///
/// # Safety
/// Sums of the panels for each query of `s.visible`, `apart` from each other, and room for as many
/// values at `p`.
pub(in crate::attention) unsafe fn probabilities(
    _: Bf16,
    sums: *const f32,
    apart: usize,
    s: Scores<'_, bf16>,
    max: &[f32],
    total: &mut [[f32; PARTS]],
    p: *mut bf16,
) {
    /// # Safety
    /// As above, and the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn avx512(
        sums: *const f32,
        apart: usize,
        s: Scores<'_, bf16>,
        max: &[f32],
        total: &mut [[f32; PARTS]],
        p: *mut bf16,
    ) {
        let end = s.first + s.panels * COLUMNS;
        for (row, ((max, visible), total)) in max.iter().zip(s.visible).zip(total).enumerate() {
            let max = _mm512_set1_ps(*max);
            let masked = *visible < end;
            // SAFETY: the caller's contract.
            unsafe {
                let (sums, p) = (sums.add(row * apart), p.add(row * apart));
                let mut sum = _mm512_loadu_ps(total.as_ptr());
                for i in 0..s.panels {
                    let at = sums.add(i * COLUMNS);
                    let mut a = exp2(_mm512_sub_ps(_mm512_loadu_ps(at), max));
                    let mut b = exp2(_mm512_sub_ps(_mm512_loadu_ps(at.add(16)), max));
                    if masked {
                        let key = s.first + i * COLUMNS;
                        a = _mm512_maskz_mov_ps(seen(*visible, key), a);
                        b = _mm512_maskz_mov_ps(seen(*visible, key + 16), b);
                    }
                    sum = _mm512_add_ps(sum, _mm512_add_ps(a, b));
                    _mm512_storeu_si512(p.add(i * COLUMNS).cast(), narrow(a, b));
                }
                _mm512_storeu_ps(total.as_mut_ptr(), sum);
            }
        }
    }
    // SAFETY: the caller's contract; the processor has the instructions.
    unsafe { avx512(sums, apart, s, max, total, p) };
}

/// P and dS = P (dy v^T - delta), as panels over the queries, and dS as rows.
///
/// # Safety
/// Sums of the panels for each query of `s.visible`, an even number, `apart` from each other, of
/// both products; room in `out`.
pub(in crate::attention) unsafe fn probabilities_and_ds(
    _: Bf16,
    sums: [*const f32; 2],
    apart: usize,
    s: Scores<'_, bf16>,
    lse: &[f32],
    delta: &[f32],
    out: DsTiles<bf16>,
) {
    /// # Safety
    /// As above, and the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn avx512(
        [sums, products]: [*const f32; 2],
        apart: usize,
        s: Scores<'_, bf16>,
        lse: &[f32],
        delta: &[f32],
        out: DsTiles<bf16>,
    ) {
        let (low, high) = halves();
        let end = s.first + s.panels * COLUMNS;
        for row in (0..s.visible.len()).step_by(2) {
            let masked = s.visible[row].min(s.visible[row + 1]) < end;
            for i in 0..s.panels {
                let mut short = [[_mm512_set1_ps(0.0); 2]; 2].map(|two| two.map(|x| narrow(x, x)));
                for (j, short) in short.iter_mut().enumerate() {
                    let row = row + j;
                    let (lse, delta) = (_mm512_set1_ps(lse[row]), _mm512_set1_ps(delta[row]));
                    // SAFETY: the caller's contract.
                    unsafe {
                        let at = row * apart + i * COLUMNS;
                        let (sums, products) = (sums.add(at), products.add(at));
                        let mut a = exp2(_mm512_sub_ps(_mm512_loadu_ps(sums), lse));
                        let mut b = exp2(_mm512_sub_ps(_mm512_loadu_ps(sums.add(16)), lse));
                        if masked {
                            let (visible, key) = (s.visible[row], s.first + i * COLUMNS);
                            a = _mm512_maskz_mov_ps(seen(visible, key), a);
                            b = _mm512_maskz_mov_ps(seen(visible, key + 16), b);
                        }
                        let da = _mm512_sub_ps(_mm512_loadu_ps(products), delta);
                        let db = _mm512_sub_ps(_mm512_loadu_ps(products.add(16)), delta);
                        let ds = narrow(_mm512_mul_ps(a, da), _mm512_mul_ps(b, db));
                        let to = out.rows.add(row * out.stride + i * COLUMNS);
                        _mm512_storeu_si512(to.cast(), ds);
                        *short = [narrow(a, b), ds];
                    }
                }
                let at = i * out.apart + row * COLUMNS;
                for (to, which) in [(out.p, 0), (out.s, 1)] {
                    let (a, b) = (short[0][which], short[1][which]);
                    // SAFETY: the caller's contract.
                    unsafe {
                        let to = to.add(at);
                        _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(a, low, b));
                        let to = to.add(COLUMNS);
                        _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(a, high, b));
                    }
                }
            }
        }
    }
    // SAFETY: the caller's contract; the processor has the instructions.
    unsafe { avx512(sums, apart, s, lse, delta, out) };
}
