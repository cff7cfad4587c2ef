//! One head's rows in the forms that the products want.
use crate::product::RowValue;
use crate::tile::COLUMNS;
use crate::view::PartsMut;
use crate::{Element, Isa, View};

/// The columns of one head in some rows.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) values: View<'a>,
    /// Where the first row's columns begin.
    pub(super) at: usize,
    /// From row to row.
    pub(super) stride: usize,
    pub(super) width: usize,
}

impl Head<'_> {
    /// Rows `first..first + count`, each `padded` long, zeros behind.
    pub(super) fn rows<V: RowValue>(&self, isa: Isa, first: usize, padded: usize, to: &mut [V]) {
        for (i, to) in to.chunks_exact_mut(padded).enumerate() {
            let from = self.at + (first + i) * self.stride;
            let of = from..from + self.width;
            match self.values {
                View::F32(x) => crate::product::convert(isa, &x[of], self.width, padded, to),
                View::Bf16(x) => crate::product::convert(isa, &x[of], self.width, padded, to),
            }
        }
    }
}

/// The transpose: `[width, to.len() / width]` from rows `padded` long; zeros behind the last row.
pub(super) fn turned<V: Element>(rows: &[V], padded: usize, width: usize, to: &mut [V]) {
    let length = to.len() / width;
    let count = rows.len() / padded;
    for (i, to) in to.chunks_exact_mut(length).enumerate() {
        for (row, to) in to[..count].iter_mut().enumerate() {
            *to = rows[row * padded + i];
        }
        to[count..].fill(V::put(0.0));
    }
}

/// A panel whose columns are the rows: steps go along a row. `rows` are f32, `padded` long.
pub(super) fn panel_of_rows<V: Element>(
    rows: &[f32],
    padded: usize,
    pair: usize,
    factor: f32,
    to: &mut [V],
) {
    let count = rows.len() / padded;
    for (step, to) in to.chunks_exact_mut(pair * COLUMNS).enumerate() {
        for column in 0..COLUMNS {
            for half in 0..pair {
                let value = match column < count {
                    true => rows[column * padded + step * pair + half] * factor,
                    false => 0.0,
                };
                to[column * pair + half] = V::put(value);
            }
        }
    }
}

/// Panels whose columns are the rows' columns: steps go from row to row. One panel for each 32
/// columns, each of `steps * pair` rows, missing ones zero.
pub(super) fn panels_of_columns<V: Element>(
    rows: &[f32],
    padded: usize,
    width: usize,
    pair: usize,
    steps: usize,
    to: &mut [V],
) {
    let count = rows.len() / padded;
    for (p, panel) in to.chunks_exact_mut(steps * pair * COLUMNS).enumerate() {
        for (step, to) in panel.chunks_exact_mut(pair * COLUMNS).enumerate() {
            for half in 0..pair {
                let row = step * pair + half;
                for column in 0..COLUMNS {
                    let from = p * COLUMNS + column;
                    let there = row < count && from < width;
                    to[column * pair + half] =
                        V::put(if there { rows[row * padded + from] } else { 0.0 });
                }
            }
        }
    }
}

/// Writes columns of a result: value (row, i) is `f(row, i)`.
///
/// # Safety
/// No other thread may write these rows' columns at the same time.
pub(super) unsafe fn write(
    out: &PartsMut<'_>,
    (at, stride, width): (usize, usize, usize),
    rows: usize,
    f: impl Fn(usize, usize) -> f32,
) {
    for row in 0..rows {
        let from = at + row * stride;
        match out {
            PartsMut::F32(out) => {
                // SAFETY: the caller's promise.
                let to = unsafe { out.part(from, width) };
                to.iter_mut().enumerate().for_each(|(i, to)| *to = f(row, i));
            }
            PartsMut::Bf16(out) => {
                // SAFETY: the caller's promise.
                let to = unsafe { out.part(from, width) };
                to.iter_mut().enumerate().for_each(|(i, to)| *to = Element::put(f(row, i)));
            }
        }
    }
}
