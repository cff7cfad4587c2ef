//! 3x3 convolution with zero padding: y[o] = sum over taps and channels of x W + b (+ residual).
//!
//! Shapes: x `[batch, h w, in]`, W `[out, in, 3, 3]`, y and residual `[batch, h' w', out]` with
//! the grid of [`Stride::output`]. Backward: each input pixel collects dy W from the outputs that
//! depend on it; dresidual = dy.
use crate::op::{Description, Operation, ResultKind, run};
use crate::tape::record;
use crate::{Grid, Layout, Shape, Stride, Tensor, Weight};

/// 3x3 convolution (+ residual).
#[derive(Debug, Clone, Copy)]
pub struct Conv3x3<'a> {
    /// `[batch, h w, in]`
    pub x: &'a Tensor,
    /// h and w.
    pub grid: Grid,
    /// Stride and padding.
    pub stride: Stride,
    /// `[out, in, 3, 3]`
    pub w: &'a Weight,
    /// `[batch, h' w', out]`
    pub residual: Option<&'a Tensor>,
}

impl<'a> Operation<'a> for Conv3x3<'a> {
    const NAME: &'static str = "conv3x3";

    fn describe(&self) -> Description<'a> {
        let tokens = self.stride.output(self.grid).tokens();
        let shape = Shape::new(self.x.shape().batch, tokens, self.w.outputs());
        let kind = if self.residual.is_some() { ResultKind::Full } else { ResultKind::Narrow };
        let call = Description::reads(&[self.x]).and(self.residual).weight(self.w);
        call.result(0, shape, kind).flops(flops(shape, self.w))
    }
}

/// Gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct Conv3x3Backward<'a> {
    /// `[batch, h' w', out]`
    pub dy: &'a Tensor,
    /// h and w, of the input.
    pub grid: Grid,
    /// Stride and padding.
    pub stride: Stride,
    /// `[out, in, 3, 3]`
    pub w: &'a Weight,
}

impl<'a> Operation<'a> for Conv3x3Backward<'a> {
    const NAME: &'static str = "conv3x3 backward";

    fn describe(&self) -> Description<'a> {
        let dy = self.dy.shape();
        let shape = Shape::new(dy.batch, self.grid.tokens(), self.w.inputs());
        let call = Description::reads(&[self.dy]).weight(self.w);
        call.narrow(shape).flops(flops(dy, self.w))
    }
}

fn flops(y: Shape, w: &Weight) -> usize {
    2 * 9 * y.rows() * w.inputs() * w.outputs()
}

/// The convolution of the picture `x` of size `grid`, plus `residual` if there is one.
#[must_use]
pub fn conv3x3(
    x: &Tensor,
    grid: Grid,
    stride: Stride,
    w: &Weight,
    residual: Option<&Tensor>,
) -> Tensor {
    assert!(w.layout() == Layout::Conv3x3, "conv3x3 needs its weight, not {:?}", w.layout());
    let from = x.shape();
    assert_eq!(from.tokens, grid.tokens(), "conv3x3: {from} as {grid:?}");
    assert_eq!(from.channels, w.inputs(), "conv3x3: input {from} into {}", w.inputs());
    let shape = Shape::new(from.batch, stride.output(grid).tokens(), w.outputs());
    assert!(residual.is_none_or(|r| r.shape() == shape), "a residual has the result's shape");
    let y = run(Conv3x3 { x, grid, stride, w, residual });
    let w = w.clone();
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(residual).collect();
    record(&inputs, y, move |dy, needs| {
        let dx = needs.input(0).then(|| run(Conv3x3Backward { dy, grid, stride, w: &w }));
        vec![dx, Some(dy.clone())]
    })
}
