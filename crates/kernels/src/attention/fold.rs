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
    /// `at` on) and dS as a panel.
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
