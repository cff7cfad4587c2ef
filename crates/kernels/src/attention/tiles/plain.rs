//! What follows the scores of a tile unit, as plain loops: for its model on processors without
//! the vectors that go with a real one.
use super::{KEYS, ROWS};
use crate::Element;
use crate::attention::kernel::{DsTiles, HIDDEN, PARTS, Scores};
use crate::tile::COLUMNS;
use half::bf16;

/// Raises to the largest score of each query, over one panel.
///
/// # Safety
/// `ROWS` rows of a panel's sums, `KEYS` apart.
pub(super) unsafe fn row_max(sums: *const f32, first: usize, visible: &[usize], max: &mut [f32]) {
    for (row, max) in max[..ROWS].iter_mut().enumerate() {
        for i in 0..COLUMNS {
            // SAFETY: the caller's contract.
            let score = unsafe { *sums.add(row * KEYS + i) };
            *max = max.max(if first + i < visible[row] { score } else { HIDDEN });
        }
    }
}

/// Probabilities 2^(score - max) as rows, and parts of their sums.
///
/// # Safety
/// `ROWS` rows of the panels' sums, `KEYS` apart, and the same of `p`.
pub(super) unsafe fn probabilities(
    sums: *const f32,
    s: Scores<'_, bf16>,
    max: &[f32],
    total: &mut [[f32; PARTS]],
    p: *mut bf16,
) {
    for row in 0..ROWS {
        for i in 0..s.panels * COLUMNS {
            // SAFETY: the caller's contract.
            unsafe {
                let value = (*sums.add(row * KEYS + i) - max[row]).exp2();
                let value = if s.first + i < s.visible[row] { value } else { 0.0 };
                total[row][i % PARTS] += value;
                *p.add(row * KEYS + i) = Element::put(value);
            }
        }
    }
}

/// P and dS = P (dy v^T - delta), as panels over the queries, and dS as rows.
///
/// # Safety
/// `ROWS` rows of the panels' sums, `KEYS` apart, of both products; room in `out`.
pub(super) unsafe fn probabilities_and_ds(
    [sums, products]: [*const f32; 2],
    s: Scores<'_, bf16>,
    lse: &[f32],
    delta: &[f32],
    out: DsTiles<bf16>,
) {
    for row in 0..ROWS {
        for i in 0..s.panels * COLUMNS {
            // SAFETY: the caller's contract.
            unsafe {
                let value = (*sums.add(row * KEYS + i) - lse[row]).exp2();
                let value = if s.first + i < s.visible[row] { value } else { 0.0 };
                let ds =
                    <bf16 as Element>::put(value * (*products.add(row * KEYS + i) - delta[row]));
                let pair = row / 2 * 2 * COLUMNS + i % COLUMNS * 2 + row % 2;
                let at = i / COLUMNS * out.apart + pair;
                *out.p.add(at) = Element::put(value);
                *out.s.add(at) = ds;
                *out.rows.add(row * out.stride + i) = ds;
            }
        }
    }
}
