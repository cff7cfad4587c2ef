//! The innermost products: some rows times a panel of 32 columns.
//!
//! A panel holds, for one step after the other, the values of its [`COLUMNS`] columns: single f32
//! values, or pairs of neighbouring bf16 values for the instruction that multiplies pairs. A
//! [`Kernel`] exists only where the processor has its instructions, because [`Isa`] makes it.
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use self::{avx2::Avx2, avx512::Avx512, bf16::Bf16};
pub(crate) use portable::Portable;

use crate::Element;

/// Columns of a panel.
pub(crate) const COLUMNS: usize = 32;

/// One part of a sum: `offset` is added to every row's start, `panel` is where its steps begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) offset: usize,
    pub(crate) panel: usize,
}

/// A way to multiply.
pub(crate) trait Kernel: Copy + Send + Sync {
    /// The type of the rows' and the panel's values.
    type Value: Element;
    /// Rows of one tile.
    const ROWS: usize;
    /// Values that one step takes from a row.
    const PAIR: usize;
    /// Values of the part of a panel that is best used for all rows before the next part.
    const PANEL: usize = 64 * 1024;

    /// c (`ROWS` x 32) = or += sum over segments and steps of rows times panel.
    ///
    /// # Safety
    /// For every row and segment, `a[row + offset..][..steps * PAIR]` and
    /// `panel[segment.panel..][..steps * PAIR * 32]` must be in bounds; `rows` has `ROWS` entries
    /// and c `ROWS * 32`.
    unsafe fn tile(
        self,
        a: &[Self::Value],
        rows: &[usize],
        panel: &[Self::Value],
        segments: &[Segment],
        steps: usize,
        c: &mut [f32],
        add: bool,
    );

    /// The same for the first 16 columns; what happens to the others is open.
    ///
    /// # Safety
    /// As [`Kernel::tile`].
    unsafe fn half_tile(
        self,
        a: &[Self::Value],
        rows: &[usize],
        panel: &[Self::Value],
        segments: &[Segment],
        steps: usize,
        c: &mut [f32],
        add: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.tile(a, rows, panel, segments, steps, c, add) };
    }
}

/// c `[rows.len(), 32]` = or += the rows of a, which begin at `rows`, times the panel.
pub(crate) fn multiply<K: Kernel>(
    kernel: K,
    a: &[K::Value],
    rows: &[usize],
    panel: &[K::Value],
    segments: &[Segment],
    steps: usize,
    c: &mut [f32],
    add: bool,
) {
    multiply_columns(kernel, a, rows, panel, COLUMNS, segments, steps, c, add);
}

/// [`multiply`] where only the first `columns` columns matter. The bounds are checked here, once
/// for all tiles.
pub(crate) fn multiply_columns<K: Kernel>(
    kernel: K,
    a: &[K::Value],
    rows: &[usize],
    panel: &[K::Value],
    columns: usize,
    segments: &[Segment],
    steps: usize,
    c: &mut [f32],
    add: bool,
) {
    let (Some(last), Some(far)) = (rows.iter().max(), segments.iter().map(|s| s.offset).max())
    else {
        return;
    };
    let deep = segments.iter().map(|s| s.panel).max().unwrap_or(0);
    let values = steps * K::PAIR;
    assert!(last + far + values <= a.len(), "rows lie in their slice");
    assert!(deep + values * COLUMNS <= panel.len(), "steps lie in their panel");
    assert_eq!(c.len(), rows.len() * COLUMNS, "one row of 32 for each row");
    let (whole, rest) = rows.split_at(rows.len() / K::ROWS * K::ROWS);
    let (c, c_rest) = c.split_at_mut(whole.len() * COLUMNS);
    for (rows, c) in whole.chunks_exact(K::ROWS).zip(c.chunks_exact_mut(K::ROWS * COLUMNS)) {
        // SAFETY: the assertions above.
        unsafe {
            match columns <= COLUMNS / 2 {
                true => kernel.half_tile(a, rows, panel, segments, steps, c, add),
                false => kernel.tile(a, rows, panel, segments, steps, c, add),
            }
        };
    }
    if let Some(first) = rest.first() {
        // The missing rows are computed as copies of one that is there, and dropped.
        let mut padded = [*first; 16];
        padded[..rest.len()].copy_from_slice(rest);
        let mut own = [0.0; 16 * COLUMNS];
        own[..c_rest.len()].copy_from_slice(c_rest);
        let own = &mut own[..K::ROWS * COLUMNS];
        // SAFETY: the assertions above.
        unsafe { kernel.tile(a, &padded[..K::ROWS], panel, segments, steps, own, add) };
        c_rest.copy_from_slice(&own[..c_rest.len()]);
    }
}

#[cfg(all(test, unix))]
mod tests;
