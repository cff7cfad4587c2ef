//! Rows times packed weights: what linear layers and convolutions have in common.
//!
//! The rows come in blocks from a [`RowSource`], which lays them out for the kernel (in place where
//! they already are). A piece of work is one block times some panels; each element of the result
//! is one sum in one order, whatever the pieces, so results do not depend on the threads.
use crate::packed::{Direction, Packed, PanelValue};
use crate::tile::{COLUMNS, Kernel, Product, Segment, multiply, share};
use crate::view::{View, apart};
use crate::{Cpu, Element, Isa, schedule, scratch};
use half::bf16;
use std::ops::Range;

mod finish;
mod gated;

pub(crate) use finish::Finish;
pub(crate) use gated::{Gate, dispatch_gated};

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
        with_tiles(cpu, kernel, source, block, &mut |block, c| {
            let rows = block.rows;
            for panel in panels.clone() {
                let mut emit = |c: &[f32], which: Range<usize>| {
                    // SAFETY: this piece alone has these rows and columns.
                    unsafe { finish.rows(cpu.isa, c, &rows[which], panel * COLUMNS) };
                };
                let factors = Factors { block, taps: source.taps(), w, direction, length };
                panel_product(cpu.isa, kernel, factors, panel, c, &mut emit);
            }
        });
        finish.done();
    });
}

/// What is done with the rows of a block and room for a panel's sums.
type BlockWork<'f, V> = dyn FnMut(Block<'_, V>, &mut [f32]) + 'f;

/// Calls `f` with the rows of a block and room for a panel's sums. Where a kernel multiplies whole
/// tiles only, the last one is made of the block's last rows, some of which are computed twice.
fn with_tiles<K: Kernel>(
    cpu: &Cpu,
    _: K,
    source: &impl RowSource<K::Value>,
    block: usize,
    f: &mut BlockWork<'_, K::Value>,
) {
    source.with_block(cpu.isa, block, &mut |block| {
        let count = block.rows.len();
        if !K::WHOLE || count < K::ROWS || (count % K::ROWS).is_multiple_of(K::ROWS / 2) {
            return scratch::with(count * COLUMNS, |c: &mut [f32]| f(block, c));
        }
        let (whole, last) = (count / K::ROWS * K::ROWS, count - K::ROWS);
        let all = whole + K::ROWS;
        scratch::with(2 * all, |numbers: &mut [usize]| {
            let (starts, rows) = numbers.split_at_mut(all);
            for (to, from) in [(&mut *starts, block.starts), (&mut *rows, block.rows)] {
                to[..whole].copy_from_slice(&from[..whole]);
                to[whole..].copy_from_slice(&from[last..]);
            }
            scratch::with(all * COLUMNS, |c: &mut [f32]| {
                f(Block { values: block.values, starts, rows }, c);
            });
        });
    });
}

/// What [`panel_product`] multiplies.
#[derive(Clone, Copy)]
struct Factors<'a, V> {
    block: Block<'a, V>,
    taps: &'a [Tap],
    w: &'a Packed,
    direction: Direction,
    /// Of the sums.
    length: usize,
}

/// All rows of a block times one panel, in `c` until `emit` has them.
fn panel_product<K: Kernel>(
    isa: Isa,
    kernel: K,
    factors: Factors<'_, K::Value>,
    panel: usize,
    c: &mut [f32],
    emit: &mut dyn FnMut(&[f32], Range<usize>),
) where
    K::Value: PanelValue,
{
    let Factors { block, taps, w, direction, length } = factors;
    let (a, starts) = (block.values, block.starts);
    // The taps of a convolution meet the same rows again.
    let once = taps.len() == 1;
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
        let ahead = following(values, segments, blocks);
        let (rows, panel) = (starts, values);
        let product = Product { a, rows, panel, segments, steps, add: false, once, ahead };
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
                let ahead =
                    in_place.map_or(&[][..], |(values, _)| following(values, segments, part.len()));
                let add = i + first > 0;
                let rows = starts;
                let product = Product { a, rows, panel, segments, steps, add, once, ahead };
                if (i + 1) * together >= taps.len() && part.end == blocks {
                    whole(kernel, product, c, emit);
                } else {
                    multiply(kernel, product, c);
                }
            }
        }
    });
}

/// What follows segments of so many blocks in panels that lie one after the other: as much again.
fn following<'a, V>(values: &'a [V], segments: &[Segment], blocks: usize) -> &'a [V] {
    let size = blocks * COLUMNS * COLUMNS;
    let end = segments.last().map_or(0, |segment| segment.panel + size);
    &values[end.min(values.len())..(end + segments.len() * size).min(values.len())]
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
    let chunks = product.rows.chunks(each);
    let count = chunks.len();
    for (i, rows) in chunks.enumerate() {
        // Sums that begin here all use the same place.
        let at = if product.add { i * each * COLUMNS } else { 0 };
        let c = &mut c[at..at + rows.len() * COLUMNS];
        let ahead = share(product.ahead, i, count);
        multiply(kernel, Product { rows, ahead, ..product }, c);
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

/// Calls `$call` with `$kernel` bound to the kernel that suits the weight and the processor.
macro_rules! with_kernel {
    ($cpu:expr, $w:expr, $kernel:ident => $call:expr) => {{
        let cpu: &$crate::Cpu = $cpu;
        if $w.products() == $crate::Products::Bf16 {
            with_bf16_kernel!(cpu.isa, $kernel => $call);
        }
        #[cfg(target_arch = "x86_64")]
        {
            if let Some($kernel) = cpu.isa.avx512() {
                return $call;
            }
            if let Some($kernel) = cpu.isa.avx2() {
                return $call;
            }
        }
        let $kernel = $crate::tile::Portable;
        $call
    }};
}
use with_kernel;

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
    with_kernel!(cpu, w, kernel => run(cpu, kernel, source, w, direction, finish));
}
