//! The innermost products: some rows times a panel of 32 columns.
//!
//! A panel holds, for one step after the other, the values of its [`COLUMNS`] columns: single f32
//! values, or pairs of neighboring bf16 values for the instruction that multiplies pairs. A
//! [`Kernel`] exists only where the processor has its instructions, because [`Isa`] makes it.
#[cfg(target_arch = "x86_64")]
mod bf16;
#[cfg(test)]
mod model;
mod portable;
mod unit;
#[cfg(target_arch = "x86_64")]
mod vectors;

#[cfg(target_arch = "x86_64")]
pub(crate) use self::{
    bf16::Bf16,
    vectors::{Avx2, Avx512},
};
#[cfg(test)]
pub(crate) use model::Model;
pub(crate) use portable::Portable;
pub(crate) use unit::{DEPTH, HERE, SIDE, TileProduct, TileUnit, Tiled};

use crate::Element;

/// Columns of a panel.
pub(crate) const COLUMNS: usize = 32;

/// One part of a sum: `offset` is added to every row's start, `panel` is where its steps begin.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Segment {
    pub(crate) offset: usize,
    pub(crate) panel: usize,
}

/// Rows of `a`, which begin at `rows`, times a panel, in `steps` steps of each segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product<'a, T> {
    pub(crate) a: &'a [T],
    pub(crate) rows: &'a [usize],
    pub(crate) panel: &'a [T],
    pub(crate) segments: &'a [Segment],
    pub(crate) steps: usize,
    /// Whether the sums are added to what is there.
    pub(crate) add: bool,
    /// Whether the rows are hardly read again while they could stay in the first cache.
    pub(crate) once: bool,
    /// What will be read next: a kernel may fetch it meanwhile.
    pub(crate) ahead: &'a [T],
}

/// The share of piece `i` of `count`.
pub(crate) fn share<T>(all: &[T], i: usize, count: usize) -> &[T] {
    &all[all.len() * i / count..all.len() * (i + 1) / count]
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
    /// Whether that holds for panels in place, too.
    const PARTS: bool = false;
    /// Whether rows that do not fill a tile cost more than some that are computed twice.
    const WHOLE: bool = false;

    /// c (`ROWS` x 32) = or += the product.
    ///
    /// # Safety
    /// For every row and segment, `a[row + offset..][..steps * PAIR]` and
    /// `panel[segment.panel..][..steps * PAIR * 32]` must be in bounds; `rows` has `ROWS` entries
    /// and c `ROWS * 32`.
    unsafe fn tile(self, product: Product<'_, Self::Value>, c: &mut [f32]);

    /// The same for the first 16 columns; what happens to the others is open.
    ///
    /// # Safety
    /// As [`Kernel::tile`].
    unsafe fn half_tile(self, product: Product<'_, Self::Value>, c: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { self.tile(product, c) };
    }

    /// The same of fewer rows.
    ///
    /// # Safety
    /// As [`Kernel::tile`], but for the number of rows: at least 1, below `ROWS`.
    unsafe fn rest(self, product: Product<'_, Self::Value>, c: &mut [f32]) {
        // The missing rows are computed as copies of one that is there, and dropped.
        let mut padded = [product.rows[0]; 16];
        padded[..product.rows.len()].copy_from_slice(product.rows);
        let mut padded_c = [0.0; 16 * COLUMNS];
        padded_c[..c.len()].copy_from_slice(c);
        let padded_c = &mut padded_c[..Self::ROWS * COLUMNS];
        // SAFETY: the caller's contract.
        unsafe { self.tile(Product { rows: &padded[..Self::ROWS], ..product }, padded_c) };
        c.copy_from_slice(&padded_c[..c.len()]);
    }
}

/// c `[rows.len(), 32]` = or += the product.
pub(crate) fn multiply<K: Kernel>(kernel: K, product: Product<'_, K::Value>, c: &mut [f32]) {
    multiply_columns(kernel, product, COLUMNS, c);
}

/// [`multiply`] where only the first `columns` columns matter. The bounds are checked here, once
/// for all tiles.
pub(crate) fn multiply_columns<K: Kernel>(
    kernel: K,
    product: Product<'_, K::Value>,
    columns: usize,
    c: &mut [f32],
) {
    let Product { a, rows, panel, segments, steps, .. } = product;
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
    let tiles = whole.chunks_exact(K::ROWS).zip(c.chunks_exact_mut(K::ROWS * COLUMNS));
    let count = tiles.len();
    for (i, (rows, c)) in tiles.enumerate() {
        let product = Product { rows, ahead: share(product.ahead, i, count), ..product };
        // SAFETY: the assertions above.
        unsafe {
            if columns <= COLUMNS / 2 {
                kernel.half_tile(product, c);
            } else {
                kernel.tile(product, c);
            }
        };
    }
    if !rest.is_empty() {
        // SAFETY: the assertions above.
        unsafe { kernel.rest(Product { rows: rest, ..product }, c_rest) };
    }
}

#[cfg(all(test, unix))]
mod tests;
