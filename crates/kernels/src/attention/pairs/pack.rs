//! One head's rows in the forms that the products of pairs want.
use crate::attention::heads::Head;
use crate::tile::COLUMNS;
use crate::{Element, Isa, View};
use half::bf16;

/// Columns of a head in runs that one tile computes together: each of some vectors of 16, the last
/// of which may be half of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// Vectors in all.
    pub(super) vectors: usize,
    /// Whether the last vector has at most 8 columns.
    half: bool,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Its first vector.
    pub(super) first: usize,
    /// Its vectors, the half one included.
    pub(super) vectors: usize,
    /// Whether the last one is half.
    pub(super) half: bool,
}

impl Columns {
    pub(super) fn new(width: usize) -> Self {
        Self { vectors: width.div_ceil(16), half: (width - 1) % 16 < 8 }
    }

    /// Columns with those that fill up the last vector.
    pub(super) fn padded(self) -> usize {
        16 * self.vectors
    }

    /// Two or three vectors at a time, for one alone would wait for its rows' values.
    pub(super) fn runs(self) -> impl Iterator<Item = Run> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let left = self.vectors - first;
            let vectors = match left {
                0 => return None,
                1..=3 => left,
                4 => 2,
                _ => 3,
            };
            let run = Run { first, vectors, half: self.half && vectors == left };
            first += vectors;
            Some(run)
        })
    }
}

vectorised! {
    /// Rows that lie `stride` apart, one after the other, `padded` long with zeros, times a factor.
    fn take[X](
        x: &[X], stride: usize, width: usize, padded: usize, factor: f32, to: &mut [bf16],
    ) {
        for (i, to) in to.chunks_exact_mut(padded).enumerate() {
            let (to, behind) = to.split_at_mut(width);
            for (to, x) in to.iter_mut().zip(&x[i * stride..][..width]) {
                *to = Element::put(x.get() * factor);
            }
            behind.fill(bf16::ZERO);
        }
    }
}

/// `count` rows from `first` on, then rows of zeros while there is room.
pub(super) fn rows(
    isa: Isa,
    head: Head<'_>,
    (first, count): (usize, usize),
    padded: usize,
    factor: f32,
    to: &mut [bf16],
) {
    let (to, behind) = to.split_at_mut(count * padded);
    behind.fill(bf16::ZERO);
    if count == 0 {
        return;
    }
    let at = head.at + first * head.stride;
    match head.values {
        View::F32(x) => take(isa, &x[at..], head.stride, head.width, padded, factor, to),
        View::Bf16(x) if factor == 1.0 && head.width == padded => {
            for (i, to) in to.chunks_exact_mut(padded).enumerate() {
                to.copy_from_slice(&x[at + i * head.stride..][..padded]);
            }
        }
        View::Bf16(x) => take(isa, &x[at..], head.stride, head.width, padded, factor, to),
    }
}

/// Panels whose columns are the head's rows, 32 at a time: `[padded / 2, 32, 2]` each.
pub(super) fn words(
    isa: Isa,
    head: Head<'_>,
    count: usize,
    padded: usize,
    factor: f32,
    to: &mut [bf16],
) {
    let mut own = vec![bf16::ZERO; COLUMNS * padded];
    for (panel, to) in to.chunks_exact_mut(COLUMNS * padded).enumerate() {
        let first = panel * COLUMNS;
        rows(isa, head, (first, COLUMNS.min(count - first)), padded, factor, &mut own);
        let from: &[u32] = bytemuck::cast_slice(&own);
        let to: &mut [u32] = bytemuck::cast_slice_mut(to);
        for (step, to) in to.chunks_exact_mut(COLUMNS).enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                *to = from[row * (padded / 2) + step];
            }
        }
    }
}

/// Panels whose columns are the head's columns, one for each run, one behind the other:
/// `[total / 2, 16 * vectors, 2]` each, zeros behind the `count` rows.
pub(super) fn columns(
    isa: Isa,
    head: Head<'_>,
    count: usize,
    total: usize,
    of: Columns,
    to: &mut [bf16],
) {
    let wide = of.padded();
    let mut own = vec![bf16::ZERO; 2 * wide];
    for pair in 0..total / 2 {
        let first = 2 * pair;
        rows(
            isa,
            head,
            (first.min(count), count.saturating_sub(first).min(2)),
            wide,
            1.0,
            &mut own,
        );
        let (a, b) = own.split_at(wide);
        for run in of.runs() {
            let across = 16 * run.vectors;
            let part = 16 * run.first..16 * run.first + across;
            let to = &mut to[total * part.start + pair * 2 * across..][..2 * across];
            let both = a[part.clone()].iter().zip(&b[part]);
            for (to, (a, b)) in to.chunks_exact_mut(2).zip(both) {
                (to[0], to[1]) = (*a, *b);
            }
        }
    }
}

vectorised! {
    /// The transpose of rows `padded` long: `[width, rows]`, one word for each pair of rows.
    fn turn[](from: &[bf16], padded: usize, width: usize, to: &mut [u32]) {
        let pairs = from.len() / padded / 2;
        for (pair, rows) in from.chunks_exact(2 * padded).enumerate() {
            let (a, b) = rows.split_at(padded);
            for i in 0..width {
                to[i * pairs + pair] =
                    u32::from(a[i].to_bits()) | (u32::from(b[i].to_bits()) << 16);
            }
        }
    }
}

/// The transpose of an even number of rows.
pub(super) fn turned(isa: Isa, from: &[bf16], padded: usize, width: usize, to: &mut [bf16]) {
    turn(isa, from, padded, width, bytemuck::cast_slice_mut(to));
}
