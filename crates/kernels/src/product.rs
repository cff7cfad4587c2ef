//! Rows times packed weights: what linear layers and convolutions have in common.
//!
//! The rows come in blocks from a [`RowSource`], which lays them out for the kernel (in place where
//! they already are). A piece of work is one block times some panels; each element of the result
//! is one sum in one order, whatever the pieces, so results do not depend on the threads.
use crate::packed::{Direction, Packed, PanelValue};
use crate::pool::Parts;
use crate::tile::{COLUMNS, Kernel, Product, Segment, multiply};
use crate::view::{PartsMut, View, ViewMut, apart};
use crate::{Cpu, Element, Isa, schedule, scratch};
use half::bf16;
use std::ops::Range;

/// A tap of the weight and where its values lie, counted from a row's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) offset: usize,
    pub(crate) tap: usize,
}

/// Some rows in the kernel's type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a, V> {
    pub(crate) values: &'a [V],
    /// Where each row starts in the values.
    pub(crate) starts: &'a [usize],
    /// The rows of the result.
    pub(crate) rows: &'a [usize],
}

/// Where rows come from.
pub(crate) trait RowSource<V>: Sync {
    /// Number of blocks.
    fn blocks(&self) -> usize;
    /// The taps that are summed; offsets are the same for each row.
    fn taps(&self) -> &[Tap];
    /// Calls `f` with the rows of a block.
    fn with_block(&self, isa: Isa, block: usize, f: &mut dyn FnMut(Block<'_, V>));
}

/// What becomes of the sums.
pub(crate) struct Finish<'a> {
    /// Added to each row.
    pub(crate) bias: Option<&'a [f32]>,
    /// Added, value by value.
    pub(crate) residual: Option<View<'a>>,
    /// Written: `[rows, columns]`.
    pub(crate) y: PartsMut<'a>,
    pub(crate) columns: usize,
}

impl<'a> Finish<'a> {
    pub(crate) fn new(
        bias: Option<&'a [f32]>,
        residual: Option<View<'a>>,
        y: ViewMut<'a>,
        columns: usize,
    ) -> Self {
        assert!(residual.is_none_or(|r| r.len() == y.len()), "a residual has the result's size");
        Self { bias, residual, y: y.into(), columns }
    }

    /// # Safety
    /// No other thread may write these rows' columns from `first` on at the same time.
    pub(crate) unsafe fn rows(&self, isa: Isa, c: &[f32], rows: &[usize], first: usize) {
        let bias = self.bias.map_or(&[][..], |b| &b[first..]);
        let to = ColumnsOf { columns: self.columns, first };
        #[cfg(target_arch = "x86_64")]
        if let (PartsMut::Bf16(y), None, Some(kernel)) = (&self.y, self.residual, isa.bf16())
            && self.columns - first >= COLUMNS
        {
            // SAFETY: the caller's promise.
            return unsafe { round::rows(kernel, c, rows, to, bias, y) };
        }
        // SAFETY: the caller's contract.
        unsafe {
            match (&self.y, self.residual) {
                (PartsMut::F32(y), None) => finish::<f32, f32>(isa, c, rows, to, bias, &[], y),
                (PartsMut::F32(y), Some(View::F32(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::F32(y), Some(View::Bf16(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::Bf16(y), None) => finish::<f32, bf16>(isa, c, rows, to, bias, &[], y),
                (PartsMut::Bf16(y), Some(View::F32(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::Bf16(y), Some(View::Bf16(r))) => finish(isa, c, rows, to, bias, r, y),
            }
        }
    }
}

/// The columns of a panel in a row of the result.
#[derive(Debug, Clone, Copy)]
struct ColumnsOf {
    /// Columns of a row.
    columns: usize,
    /// The panel's first column.
    first: usize,
}

vectorized! {
    /// Writes sums, bias and residual to the columns of `to` of the result's rows.
    ///
    /// # Safety
    /// No other thread may read or write these rows' columns at the same time.
    unsafe fn finish[R, Y](
        c: &[f32],
        rows: &[usize],
        to: ColumnsOf,
        bias: &[f32],
        residual: &[R],
        y: &Parts<'_, Y>,
    ) {
        let ColumnsOf { columns, first } = to;
        let count = COLUMNS.min(columns - first);
        let mut start = [0.0_f32; COLUMNS];
        if !bias.is_empty() {
            start[..count].copy_from_slice(&bias[..count]);
        }
        for (c, row) in c.chunks_exact(COLUMNS).zip(rows) {
            let at = row * columns + first;
            // SAFETY: the caller's contract.
            let y = unsafe { y.part(at, count) };
            let mut sums = start;
            for i in 0..COLUMNS {
                sums[i] += c[i];
            }
            if !residual.is_empty() {
                let r = &residual[at..at + count];
                if let Some(r) = r.first_chunk::<COLUMNS>() {
                    for i in 0..COLUMNS {
                        sums[i] += r[i].get();
                    }
                } else {
                    for i in 0..count {
                        sums[i] += r[i].get();
                    }
                }
            }
            if let Some(y) = y.first_chunk_mut::<COLUMNS>() {
                for i in 0..COLUMNS {
                    y[i] = Y::put(sums[i]);
                }
            } else {
                for i in 0..count {
                    y[i] = Y::put(sums[i]);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod round {
    //! Sums to bf16 with the instruction for it.
    use super::ColumnsOf;
    use crate::pool::Parts;
    use crate::tile::{Bf16, COLUMNS};
    use half::bf16;
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_add_ps, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_setzero_ps,
        _mm512_storeu_si512,
    };

    /// Writes sums and bias to the columns of `to` of the result's rows; all 32 exist.
    ///
    /// # Safety
    /// No other thread may read or write these rows' columns at the same time.
    pub(super) unsafe fn rows(
        _: Bf16,
        c: &[f32],
        rows: &[usize],
        ColumnsOf { columns, first }: ColumnsOf,
        bias: &[f32],
        y: &Parts<'_, bf16>,
    ) {
        assert!(c.len() >= rows.len() * COLUMNS, "32 sums for each row");
        let bias = bias.first_chunk::<COLUMNS>();
        // SAFETY: a Bf16 exists only where the processor has the instructions; the sums were
        // counted; the rest is the caller's promise.
        unsafe { avx512(c.as_ptr(), rows, columns, first, bias, y) };
    }

    /// # Safety
    /// 32 sums at `c` for each row; the instructions; nobody else writes the rows.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn avx512(
        c: *const f32,
        rows: &[usize],
        columns: usize,
        first: usize,
        bias: Option<&[f32; COLUMNS]>,
        y: &Parts<'_, bf16>,
    ) {
        let mut add = [_mm512_setzero_ps(); 2];
        if let Some(bias) = bias {
            // SAFETY: 32 values.
            unsafe {
                add = [_mm512_loadu_ps(bias.as_ptr()), _mm512_loadu_ps(bias[16..].as_ptr())];
            }
        }
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: the caller's promises; `part` looks whether 32 values are there.
            unsafe {
                let to = y.part(row * columns + first, COLUMNS);
                let c = c.add(i * COLUMNS);
                let low = _mm512_add_ps(_mm512_loadu_ps(c), add[0]);
                let high = _mm512_add_ps(_mm512_loadu_ps(c.add(16)), add[1]);
                let both = _mm512_cvtne2ps_pbh(high, low);
                let both = std::mem::transmute::<__m512bh, __m512i>(both);
                _mm512_storeu_si512(to.as_mut_ptr().cast(), both);
            }
        }
    }
}

/// y = rows of the source times the weight in this direction.
pub(crate) fn run<K: Kernel>(
    cpu: &Cpu,
    kernel: K,
    source: &impl RowSource<K::Value>,
    w: &Packed,
    direction: Direction,
    finish: &Finish<'_>,
) where
    K::Value: PanelValue,
{
    w.keep::<K::Value>(cpu, direction);
    let (columns, length) = w.sizes(direction);
    let panels = columns.div_ceil(COLUMNS);
    let blocks = source.blocks();
    let groups = schedule::groups(blocks, panels, cpu.pool.threads(), w.small());
    cpu.pool.run(blocks * groups, |i| {
        let (block, group) = (i / groups, i % groups);
        let panels = group * panels / groups..(group + 1) * panels / groups;
        source.with_block(cpu.isa, block, &mut |block| {
            let Block { values: a, starts, rows } = block;
            scratch::with(starts.len() * COLUMNS, |c: &mut [f32]| {
                for panel in panels.clone() {
                    let taps = source.taps();
                    let mut emit = |c: &[f32], which: Range<usize>| {
                        // SAFETY: this piece alone has these rows and columns.
                        unsafe { finish.rows(cpu.isa, c, &rows[which], panel * COLUMNS) };
                    };
                    panel_product(
                        cpu.isa, kernel, a, starts, taps, w, direction, panel, length, c, &mut emit,
                    );
                }
            });
        });
    });
}

/// All rows of a block times one panel, in `c` until `emit` has them.
#[expect(clippy::too_many_arguments, reason = "two factors with their sizes, and the result")]
fn panel_product<K: Kernel>(
    isa: Isa,
    kernel: K,
    a: &[K::Value],
    starts: &[usize],
    taps: &[Tap],
    w: &Packed,
    direction: Direction,
    panel: usize,
    length: usize,
    c: &mut [f32],
    emit: &mut dyn FnMut(&[f32], Range<usize>),
) where
    K::Value: PanelValue,
{
    let blocks = length.div_ceil(COLUMNS);
    let tap_size = blocks * COLUMNS * COLUMNS;
    let in_place = K::Value::in_place(w, direction, panel);
    if let Some((values, tap)) = in_place
        && (!K::PARTS || taps.len() * tap_size <= K::PANEL)
    {
        let mut segments = [Segment { offset: 0, panel: 0 }; 9];
        for (s, t) in segments.iter_mut().zip(taps) {
            *s = Segment { offset: t.offset, panel: t.tap * tap };
        }
        let segments = &segments[..taps.len()];
        let steps = length.div_ceil(K::PAIR);
        let product = Product { a, rows: starts, panel: values, segments, steps, add: false };
        return whole(kernel, product, c, emit);
    }
    // As many taps at a time as there is room for, or a part of one.
    let (together, each) = match K::PANEL / tap_size {
        0 => (1, K::PANEL / (COLUMNS * COLUMNS)),
        together => (together, blocks),
    };
    scratch::with(if in_place.is_some() { 0 } else { K::PANEL }, |made: &mut [K::Value]| {
        for (i, some) in taps.chunks(together).enumerate() {
            for first in (0..blocks).step_by(each) {
                let part = first..blocks.min(first + each);
                let size = part.len() * COLUMNS * COLUMNS;
                let mut segments = [Segment { offset: 0, panel: 0 }; 9];
                for (j, (segment, t)) in segments.iter_mut().zip(some).enumerate() {
                    segment.offset = t.offset + first * COLUMNS;
                    segment.panel = match in_place {
                        Some((_, tap)) => t.tap * tap + first * COLUMNS * COLUMNS,
                        None => j * size,
                    };
                    if in_place.is_none() {
                        let to = &mut made[j * size..(j + 1) * size];
                        K::Value::make(isa, w, direction, panel, t.tap, part.clone(), to);
                    }
                }
                let segments = &segments[..some.len()];
                let steps = (length.min(part.end * COLUMNS) - first * COLUMNS).div_ceil(K::PAIR);
                let panel = in_place.map_or(&*made, |(values, _)| values);
                let add = i + first > 0;
                let product = Product { a, rows: starts, panel, segments, steps, add };
                if (i + 1) * together >= taps.len() && part.end == blocks {
                    whole(kernel, product, c, emit);
                } else {
                    multiply(kernel, product, c);
                }
            }
        }
    });
}

/// Rows whose sums are finished while they are in the first cache, for kernels of up to 12 rows.
const FINISHED: usize = 24;

/// Rows times the last part of a panel, some at a time.
fn whole<K: Kernel>(
    kernel: K,
    product: Product<'_, K::Value>,
    c: &mut [f32],
    emit: &mut dyn FnMut(&[f32], Range<usize>),
) {
    let each = FINISHED.next_multiple_of(K::ROWS);
    for (i, rows) in product.rows.chunks(each).enumerate() {
        // Sums that begin here all use the same place.
        let at = if product.add { i * each * COLUMNS } else { 0 };
        let c = &mut c[at..at + rows.len() * COLUMNS];
        multiply(kernel, Product { rows, ..product }, c);
        emit(c, i * each..i * each + rows.len());
    }
}

/// Whether so little is to be done that rows are shared out before columns are.
fn is_small(rows: usize, w: &Packed) -> bool {
    rows <= 1024 && w.small()
}

/// Rows one after the other, `[rows, length]`.
pub(crate) struct Rows<'a> {
    x: View<'a>,
    rows: usize,
    length: usize,
    /// Rows of one block.
    each: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        cpu: &Cpu,
        x: View<'a>,
        rows: usize,
        w: &Packed,
        direction: Direction,
    ) -> Self {
        let (columns, length) = w.sizes(direction);
        assert!(rows > 0 && x.len() == rows * length, "rows of their size");
        // A block's values stay in the second cache while panel after panel passes, and are many
        // enough that the making of a panel does not count.
        let each = match direction {
            Direction::Forward => (256 * 1024 / length).clamp(64, 256),
            Direction::Backward => 512,
        };
        // Whole tiles of every kernel for these products.
        let tile = if w.products() == crate::Products::Bf16 { 32 } else { 24 };
        let each = if is_small(rows, w) {
            // Each piece lays its rows out once, and the panels are there.
            rows.div_ceil(4).next_multiple_of(8)
        } else {
            let panels = columns.div_ceil(COLUMNS);
            schedule::rows_of_block(rows, each, tile, panels, cpu.pool.threads())
        };
        Self { x, rows, length, each }
    }
}

const TAP: [Tap; 1] = [Tap { offset: 0, tap: 0 }];

/// A value of rows for a kernel.
pub(crate) trait RowValue: Element {
    /// The rows as they lie, if they are of this type and need no padding.
    fn as_is(x: View<'_>, length: usize) -> Option<&[Self]>;
    /// The values, if they are of this type.
    fn of(x: View<'_>) -> Option<&[Self]>;
    /// Length of a row with padding, for whole steps.
    fn padded(length: usize) -> usize;
}

impl RowValue for f32 {
    fn of(x: View<'_>) -> Option<&[Self]> {
        if let View::F32(x) = x { Some(x) } else { None }
    }

    fn as_is(x: View<'_>, length: usize) -> Option<&[Self]> {
        match x {
            View::F32(x) if apart::<f32>(length) == length => Some(x),
            _ => None,
        }
    }

    fn padded(length: usize) -> usize {
        apart::<f32>(length)
    }
}

impl RowValue for bf16 {
    fn of(x: View<'_>) -> Option<&[Self]> {
        if let View::Bf16(x) = x { Some(x) } else { None }
    }

    fn as_is(x: View<'_>, length: usize) -> Option<&[Self]> {
        match x {
            View::Bf16(x) if length.is_multiple_of(2) => Some(x),
            _ => None,
        }
    }

    fn padded(length: usize) -> usize {
        length.next_multiple_of(2)
    }
}

vectorized! {
    /// Rows of `length` values as another type, with zeros up to `padded`.
    pub(crate) fn convert[X, V](x: &[X], length: usize, padded: usize, to: &mut [V]) {
        if length == padded {
            for (x, to) in x.iter().zip(to) {
                *to = V::put(x.get());
            }
            return;
        }
        for (x, to) in x.chunks_exact(length).zip(to.chunks_exact_mut(padded)) {
            for (x, to) in x.iter().zip(to.iter_mut()) {
                *to = V::put(x.get());
            }
            to[length..].fill(V::put(0.0));
        }
    }
}

impl<V: RowValue> RowSource<V> for Rows<'_> {
    fn blocks(&self) -> usize {
        self.rows.div_ceil(self.each)
    }

    fn taps(&self) -> &[Tap] {
        &TAP
    }

    fn with_block(&self, isa: Isa, block: usize, f: &mut dyn FnMut(Block<'_, V>)) {
        let first = block * self.each;
        let count = self.each.min(self.rows - first);
        let (from, to) = (first * self.length, (first + count) * self.length);
        let as_is = V::as_is(self.x, self.length);
        let padded = as_is.map_or_else(|| V::padded(self.length), |_| self.length);
        scratch::with(2 * count, |numbers: &mut [usize]| {
            let (starts, rows) = numbers.split_at_mut(count);
            for i in 0..count {
                (starts[i], rows[i]) = (i * padded, first + i);
            }
            if let Some(x) = as_is {
                return f(Block { values: &x[from..to], starts, rows });
            }
            scratch::with(count * padded, |a: &mut [V]| {
                match self.x {
                    View::F32(x) => convert(isa, &x[from..to], self.length, padded, a),
                    View::Bf16(x) => convert(isa, &x[from..to], self.length, padded, a),
                }
                f(Block { values: a, starts, rows });
            });
        });
    }
}

/// Calls [`run`] with the kernel that suits the weight and the processor.
pub(crate) fn dispatch<S>(
    cpu: &Cpu,
    source: &S,
    w: &Packed,
    direction: Direction,
    finish: &Finish<'_>,
) where
    S: RowSource<f32> + RowSource<bf16>,
{
    if w.products() == crate::Products::Bf16 {
        with_bf16_kernel!(cpu.isa, kernel => run(cpu, kernel, source, w, direction, finish));
    }
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = cpu.isa.avx512() {
            return run(cpu, kernel, source, w, direction, finish);
        }
        if let Some(kernel) = cpu.isa.avx2() {
            return run(cpu, kernel, source, w, direction, finish);
        }
    }
    run(cpu, crate::tile::Portable, source, w, direction, finish);
}
