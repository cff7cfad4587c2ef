//! Rows by number: of a frozen table with extra rows behind it, or of a tensor.
//!
//! [`lookup`] has no backward of its own: watch its result. Its gradient has one row per token
//! position, and the caller sums it by id, because sometimes the new rows alone and sometimes the
//! whole table's norm is needed. Backward of [`gather`]: each row sums dy over its uses.
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Indices, Layout, Shape, Tensor, Weight};

/// Rows of a table by number; a number past its end means a row of `extra`.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// `[rows, channels]`
    pub table: &'a Weight,
    /// `[1, n, channels]`
    pub extra: Option<&'a Tensor>,
    /// The numbers, sample after sample.
    pub ids: &'a Indices,
    /// Number of samples.
    pub batch: usize,
}

impl<'a> Operation<'a> for Lookup<'a> {
    const NAME: &'static str = "lookup";

    fn describe(&self) -> Description<'a> {
        let shape = Shape::new(self.batch, self.ids.len() / self.batch, self.table.inputs());
        Description::on(self.ids.device()).and(self.extra).weight(self.table).full(shape)
    }
}

/// Rows of x by number.
#[derive(Debug, Clone, Copy)]
pub struct Gather<'a> {
    /// `[.., .., channels]`, rows counted through.
    pub x: &'a Tensor,
    /// The numbers, sample after sample.
    pub rows: &'a Indices,
    /// Number of samples.
    pub batch: usize,
}

impl<'a> Operation<'a> for Gather<'a> {
    const NAME: &'static str = "gather";

    fn describe(&self) -> Description<'a> {
        let channels = self.x.shape().channels;
        let shape = Shape::new(self.batch, self.rows.len() / self.batch, channels);
        Description::reads(&[self.x]).full(shape)
    }
}

/// The transpose: row `rows[i]` of the result sums dy's rows i.
#[derive(Debug, Clone, Copy)]
pub struct GatherBackward<'a> {
    /// `[batch, rows / batch, channels]`
    pub dy: &'a Tensor,
    /// The numbers.
    pub rows: &'a Indices,
    /// Shape of the result.
    pub shape: Shape,
}

impl<'a> Operation<'a> for GatherBackward<'a> {
    const NAME: &'static str = "gather backward";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.dy]).full(self.shape)
    }
}

/// Rows `ids` of the table, as `[batch, ids / batch, channels]`. An id from the table's length on
/// means a row of `extra` `[1, n, channels]`.
#[must_use]
pub fn lookup(table: &Weight, extra: Option<&Tensor>, ids: &Indices, batch: usize) -> Tensor {
    assert!(table.layout() == Layout::Table, "lookup needs a table, not {:?}", table.layout());
    let known = table.outputs() + extra.map_or(0, |e| e.shape().rows());
    assert!(ids.bound() <= known, "lookup: an id is not below {known}");
    assert!(extra.is_none_or(|e| e.shape().channels == table.inputs()), "rows of other widths");
    assert_eq!(ids.len() % batch, 0, "lookup: {} ids in {batch} samples", ids.len());
    run(Lookup { table, extra, ids, batch })
}

/// Rows of x by number (batch and tokens counted through), as `[batch, rows / batch, channels]`.
#[must_use]
pub fn gather(x: &Tensor, rows: &Indices, batch: usize) -> Tensor {
    let shape = x.shape();
    assert!(rows.bound() <= shape.rows(), "gather: a row is not in {shape}");
    assert_eq!(rows.len() % batch, 0, "gather: {} rows in {batch} samples", rows.len());
    let y = run(Gather { x, rows, batch });
    let rows = rows.clone();
    record(&[x], y, move |dy, _| vec![Some(run(GatherBackward { dy, rows: &rows, shape }))])
}
