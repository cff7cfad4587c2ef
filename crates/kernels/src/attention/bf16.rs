//! Attention with products of bf16 pairs, whose probabilities never leave the registers unrounded.
mod layout;
mod scored;
mod tile;

pub(super) use scored::{probabilities, probabilities_and_ds, row_max};

use super::heads::{Columns, Head, HeadRange};
use super::kernel::{Attend, DsTiles, PARTS, Rows, Scores};
use crate::Isa;
use crate::tile::{Bf16, COLUMNS};
use crate::view::PartsMut;
use half::bf16;

impl Attend for Bf16 {
    type Value = bf16;
    const PAIR: usize = 2;
    const LANES: usize = COLUMNS;
    const ROWS: usize = tile::ROWS;
    const DS_ROWS: usize = tile::DS_ROWS;
    const HIGH: usize = tile::ROWS;
    const UNIT: usize = 16;
    const HALVES: bool = true;
    const QUERIES: usize = 64;
    const KEYS: usize = 128;

    /// Two or three vectors at a time, for one alone would wait for its rows' values.
    fn run(left: usize) -> usize {
        match left {
            0..=3 => left,
            4 => 2,
            _ => 3,
        }
    }

    fn lay_rows(
        self,
        _: Isa,
        head: Head<'_>,
        part: (usize, usize),
        padded: usize,
        factor: f32,
        to: &mut [bf16],
    ) {
        layout::rows(self, head, part, padded, factor, to);
    }

    fn lay_words(
        self,
        _: Isa,
        head: Head<'_>,
        count: usize,
        padded: usize,
        factor: f32,
        to: &mut [bf16],
    ) {
        layout::words(self, head, count, padded, factor, to);
    }

    fn lay_columns(
        self,
        _: Isa,
        head: Head<'_>,
        count: usize,
        total: usize,
        columns: Columns,
        to: &mut [bf16],
    ) {
        layout::columns(self, head, count, total, columns, to);
    }

    fn turn(
        self,
        _: Isa,
        (from, count): (&[bf16], usize),
        padded: usize,
        width: usize,
        to: &mut [bf16],
    ) {
        layout::turned(self, from, count, padded, width, to);
    }

    unsafe fn write(
        self,
        _: Isa,
        from: (&[f32], usize),
        factors: &[f32],
        out: &PartsMut<'_>,
        head: Head<'_>,
        first: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { layout::write(self, from, factors, out, head, first) };
    }

    unsafe fn write_turned(
        self,
        _: Isa,
        from: (&[f32], usize),
        factor: f32,
        out: &PartsMut<'_>,
        head: Head<'_>,
        count: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { layout::write_turned(self, from, factor, out, head, count) };
    }

    unsafe fn row_max(self, s: Scores<'_, bf16>, row_max: &mut [f32]) {
        // SAFETY: a Bf16 exists only where the processor has the instructions; the rest is the
        // caller's promise, as below.
        unsafe { tile::row_max(s, row_max) };
    }

    unsafe fn probabilities(
        self,
        s: Scores<'_, bf16>,
        row_max: &[f32],
        total: &mut [[f32; PARTS]],
        p: *mut bf16,
    ) {
        // SAFETY: as above.
        unsafe { tile::probabilities(s, row_max, total, p, Self::KEYS) };
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
        // SAFETY: as above.
        unsafe { tile::probabilities_and_ds(s, dy, v, lse, delta, out) };
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
        for row in (0..rows).step_by(tile::ROWS) {
            // SAFETY: as above; rows are made up to whole tiles, and are one piece each.
            unsafe {
                let (a, c) = (a.add(row * form.stride), c.add(row * apart));
                tile::product((run.units, run.half), a, form.stride, panel, steps, c, apart, add);
            }
        }
    }
}
