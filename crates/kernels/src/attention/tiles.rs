//! Attention with a tile unit: scores as tiles of 32 queries by 32 keys, and what follows them by
//! vectors while they lie in the first cache.
mod plain;

use super::heads::{self, Columns, Head, HeadRange};
use super::kernel::{Attend, DsTiles, PARTS, Rows, Scores};
use crate::Isa;
use crate::tile::{COLUMNS, DEPTH, HERE, SIDE, TileProduct, TileUnit};
use crate::view::PartsMut;
use half::bf16;
use std::mem::MaybeUninit;
use std::ptr;

/// Queries of a tile of scores.
pub(super) const ROWS: usize = 2 * SIDE;
/// Keys of a block; a row of scores is as long.
pub(super) const KEYS: usize = 64;

/// A tile unit, and vectors for what is not a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles<U> {
    unit: U,
    isa: Isa,
}

/// Scores of a tile, `[ROWS, KEYS]`.
#[repr(C, align(64))]
struct Sums(MaybeUninit<[f32; ROWS * KEYS]>);

impl Sums {
    const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

impl<U: TileUnit> Tiles<U> {
    pub(super) const fn new(unit: U, isa: Isa) -> Self {
        Self { unit, isa }
    }

    /// Products of 32 rows with panels of 32 keys.
    ///
    /// # Safety
    /// 32 rows of `padded` values at `rows`, `panels` panels of them at `keys`, of at most `KEYS`
    /// keys.
    #[inline]
    unsafe fn scores(
        self,
        rows: *const bf16,
        keys: *const bf16,
        padded: usize,
        panels: usize,
        to: &mut Sums,
    ) {
        for panel in 0..panels {
            // SAFETY: the caller's contract; `to` has a row of KEYS sums for each row.
            unsafe {
                self.unit.multiply(&TileProduct {
                    a: [rows, rows.add(SIDE * padded)],
                    a_stride: 2 * padded,
                    a_step: 2 * DEPTH,
                    b: keys.add(panel * COLUMNS * padded),
                    b_second: 2 * COLUMNS,
                    b_stride: 4 * COLUMNS,
                    b_step: 2 * DEPTH * COLUMNS,
                    segments: &HERE,
                    count: 1,
                    blocks: padded / DEPTH,
                    c: to.0.as_mut_ptr().cast::<f32>().add(panel * COLUMNS),
                    c_stride: 4 * KEYS,
                    add: false,
                    two_rows: true,
                    two_columns: true,
                    once: false,
                    ahead: ptr::null(),
                    ahead_lines: 0,
                });
            }
        }
    }
}

impl<U: TileUnit> Attend for Tiles<U> {
    type Value = bf16;
    const PAIR: usize = 2;
    const LANES: usize = COLUMNS;
    const ROWS: usize = ROWS;
    const DS_ROWS: usize = ROWS;
    const HIGH: usize = SIDE;
    const UNIT: usize = SIDE;
    const HALVES: bool = false;
    const STEPS: usize = SIDE;
    const QUERIES: usize = 128;
    const KEYS: usize = KEYS;

    fn queries(count: usize) -> usize {
        count.next_multiple_of(ROWS).min(Self::QUERIES)
    }

    fn padded(width: usize) -> usize {
        width.next_multiple_of(DEPTH)
    }

    /// Two tiles of columns.
    fn run(left: usize) -> usize {
        left.min(2)
    }

    unsafe fn row_max(self, s: Scores<'_, bf16>, row_max: &mut [f32]) {
        for panel in 0..s.panels {
            let mut sums = Sums::new();
            let (keys, first) = s.panel(panel, COLUMNS);
            // SAFETY: the caller's contract; a panel's sums of each row are there.
            unsafe {
                self.scores(s.q, keys, s.padded, 1, &mut sums);
                let sums = sums.0.as_ptr().cast::<f32>();
                #[cfg(target_arch = "x86_64")]
                if let Some(kernel) = self.isa.bf16() {
                    super::bf16::row_max(kernel, sums, KEYS, first, s.visible, row_max);
                    continue;
                }
                plain::row_max(sums, first, s.visible, row_max);
            }
        }
    }

    unsafe fn probabilities(
        self,
        s: Scores<'_, bf16>,
        row_max: &[f32],
        total: &mut [[f32; PARTS]],
        p: *mut bf16,
    ) {
        let mut sums = Sums::new();
        // SAFETY: the caller's contract; the panels' sums of each row are there.
        unsafe {
            self.scores(s.q, s.k, s.padded, s.panels, &mut sums);
            let sums = sums.0.as_ptr().cast::<f32>();
            #[cfg(target_arch = "x86_64")]
            if let Some(kernel) = self.isa.bf16() {
                return super::bf16::probabilities(kernel, sums, KEYS, s, row_max, total, p);
            }
            plain::probabilities(sums, s, row_max, total, p);
        }
    }

    unsafe fn probabilities_and_ds(
        self,
        s: Scores<'_, bf16>,
        dy: *const bf16,
        v: *const bf16,
        lse: &[f32],
        delta: &[f32],
        out: DsTiles<bf16>,
    ) {
        let (mut sums, mut products) = (Sums::new(), Sums::new());
        // SAFETY: the caller's contract; the panels' sums of each row are there.
        unsafe {
            self.scores(s.q, s.k, s.padded, s.panels, &mut sums);
            self.scores(dy, v, s.padded, s.panels, &mut products);
            let sums = [&sums, &products].map(|sums| sums.0.as_ptr().cast::<f32>());
            #[cfg(target_arch = "x86_64")]
            if let Some(kernel) = self.isa.bf16() {
                return super::bf16::probabilities_and_ds(kernel, sums, KEYS, s, lse, delta, out);
            }
            plain::probabilities_and_ds(sums, s, lse, delta, out);
        }
    }

    unsafe fn product(
        self,
        run: HeadRange,
        rows: usize,
        (a, form): (*const bf16, Rows),
        panel: *const bf16,
        steps: usize,
        (c, apart): (*mut f32, usize),
        add: bool,
    ) {
        let across = 4 * SIDE * run.units;
        for row in (0..rows).step_by(ROWS) {
            // SAFETY: the caller's contract; rows and steps are made up to whole tiles.
            unsafe {
                let a = a.add(row * form.stride);
                self.unit.multiply(&TileProduct {
                    a: [a, a.wrapping_add(SIDE * form.stride)],
                    a_stride: 2 * form.stride,
                    a_step: 2 * DEPTH,
                    b: panel,
                    b_second: 4 * SIDE,
                    b_stride: across,
                    b_step: SIDE * across,
                    segments: &HERE,
                    count: 1,
                    blocks: steps.div_ceil(SIDE),
                    c: c.add(row * apart),
                    c_stride: 4 * apart,
                    add,
                    two_rows: rows - row > SIDE,
                    two_columns: run.units > 1,
                    once: false,
                    ahead: ptr::null(),
                    ahead_lines: 0,
                });
            }
        }
    }

    fn lay_rows(
        self,
        isa: Isa,
        head: Head<'_>,
        part: (usize, usize),
        padded: usize,
        factor: f32,
        to: &mut [bf16],
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return kernel.lay_rows(isa, head, part, padded, factor, to);
        }
        heads::rows(isa, head, part, padded, factor, to);
    }

    fn lay_words(
        self,
        isa: Isa,
        head: Head<'_>,
        count: usize,
        padded: usize,
        factor: f32,
        to: &mut [bf16],
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return kernel.lay_words(isa, head, count, padded, factor, to);
        }
        heads::words::<Self>(isa, head, count, padded, factor, to);
    }

    fn lay_columns(
        self,
        isa: Isa,
        head: Head<'_>,
        count: usize,
        total: usize,
        layout: Columns,
        to: &mut [bf16],
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return kernel.lay_columns(isa, head, count, total, layout, to);
        }
        heads::columns::<Self>(isa, head, count, total, layout, to);
    }

    fn turn(self, isa: Isa, from: (&[bf16], usize), padded: usize, width: usize, to: &mut [bf16]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            return kernel.turn(isa, from, padded, width, to);
        }
        heads::turned::<Self>(isa, from.0, padded, width, to);
    }

    unsafe fn write(
        self,
        isa: Isa,
        from: (&[f32], usize),
        factors: &[f32],
        out: &PartsMut<'_>,
        head: Head<'_>,
        first: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            // SAFETY: the caller's contract.
            return unsafe { kernel.write(isa, from, factors, out, head, first) };
        }
        // SAFETY: the caller's contract.
        unsafe { heads::write(isa, from, factors, out, head, first) };
    }

    unsafe fn write_turned(
        self,
        isa: Isa,
        from: (&[f32], usize),
        factor: f32,
        out: &PartsMut<'_>,
        head: Head<'_>,
        count: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16() {
            // SAFETY: the caller's contract.
            return unsafe { kernel.write_turned(isa, from, factor, out, head, count) };
        }
        // SAFETY: the caller's contract.
        unsafe { heads::write_turned::<Self>(isa, from, factor, out, head, count) };
    }
}
