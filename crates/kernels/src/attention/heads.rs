//! One head: where its columns lie, how work is shared out by heads, and its rows in the forms that
//! the products want.
use super::AttentionSizes;
use super::kernel::Attend;
use crate::pool::Pool;
use crate::product::RowValue;
use crate::view::PartsMut;
use crate::{Element, Isa, View};

/// Which head of which sample.
#[derive(Clone, Copy)]
pub(super) struct HeadIndex {
    pub(super) sample: usize,
    pub(super) head: usize,
}

/// The columns of one head in the rows of one sample.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) values: View<'a>,
    /// Where the first row's columns begin.
    at: usize,
    /// From row to row.
    pub(super) stride: usize,
    pub(super) width: usize,
}

impl<'a> Head<'a> {
    /// `tokens` are the rows of a sample in `values`.
    pub(super) fn of(
        values: View<'a>,
        s: &AttentionSizes,
        tokens: usize,
        HeadIndex { sample, head }: HeadIndex,
    ) -> Self {
        let stride = s.stride();
        Self { values, at: sample * tokens * stride + head * s.width, stride, width: s.width }
    }

    /// The same without its first rows.
    pub(super) fn skip_rows(self, first: usize) -> Self {
        Self { at: self.at(first), ..self }
    }

    /// Where the columns of row `i` begin.
    pub(super) fn at(&self, i: usize) -> usize {
        self.at + i * self.stride
    }
}

/// Calls `f` with a head, and with one of `groups` into which each is divided.
pub(super) fn shared(
    pool: &Pool,
    s: &AttentionSizes,
    groups: usize,
    f: impl Fn(HeadIndex, usize) + Sync,
) {
    pool.run(s.batch * s.heads * groups, |i| {
        let (sample, head) = (i / groups / s.heads, i / groups % s.heads);
        f(HeadIndex { sample, head }, i % groups);
    });
}

/// Takes the next `count` of a scratch.
pub(super) fn next<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (part, behind) = std::mem::take(rest).split_at_mut(count);
    *rest = behind;
    part
}

/// Columns of a head in units, and these in runs that one tile computes together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// Units in all.
    units: usize,
    /// Columns of one.
    unit: usize,
    /// Whether of the last unit only half is needed.
    half: bool,
    /// Length of a run.
    run: fn(usize) -> usize,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeadRange {
    /// Its first unit.
    pub(super) first: usize,
    /// Its units, the half one included.
    pub(super) units: usize,
    /// Whether the last one is half.
    pub(super) half: bool,
}

impl Columns {
    pub(super) fn new<K: Attend>(_: K, width: usize) -> Self {
        let half = K::HALVES && (width - 1) % K::UNIT < K::UNIT / 2;
        Self { units: width.div_ceil(K::UNIT), unit: K::UNIT, half, run: K::run }
    }

    /// Columns with those that fill up the last unit.
    pub(super) fn padded(self) -> usize {
        self.unit * self.units
    }

    pub(super) fn runs(self) -> impl Iterator<Item = HeadRange> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let left = self.units - first;
            if left == 0 {
                return None;
            }
            let units = (self.run)(left);
            let run = HeadRange { first, units, half: self.half && units == left };
            first += units;
            Some(run)
        })
    }
}

vectorized! {
    /// Rows that lie `stride` apart, one after the other, `padded` long with zeros, times a factor.
    fn take[X, V](
        x: &[X], stride: usize, width: usize, padded: usize, factor: f32, to: &mut [V],
    ) {
        for (i, to) in to.chunks_exact_mut(padded).enumerate() {
            let (to, behind) = to.split_at_mut(width);
            for (to, x) in to.iter_mut().zip(&x[i * stride..][..width]) {
                *to = V::put(x.get() * factor);
            }
            behind.fill(V::put(0.0));
        }
    }
}

/// `count` rows from `first` on, then rows of zeros while there is room.
pub(super) fn rows<V: RowValue>(
    isa: Isa,
    head: Head<'_>,
    (first, count): (usize, usize),
    padded: usize,
    factor: f32,
    to: &mut [V],
) {
    let (to, behind) = to.split_at_mut(count * padded);
    behind.fill(V::put(0.0));
    if count == 0 {
        return;
    }
    let (at, stride, width) = (head.at(first), head.stride, head.width);
    if factor == 1.0
        && let Some(x) = V::of(head.values)
    {
        for (i, to) in to.chunks_exact_mut(padded).enumerate() {
            let (to, behind) = to.split_at_mut(width);
            to.copy_from_slice(&x[at + i * stride..][..width]);
            behind.fill(V::put(0.0));
        }
        return;
    }
    match head.values {
        View::F32(x) => take(isa, &x[at..], stride, width, padded, factor, to),
        View::Bf16(x) => take(isa, &x[at..], stride, width, padded, factor, to),
    }
}

/// Panels whose columns are the head's rows, `LANES` at a time: `[steps, LANES, PAIR]` each.
pub(super) fn words<K: Attend>(
    isa: Isa,
    head: Head<'_>,
    count: usize,
    padded: usize,
    factor: f32,
    to: &mut [K::Value],
) {
    let mut panel_rows = vec![K::Value::put(0.0); K::LANES * padded];
    let steps = padded / K::PAIR;
    for (panel, to) in to.chunks_exact_mut(K::LANES * padded).enumerate() {
        let first = panel * K::LANES;
        rows(isa, head, (first, K::LANES.min(count - first)), padded, factor, &mut panel_rows);
        // A step of single values is as wide as one of pairs.
        let from: &[u32] = bytemuck::cast_slice(&panel_rows);
        let to: &mut [u32] = bytemuck::cast_slice_mut(to);
        for (step, to) in to.chunks_exact_mut(K::LANES).enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                *to = from[row * steps + step];
            }
        }
    }
}

/// Panels whose columns are the head's columns, one for each run, one behind the other:
/// `[total / PAIR, the run's columns, PAIR]` each, zeros behind the `count` rows.
pub(super) fn columns<K: Attend>(
    isa: Isa,
    head: Head<'_>,
    count: usize,
    total: usize,
    layout: Columns,
    to: &mut [K::Value],
) {
    let wide = layout.padded();
    let mut row_pair = vec![K::Value::put(0.0); K::PAIR * wide];
    for first in (0..total).step_by(K::PAIR) {
        let there = count.saturating_sub(first).min(K::PAIR);
        rows(isa, head, (first.min(count), there), wide, 1.0, &mut row_pair);
        for run in layout.runs() {
            let (from, across) = (layout.unit * run.first, layout.unit * run.units);
            let to = &mut to[total * from + first * across..][..K::PAIR * across];
            match K::PAIR {
                1 => to.copy_from_slice(&row_pair[from..from + across]),
                _ => {
                    let (a, b) = row_pair.split_at(wide);
                    let both = a[from..from + across].iter().zip(&b[from..]);
                    for (to, (a, b)) in to.chunks_exact_mut(2).zip(both) {
                        (to[0], to[1]) = (*a, *b);
                    }
                }
            }
        }
    }
}

vectorized! {
    /// The transpose of rows `padded` long: `[width, rows]`.
    fn turn[](from: &[u32], padded: usize, width: usize, to: &mut [u32]) {
        let rows = from.len() / padded;
        for (row, from) in from.chunks_exact(padded).enumerate() {
            for i in 0..width {
                to[i * rows + row] = from[i];
            }
        }
    }
}

vectorized! {
    /// The same of halves, one word for each pair of rows.
    fn turn_pairs[](from: &[u16], padded: usize, width: usize, to: &mut [u32]) {
        let pairs = from.len() / padded / 2;
        for (pair, rows) in from.chunks_exact(2 * padded).enumerate() {
            let (a, b) = rows.split_at(padded);
            for i in 0..width {
                to[i * pairs + pair] = u32::from(a[i]) | (u32::from(b[i]) << 16);
            }
        }
    }
}

/// The transpose of rows, of an even number where values are paired.
pub(super) fn turned<K: Attend>(
    isa: Isa,
    from: &[K::Value],
    padded: usize,
    width: usize,
    to: &mut [K::Value],
) {
    let to = bytemuck::cast_slice_mut(to);
    match K::PAIR {
        1 => turn(isa, bytemuck::cast_slice(from), padded, width, to),
        _ => turn_pairs(isa, bytemuck::cast_slice(from), padded, width, to),
    }
}

vectorized! {
    fn scaled[Y](from: &[f32], factor: f32, to: &mut [Y]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Y::put(from * factor);
        }
    }
}

/// One row of a result, times a factor.
///
/// # Safety
/// No other thread may write these values at the same time.
unsafe fn write_row(isa: Isa, out: &PartsMut<'_>, at: usize, from: &[f32], factor: f32) {
    match out {
        // SAFETY: the caller's promise.
        PartsMut::F32(out) => scaled(isa, from, factor, unsafe { out.part(at, from.len()) }),
        // SAFETY: the caller's promise.
        PartsMut::Bf16(out) => scaled(isa, from, factor, unsafe { out.part(at, from.len()) }),
    }
}

/// Rows of a result; see [`Attend::write`].
///
/// # Safety
/// As there.
pub(super) unsafe fn write(
    isa: Isa,
    (from, apart): (&[f32], usize),
    factors: &[f32],
    out: &PartsMut<'_>,
    head: Head<'_>,
    first: usize,
) {
    for (row, factor) in factors.iter().enumerate() {
        let from = &from[row * apart..][..head.width];
        // SAFETY: the caller's promise.
        unsafe { write_row(isa, out, head.at(first + row), from, *factor) };
    }
}

/// Panels turned; see [`Attend::write_turned`].
///
/// # Safety
/// As there.
pub(super) unsafe fn write_turned<K: Attend>(
    isa: Isa,
    (from, high): (&[f32], usize),
    factor: f32,
    out: &PartsMut<'_>,
    head: Head<'_>,
    count: usize,
) {
    let mut line = vec![0.0; head.width];
    for key in 0..count {
        let panel = &from[key / K::LANES * K::LANES * high..];
        for (i, to) in line.iter_mut().enumerate() {
            *to = panel[i * K::LANES + key % K::LANES];
        }
        // SAFETY: the caller's promise.
        unsafe { write_row(isa, out, head.at(key), &line, factor) };
    }
}

vectorized! {
    /// sum(a b) of rows that lie `stride` apart.
    fn products[A, B](a: &[A], b: &[B], stride: usize, width: usize, to: &mut [f32]) {
        for (i, to) in to.iter_mut().enumerate() {
            let (a, b) = (&a[i * stride..][..width], &b[i * stride..][..width]);
            let mut parts = [0.0_f32; 8];
            for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
                for j in 0..8 {
                    parts[j] += a[j].get() * b[j].get();
                }
            }
            let rest = width / 8 * 8;
            let rest: f32 = (rest..width).map(|j| a[j].get() * b[j].get()).sum();
            *to = parts.iter().sum::<f32>() + rest;
        }
    }
}

/// sum(y dy) of the rows from `first` on.
pub(super) fn deltas(isa: Isa, y: Head<'_>, dy: Head<'_>, first: usize, to: &mut [f32]) {
    let (at, stride, width) = (y.at(first), y.stride, y.width);
    match (y.values, dy.values) {
        (View::F32(y), View::F32(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::F32(y), View::Bf16(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::Bf16(y), View::F32(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::Bf16(y), View::Bf16(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
    }
}
