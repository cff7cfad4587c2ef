//! Nearest-neighbor resize of a picture: y[i] = x[floor(i * from / to)] along both sides.
//!
//! Shapes: x `[batch, h w, channels]`, y `[batch, h' w', channels]`. Twice the size is the up
//! sampler; other sizes bring a feature to the size of a skip connection of an odd size. Backward:
//! each source pixel sums dy over its copies.
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Grid, Shape, Tensor};

/// Nearest-neighbor resize.
#[derive(Debug, Clone, Copy)]
pub struct Resize<'a> {
    /// `[batch, h w, channels]`
    pub x: &'a Tensor,
    /// h and w.
    pub from: Grid,
    /// h' and w'.
    pub to: Grid,
}

impl<'a> Operation<'a> for Resize<'a> {
    const NAME: &'static str = "resize";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).like(sized(self.x, self.to), self.x)
    }
}

/// Each source pixel's sum of dy.
#[derive(Debug, Clone, Copy)]
pub struct ResizeBackward<'a> {
    /// `[batch, h' w', channels]`
    pub dy: &'a Tensor,
    /// h and w.
    pub from: Grid,
    /// h' and w'.
    pub to: Grid,
}

impl<'a> Operation<'a> for ResizeBackward<'a> {
    const NAME: &'static str = "resize backward";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.dy]).full(sized(self.dy, self.from))
    }
}

fn sized(x: &Tensor, grid: Grid) -> Shape {
    Shape::new(x.shape().batch, grid.tokens(), x.shape().channels)
}

/// The picture `x` of size `from` at the size `to`.
#[must_use]
pub fn resize(x: &Tensor, from: Grid, to: Grid) -> Tensor {
    assert_eq!(x.shape().tokens, from.tokens(), "resize: {} as {from:?}", x.shape());
    if from == to {
        return x.clone();
    }
    record(&[x], run(Resize { x, from, to }), move |dy, _| {
        vec![Some(run(ResizeBackward { dy, from, to }))]
    })
}
