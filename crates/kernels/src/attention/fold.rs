//! What happens to a block of scores `[keys, 32 queries]` between two products.
#![expect(
    clippy::needless_range_loop,
    reason = "loops over lanes by number become vector instructions"
)]
use crate::Isa;
use crate::product::RowValue;
use crate::tile::{COLUMNS, Kernel};

/// A query's state while keys go by, one lane for each of 32 queries.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [f32; COLUMNS]);

/// Where a block of keys stands to its queries: with a causal mask, lane i sees the block's rows
/// up to and including `first + i`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mask {
    /// The first query's number minus the first key's; `None` without a mask.
    pub(super) first: Option<isize>,
}

impl Mask {
    /// Lanes below this are hidden from key `row`.
    #[inline(always)]
    fn hidden(self, row: usize) -> usize {
        match self.first {
            None => 0,
            Some(first) => (row as isize - first).clamp(0, COLUMNS as isize) as usize,
        }
    }

    fn any(self, rows: usize) -> bool {
        rows > 0 && self.hidden(rows - 1) > 0
    }
}

/// Least of all scores: what a hidden score becomes.
pub(super) const HIDDEN: f32 = -1e30;

/// A kernel that attention can use.
pub(super) trait Attend: Kernel<Value: RowValue> {
    /// Scores are multiplied with this before [`Attend::fold`] sees them: 1 for e^x, log2(e) for
    /// 2^x. `lse` is always natural.
    const UNIT: f32;

    /// Forward: updates the largest score and the sum of each query, turns scores into
    /// exponentials in the form of a panel, and gives the factor for what was summed before.
    fn fold(
        self,
        isa: Isa,
        scores: &mut [f32],
        mask: Mask,
        most: &mut Lanes,
        sum: &mut Lanes,
        panel: &mut [Self::Value],
    ) -> Lanes;

    /// Backward: from scores and products dy v^T to P and dS, as rows (each `length` long, from
    /// `at` on) and dS as a panel. `lse` is in units of the scores.
    #[expect(clippy::too_many_arguments, reason = "two inputs, two states, three results")]
    fn slopes(
        self,
        isa: Isa,
        scores: &mut [f32],
        dp: &[f32],
        mask: Mask,
        lse: &Lanes,
        delta: &Lanes,
        rows: (&mut [Self::Value], &mut [Self::Value]),
        place: (usize, usize),
        panel: &mut [Self::Value],
    );
}

/// Hides the scores that the mask hides.
fn hide(scores: &mut [f32], mask: Mask) {
    for (row, scores) in scores.chunks_exact_mut(COLUMNS).enumerate() {
        scores[..mask.hidden(row)].fill(HIDDEN);
    }
}

vectorised! {
    /// [`Attend::fold`] for f32.
    fn fold_plain[](
        scores: &[f32], most: &mut Lanes, sum: &mut Lanes, factor: &mut Lanes, panel: &mut [f32],
    ) {
        let mut new = most.0;
        for row in scores.chunks_exact(COLUMNS) {
            for i in 0..COLUMNS {
                new[i] = if row[i] > new[i] { row[i] } else { new[i] };
            }
        }
        for i in 0..COLUMNS {
            factor.0[i] = crate::math::exp(most.0[i] - new[i]);
        }
        let mut add = [0.0_f32; COLUMNS];
        for (row, to) in scores.chunks_exact(COLUMNS).zip(panel.chunks_exact_mut(COLUMNS)) {
            for i in 0..COLUMNS {
                to[i] = crate::math::exp(row[i] - new[i]);
                add[i] += to[i];
            }
        }
        for i in 0..COLUMNS {
            sum.0[i] = sum.0[i] * factor.0[i] + add[i];
        }
        most.0 = new;
    }
}

vectorised! {
    /// [`Attend::slopes`] for f32.
    fn slopes_plain[](
        scores: &[f32],
        dp: &[f32],
        lse: &Lanes,
        delta: &Lanes,
        rows_p: &mut [f32],
        rows_s: &mut [f32],
        length: usize,
        at: usize,
        panel: &mut [f32],
    ) {
        let blocks = scores.chunks_exact(COLUMNS).zip(dp.chunks_exact(COLUMNS));
        for (row, ((s, d), to)) in blocks.zip(panel.chunks_exact_mut(COLUMNS)).enumerate() {
            let p = &mut rows_p[row * length + at..][..COLUMNS];
            for i in 0..COLUMNS {
                p[i] = crate::math::exp(s[i] - lse.0[i]);
                to[i] = p[i] * (d[i] - delta.0[i]);
            }
            rows_s[row * length + at..][..COLUMNS].copy_from_slice(to);
        }
    }
}

macro_rules! plain {
    ($($kernel:ty),*) => { $(
        impl Attend for $kernel {
            const UNIT: f32 = 1.0;

            fn fold(
                self,
                isa: Isa,
                scores: &mut [f32],
                mask: Mask,
                most: &mut Lanes,
                sum: &mut Lanes,
                panel: &mut [f32],
            ) -> Lanes {
                if mask.any(scores.len() / COLUMNS) {
                    hide(scores, mask);
                }
                let mut factor = Lanes([0.0; COLUMNS]);
                fold_plain(isa, scores, most, sum, &mut factor, panel);
                factor
            }

            fn slopes(
                self,
                isa: Isa,
                scores: &mut [f32],
                dp: &[f32],
                mask: Mask,
                lse: &Lanes,
                delta: &Lanes,
                rows: (&mut [f32], &mut [f32]),
                (length, at): (usize, usize),
                panel: &mut [f32],
            ) {
                if mask.any(scores.len() / COLUMNS) {
                    hide(scores, mask);
                }
                slopes_plain(isa, scores, dp, lse, delta, rows.0, rows.1, length, at, panel);
            }
        }
    )* };
}

plain!(crate::tile::Portable);
#[cfg(target_arch = "x86_64")]
plain!(crate::tile::Avx2, crate::tile::Avx512);

#[cfg(target_arch = "x86_64")]
mod bf16 {
    //! The same with AVX-512 and bf16 results: 2^x by its whole part and a polynomial of the rest.
    use super::{Attend, COLUMNS, Lanes, Mask, hide};
    use crate::Isa;
    use crate::tile::Bf16;
    use half::bf16;
    use std::arch::x86_64::{
        __m512, __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEG_INF, _mm256_storeu_si256,
        _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512,
        _mm512_cvtepi32_epi16, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps,
        _mm512_or_si512, _mm512_reduce_ps, _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_srli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
    };

    impl Attend for Bf16 {
        const UNIT: f32 = std::f32::consts::LOG2_E;

        fn fold(
            self,
            _: Isa,
            scores: &mut [f32],
            mask: Mask,
            most: &mut Lanes,
            sum: &mut Lanes,
            panel: &mut [bf16],
        ) -> Lanes {
            let rows = scores.len() / COLUMNS;
            assert!(rows * COLUMNS == scores.len(), "whole rows");
            assert!(panel.len() >= rows.next_multiple_of(2) * COLUMNS, "room for the panel");
            if mask.any(rows) {
                hide(scores, mask);
            }
            let mut factor = Lanes([0.0; COLUMNS]);
            // SAFETY: a Bf16 exists only where the processor has AVX-512; the sizes were checked.
            unsafe { fold(scores, rows, most, sum, &mut factor, panel.as_mut_ptr()) };
            factor
        }

        fn slopes(
            self,
            _: Isa,
            scores: &mut [f32],
            dp: &[f32],
            mask: Mask,
            lse: &Lanes,
            delta: &Lanes,
            rows: (&mut [bf16], &mut [bf16]),
            (length, at): (usize, usize),
            panel: &mut [bf16],
        ) {
            let count = scores.len() / COLUMNS;
            assert!(count > 0 && dp.len() == scores.len(), "whole rows");
            assert!(panel.len() >= count.next_multiple_of(2) * COLUMNS, "room for the panel");
            let end = (count - 1) * length + at + COLUMNS;
            assert!(rows.0.len() >= end && rows.1.len() >= end, "room for the rows");
            if mask.any(count) {
                hide(scores, mask);
            }
            let out = Out {
                p: rows.0.as_mut_ptr(),
                s: rows.1.as_mut_ptr(),
                length,
                at,
                panel: panel.as_mut_ptr(),
            };
            // SAFETY: a Bf16 exists only where the processor has AVX-512; the sizes were checked.
            unsafe { slopes(scores, dp, count, lse, delta, out) };
        }
    }

    /// 2^x for x up to 127; relative error at most 3e-6 (a polynomial of degree 4, fitted to
    /// 2^r on 0..1 for the least relative error).
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn exp2(x: __m512) -> __m512 {
        const FLOOR: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
        let r = _mm512_reduce_ps::<FLOOR>(x);
        let mut p = _mm512_set1_ps(0.013_520_603);
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.052_037_43));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.241_427_5));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693_006_63));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.000_002_5));
        // scalef multiplies with 2 to the whole part of x.
        _mm512_scalef_ps(p, x)
    }

    /// bf16 of `a` in the low and of `b` in the high halves, rounded to nearest.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn both(a: __m512, b: __m512) -> __m512i {
        let half = _mm512_set1_epi32(0x8000);
        let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
        let a = _mm512_srli_epi32::<16>(_mm512_add_epi32(_mm512_castps_si512(a), half));
        let b = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(b), half), high);
        _mm512_or_si512(a, b)
    }

    /// # Safety
    /// The processor has AVX-512; `rows * 32` scores, and room for the panel.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
    unsafe fn fold(
        scores: &[f32],
        rows: usize,
        most: &mut Lanes,
        sum: &mut Lanes,
        factor: &mut Lanes,
        panel: *mut bf16,
    ) {
        for half in [0, 16] {
            // SAFETY: 16 lanes from 0 or 16 on are inside of 32; rows as the caller promises.
            unsafe {
                let s = scores.as_ptr().add(half);
                let to = panel.add(2 * half);
                let old = _mm512_loadu_ps(most.0.as_ptr().add(half));
                let mut new = [old; 4];
                let whole = rows / 4 * 4;
                for row in (0..whole).step_by(4) {
                    for (j, new) in new.iter_mut().enumerate() {
                        *new = _mm512_max_ps(*new, _mm512_loadu_ps(s.add((row + j) * COLUMNS)));
                    }
                }
                for row in whole..rows {
                    new[0] = _mm512_max_ps(new[0], _mm512_loadu_ps(s.add(row * COLUMNS)));
                }
                let new =
                    _mm512_max_ps(_mm512_max_ps(new[0], new[1]), _mm512_max_ps(new[2], new[3]));
                let mut add = [_mm512_setzero_ps(); 2];
                for row in (0..rows / 2 * 2).step_by(2) {
                    let a = exp2(_mm512_sub_ps(_mm512_loadu_ps(s.add(row * COLUMNS)), new));
                    let b = exp2(_mm512_sub_ps(_mm512_loadu_ps(s.add((row + 1) * COLUMNS)), new));
                    add[0] = _mm512_add_ps(add[0], a);
                    add[1] = _mm512_add_ps(add[1], b);
                    _mm512_storeu_si512(to.add(row * COLUMNS).cast(), both(a, b));
                }
                if rows % 2 == 1 {
                    let row = rows - 1;
                    let a = exp2(_mm512_sub_ps(_mm512_loadu_ps(s.add(row * COLUMNS)), new));
                    add[0] = _mm512_add_ps(add[0], a);
                    let pair = both(a, _mm512_setzero_ps());
                    _mm512_storeu_si512(to.add(row * COLUMNS).cast(), pair);
                }
                let f = exp2(_mm512_sub_ps(old, new));
                let before = _mm512_loadu_ps(sum.0.as_ptr().add(half));
                let total = _mm512_fmadd_ps(before, f, _mm512_add_ps(add[0], add[1]));
                _mm512_storeu_ps(sum.0.as_mut_ptr().add(half), total);
                _mm512_storeu_ps(most.0.as_mut_ptr().add(half), new);
                _mm512_storeu_ps(factor.0.as_mut_ptr().add(half), f);
            }
        }
    }

    struct Out {
        p: *mut bf16,
        s: *mut bf16,
        length: usize,
        at: usize,
        panel: *mut bf16,
    }

    /// # Safety
    /// The processor has AVX-512; `rows * 32` scores and products, and room in `out`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
    unsafe fn slopes(
        scores: &[f32],
        dp: &[f32],
        rows: usize,
        lse: &Lanes,
        delta: &Lanes,
        out: Out,
    ) {
        for half in [0, 16] {
            // SAFETY: 16 lanes from 0 or 16 on are inside of 32; rows as the caller promises.
            unsafe {
                let l = _mm512_loadu_ps(lse.0.as_ptr().add(half));
                let delta = _mm512_loadu_ps(delta.0.as_ptr().add(half));
                let mut first = _mm512_setzero_ps();
                for row in 0..rows {
                    let at = row * COLUMNS + half;
                    let p = exp2(_mm512_sub_ps(_mm512_loadu_ps(scores.as_ptr().add(at)), l));
                    let d = _mm512_sub_ps(_mm512_loadu_ps(dp.as_ptr().add(at)), delta);
                    let s = _mm512_mul_ps(p, d);
                    let to = row * out.length + out.at + half;
                    narrow(out.p.add(to), p);
                    narrow(out.s.add(to), s);
                    if row % 2 == 0 {
                        first = s;
                    }
                    if row % 2 == 1 || row + 1 == rows {
                        let second = if row % 2 == 1 { s } else { _mm512_setzero_ps() };
                        let to = out.panel.add(row / 2 * 2 * COLUMNS + 2 * half);
                        _mm512_storeu_si512(to.cast(), both(first, second));
                    }
                }
            }
        }
    }

    /// # Safety
    /// The processor has AVX-512, and 16 values may be written.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn narrow(to: *mut bf16, x: __m512) {
        let bits = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
        let short = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(bits));
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_si256(to.cast(), short) };
    }
}
