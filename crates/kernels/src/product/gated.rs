//! A product whose result is gated on the way to memory: GEGLU, y = a gelu(b) with a the first and b
//! the second half of the columns, neither of which is written.
use super::{Factors, Rows, panel_product, with_kernel, with_tiles};
use crate::geglu::gated;
use crate::packed::{Direction, Packed, PanelValue};
use crate::pool::Parts;
use crate::product::RowSource;
use crate::tile::{COLUMNS, Kernel};
use crate::view::{PartsMut, ViewMut};
use crate::{Cpu, schedule, scratch};
use std::ops::Range;

/// What becomes of both halves.
pub(crate) struct Gate<'a> {
    /// Added to both, if there is one.
    bias: Option<&'a [f32]>,
    /// Written: `[rows, columns]`, half of the weight's.
    y: PartsMut<'a>,
    columns: usize,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(bias: Option<&'a [f32]>, y: ViewMut<'a>, columns: usize) -> Self {
        assert!(columns.is_multiple_of(COLUMNS), "whole panels of both halves");
        Self { bias, y: y.into(), columns }
    }

    /// # Safety
    /// No other thread may write these rows' columns from `first` on at the same time.
    unsafe fn rows(&self, cpu: &Cpu, [a, b]: [&[f32]; 2], rows: &[usize], first: usize) {
        let bias = |from: usize| match self.bias {
            Some(bias) => bias[from..from + COLUMNS].try_into().expect("a panel's columns"),
            None => [0.0; COLUMNS],
        };
        let bias = [bias(first), bias(self.columns + first)];
        let (isa, columns) = (cpu.isa, self.columns);
        // SAFETY: the caller's contract.
        unsafe {
            match &self.y {
                PartsMut::F32(y) => gate(isa, a, b, &bias, rows, columns, first, y),
                PartsMut::Bf16(y) => gate(isa, a, b, &bias, rows, columns, first, y),
            }
        }
    }
}

vectorized! {
    /// Both halves are rounded as if they had been written.
    ///
    /// # Safety
    /// No other thread may read or write these rows' columns at the same time.
    unsafe fn gate[Y](
        a: &[f32],
        b: &[f32],
        bias: &[[f32; COLUMNS]; 2],
        rows: &[usize],
        columns: usize,
        first: usize,
        y: &Parts<'_, Y>,
    ) {
        let sums = a.as_chunks::<COLUMNS>().0.iter().zip(b.as_chunks::<COLUMNS>().0);
        for ((a, b), row) in sums.zip(rows) {
            // SAFETY: the caller's contract.
            let y = unsafe { y.part(row * columns + first, COLUMNS) };
            let y: &mut [Y; COLUMNS] = y.try_into().expect("a panel's columns");
            for i in 0..COLUMNS {
                let [a, b] = [a[i] + bias[0][i], b[i] + bias[1][i]].map(|x| Y::put(x).get());
                y[i] = Y::put(gated(a, b));
            }
        }
    }
}

fn run<K: Kernel<Value: PanelValue>>(
    cpu: &Cpu,
    kernel: K,
    source: &impl RowSource<K::Value>,
    w: &Packed,
    gate: &Gate<'_>,
) {
    w.keep::<K::Value>(cpu, Direction::Forward);
    let panels = gate.columns / COLUMNS;
    let blocks = source.blocks();
    let groups = schedule::groups(blocks, panels, cpu.pool.threads(), w.small());
    cpu.pool.run(blocks * groups, |i| {
        let (block, group) = (i / groups, i % groups);
        with_tiles(cpu, kernel, source, block, &mut |block, c| {
            let rows = block.rows;
            let taps = source.taps();
            let (direction, length) = (Direction::Forward, w.inputs);
            let factors = Factors { block, taps, w, direction, length };
            scratch::with(c.len(), |first_half: &mut [f32]| {
                for panel in group * panels / groups..(group + 1) * panels / groups {
                    let of = |which: &Range<usize>| which.start * COLUMNS..which.end * COLUMNS;
                    let mut keep = |c: &[f32], which: Range<usize>| {
                        first_half[of(&which)].copy_from_slice(c);
                    };
                    let isa = cpu.isa;
                    panel_product(isa, kernel, factors, panel, c, &mut keep);
                    let mut emit = |c: &[f32], which: Range<usize>| {
                        let halves = [&first_half[of(&which)], c];
                        // SAFETY: this piece alone has these rows and columns.
                        unsafe { gate.rows(cpu, halves, &rows[which], panel * COLUMNS) };
                    };
                    let second = panels + panel;
                    panel_product(isa, kernel, factors, second, c, &mut emit);
                }
            });
        });
    });
}

/// Calls [`run`] with the kernel that suits the weight and the processor.
pub(crate) fn dispatch_gated(cpu: &Cpu, source: &Rows<'_>, w: &Packed, gate: &Gate<'_>) {
    with_kernel!(cpu, w, kernel => run(cpu, kernel, source, w, gate));
}
