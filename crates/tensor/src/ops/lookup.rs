//! Rows by number: of a frozen table with extra rows behind it, or of a tensor.
//!
//! [`lookup`] has no backward of its own: watch its result. Its gradient has one row per token
//! position, and the caller sums it by id, because sometimes the new rows alone and sometimes the
//! whole table's norm is wanted. Backward of [`gather`]: each row sums dy over its uses.
use crate::tape::record;
use crate::{Layout, Shape, Tensor, Weight};
use std::sync::Arc;

/// Rows `ids` of the table, as `[batch, ids / batch, channels]`. An id from the table's length on
/// means a row of `extra` `[1, n, channels]`.
#[must_use]
pub fn lookup(
    like: &crate::Device,
    table: &Weight,
    extra: Option<&Tensor>,
    ids: &[u32],
    batch: usize,
) -> Tensor {
    assert!(table.layout() == Layout::Table, "lookup needs a table, not {:?}", table.layout());
    let more = extra.map_or(0, |e| e.shape().rows());
    let known = table.outputs() + more;
    assert!(ids.iter().all(|id| (*id as usize) < known), "lookup: an id is not below {known}");
    assert!(extra.is_none_or(|e| e.shape().channels == table.inputs()), "extra rows fit the table");
    assert_eq!(ids.len() % batch, 0, "lookup: {} ids in {batch} samples", ids.len());
    let shape = Shape::new(batch, ids.len() / batch, table.inputs());
    Tensor::new(like, shape, like.lookup(table, extra.map(Tensor::data), ids))
}

/// Rows of x by number (batch and tokens counted through), as `[batch, rows / batch, channels]`.
#[must_use]
pub fn gather(x: &Tensor, rows: &[u32], batch: usize) -> Tensor {
    let from = x.shape();
    assert!(rows.iter().all(|r| (*r as usize) < from.rows()), "gather: a row is not in {from}");
    assert_eq!(rows.len() % batch, 0, "gather: {} rows in {batch} samples", rows.len());
    let shape = Shape::new(batch, rows.len() / batch, from.channels);
    let y = x.with_data(shape, x.device().gather(x.data(), from.channels, rows));
    let rows: Arc<[u32]> = rows.into();
    record(&[x], y, move |dy, _| {
        let dx = dy.device().gather_backward(dy.data(), from.channels, &rows, from.rows());
        vec![Some(dy.with_data(from, dx))]
    })
}
