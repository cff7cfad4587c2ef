//! The interface of a tile unit: products of tiles of 16 rows x 32 bf16 values by tiles of 16
//! columns, with f32 sums. What stands above it knows no instruction.
use super::{COLUMNS, Kernel, Product, Segment};
use half::bf16;
use std::ptr;

/// Rows of a tile, and columns of a tile of sums.
pub(crate) const SIDE: usize = 16;
/// Values of a row that one step takes.
pub(crate) const DEPTH: usize = 32;

/// One or two tiles of rows times one or two tiles of columns, over `count` segments of `blocks`
/// steps of 32 values. Distances are in bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct TileProduct {
    /// The first row of each tile of rows.
    pub(crate) a: [*const bf16; 2],
    /// From row to row, and from step to step.
    pub(crate) a_stride: usize,
    pub(crate) a_step: usize,
    /// The columns: 16 rows of 16 pairs of values, a tile; the distance of the second tile, from
    /// row to row, and from step to step.
    pub(crate) b: *const bf16,
    pub(crate) b_second: usize,
    pub(crate) b_stride: usize,
    pub(crate) b_step: usize,
    /// The segments, whose offsets are in values.
    pub(crate) segments: *const Segment,
    pub(crate) count: usize,
    pub(crate) blocks: usize,
    /// The sums: 16 rows for each tile of rows, 16 values for each tile of columns side by side.
    pub(crate) c: *mut f32,
    pub(crate) c_stride: usize,
    /// Whether the sums are added to what is there.
    pub(crate) add: bool,
    pub(crate) two_rows: bool,
    pub(crate) two_columns: bool,
    /// Whether the rows need not stay in the first cache.
    pub(crate) once: bool,
    /// What to fetch into the second cache meanwhile, and how many lines of it in each step.
    pub(crate) ahead: *const bf16,
    pub(crate) ahead_lines: usize,
}

/// Values of a cache line.
const LINE: usize = 32;

/// Something that multiplies tiles. The order of a sum is that of the segments, the steps, and in
/// a step as the instruction TDPBF16PS has it.
pub(crate) trait TileUnit: Copy + Send + Sync + std::fmt::Debug {
    /// Does the product.
    ///
    /// # Safety
    /// Every tile that the product names can be read, and the sums be written by this thread
    /// alone; there are at least one segment and one step. `ahead` may be any address.
    unsafe fn multiply(self, p: &TileProduct);
}

/// The kernel of a tile unit: 32 rows by a panel of 32 columns, two tiles by two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiled<U>(pub(crate) U);

/// Steps whose rows are gathered at a time.
const GATHERED: usize = 8;

/// Rows that do not lie as the unit needs them, as whole tiles: `[2, GATHERED, 16, 32]`.
#[repr(C, align(64))]
struct Rows([bf16; 2 * GATHERED * SIDE * DEPTH]);

/// The last steps of a panel, with zeros behind them.
#[repr(C, align(64))]
struct Columns([bf16; DEPTH * COLUMNS]);

/// The distance of neighboring rows, if it is the same within each tile of 16.
fn distance(rows: &[usize]) -> Option<usize> {
    let stride = rows[1].checked_sub(rows[0])?;
    let (tiles, rest) = rows.as_chunks::<SIDE>();
    let even = |tile: &[usize; SIDE]| {
        tile.iter().enumerate().fold(true, |all, (i, row)| all & (*row == tile[0] + i * stride))
    };
    (rest.is_empty() && tiles.iter().all(even)).then_some(stride)
}

impl<U: TileUnit> Kernel for Tiled<U> {
    type Value = bf16;
    const ROWS: usize = 2 * SIDE;
    const PAIR: usize = 2;
    /// 32 KB: with the rows that go by it stays in the first cache.
    const PANEL: usize = 16 * 1024;
    const PARTS: bool = true;
    const WHOLE: bool = true;

    #[inline]
    unsafe fn tile(self, product: Product<'_, bf16>, c: &mut [f32]) {
        // SAFETY: the caller's contract.
        unsafe { self.rows(product, true, c) };
    }

    #[inline]
    unsafe fn half_tile(self, product: Product<'_, bf16>, c: &mut [f32]) {
        // SAFETY: the caller's contract.
        unsafe { self.rows(product, false, c) };
    }

    unsafe fn rest(self, product: Product<'_, bf16>, c: &mut [f32]) {
        let count = product.rows.len();
        if count == SIDE {
            // SAFETY: the caller's contract; one tile of rows.
            return unsafe { self.rows(product, true, c) };
        }
        let mut padded_c = [0.0; 2 * SIDE * COLUMNS];
        padded_c[..c.len()].copy_from_slice(c);
        // SAFETY: the caller's contract; there is room for two tiles of rows.
        unsafe { self.gathered(product, 0, true, padded_c.as_mut_ptr()) };
        c.copy_from_slice(&padded_c[..c.len()]);
    }
}

impl<U: TileUnit> Tiled<U> {
    /// 16 or 32 rows.
    ///
    /// # Safety
    /// As [`Kernel::tile`], for as many rows as there are.
    #[inline]
    unsafe fn rows(self, product: Product<'_, bf16>, two_columns: bool, c: &mut [f32]) {
        let Product { a, rows, panel, segments, steps, add, once, ahead } = product;
        let blocks = steps / SIDE;
        // SAFETY: the caller's contract.
        unsafe {
            let Some(stride) = distance(rows).filter(|_| blocks > 0) else {
                return self.gathered(product, 0, two_columns, c.as_mut_ptr());
            };
            let starts = [rows[0], rows[rows.len() - SIDE]];
            let p = TileProduct {
                a: starts.map(|start| a.as_ptr().add(start)),
                a_stride: 2 * stride,
                a_step: 2 * DEPTH,
                b: panel.as_ptr(),
                b_second: 2 * COLUMNS,
                b_stride: 4 * COLUMNS,
                b_step: 2 * DEPTH * COLUMNS,
                segments: segments.as_ptr(),
                count: segments.len(),
                blocks,
                c: c.as_mut_ptr(),
                c_stride: 4 * COLUMNS,
                add,
                two_rows: rows.len() > SIDE,
                two_columns,
                once,
                ahead: ahead.as_ptr(),
                ahead_lines: ahead.len().div_ceil(LINE).div_ceil(segments.len() * blocks),
            };
            if steps.is_multiple_of(SIDE) {
                return self.0.multiply(&p);
            }
            for (i, segment) in segments.iter().enumerate() {
                let segments = std::slice::from_ref(segment);
                let add = add || i > 0;
                self.0.multiply(&TileProduct { segments: segments.as_ptr(), count: 1, add, ..p });
                let rest = Product { segments, add: true, ..product };
                self.gathered(rest, blocks * SIDE, two_columns, c.as_mut_ptr());
            }
        }
    }

    /// Up to 32 rows, from step `first` of each segment on, copied into tiles with zeros for what
    /// is not there.
    ///
    /// # Safety
    /// As [`Kernel::tile`], for as many rows as there are, but c has whole tiles of rows.
    unsafe fn gathered(
        self,
        product: Product<'_, bf16>,
        first: usize,
        two_columns: bool,
        c: *mut f32,
    ) {
        let Product { a, rows, panel, segments, steps, mut add, .. } = product;
        let mut tiles = Rows([bf16::ZERO; 2 * GATHERED * SIDE * DEPTH]);
        let mut last = Columns([bf16::ZERO; DEPTH * COLUMNS]);
        let apart = GATHERED * SIDE * DEPTH;
        for segment in segments {
            for from in (first..steps).step_by(GATHERED * SIDE) {
                let here = (steps - from).min(GATHERED * SIDE);
                for (i, row) in rows.iter().enumerate() {
                    let from = &a[row + segment.offset + 2 * from..][..2 * here];
                    let to = i / SIDE * apart + i % SIDE * DEPTH;
                    for (step, from) in from.chunks(DEPTH).enumerate() {
                        let to = &mut tiles.0[to + step * SIDE * DEPTH..][..DEPTH];
                        to[..from.len()].copy_from_slice(from);
                        to[from.len()..].fill(bf16::ZERO);
                    }
                }
                let whole = here / SIDE;
                let part = &panel[segment.panel + 2 * from * COLUMNS..][..2 * here * COLUMNS];
                let (blocks, rest) = part.split_at(whole * DEPTH * COLUMNS);
                last.0[..rest.len()].copy_from_slice(rest);
                last.0[rest.len()..].fill(bf16::ZERO);
                let at = whole * SIDE * DEPTH;
                for (b, from, count) in
                    [(blocks, 0, whole), (&last.0[..], at, usize::from(!rest.is_empty()))]
                {
                    if count == 0 {
                        continue;
                    }
                    // SAFETY: the rows were copied into whole tiles, and so was the last step of
                    // the panel if it is not whole; c is the caller's contract.
                    unsafe {
                        self.0.multiply(&TileProduct {
                            a: [from, apart + from].map(|at| tiles.0.as_ptr().add(at)),
                            a_stride: 2 * DEPTH,
                            a_step: 2 * SIDE * DEPTH,
                            b: b.as_ptr(),
                            b_second: 2 * COLUMNS,
                            b_stride: 4 * COLUMNS,
                            b_step: 2 * DEPTH * COLUMNS,
                            segments: &HERE,
                            count: 1,
                            blocks: count,
                            c,
                            c_stride: 4 * COLUMNS,
                            add,
                            two_rows: rows.len() > SIDE,
                            two_columns,
                            once: false,
                            ahead: ptr::null(),
                            ahead_lines: 0,
                        });
                    }
                    add = true;
                }
            }
        }
    }
}

/// The segment of tiles that were addressed themselves.
pub(crate) const HERE: Segment = Segment { offset: 0, panel: 0 };
