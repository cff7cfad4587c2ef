//! 3x3 convolution with zero padding: y[o] = sum over taps and channels of x W + b (+ residual).
//!
//! Shapes: x `[batch, h w, in]`, W `[out, in, 3, 3]`, y and residual `[batch, h' w', out]` with
//! the grid of [`Stride::output`]. Backward: each input pixel collects dy W from the outputs that
//! saw it; dresidual = dy.
use crate::tape::record;
use crate::{Grid, Layout, Shape, Stride, Tensor, Weight};

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
    let Shape { batch, tokens, channels } = x.shape();
    assert_eq!(tokens, grid.tokens(), "conv3x3: {} as {grid:?}", x.shape());
    assert_eq!(channels, w.inputs(), "conv3x3: input {} into {}", x.shape(), w.inputs());
    let shape = Shape::new(batch, stride.output(grid).tokens(), w.outputs());
    assert!(residual.is_none_or(|r| r.shape() == shape), "a residual has the result's shape");
    let added = residual.map(Tensor::data);
    let y = x.with_data(shape, x.device().conv3x3(x.data(), batch, grid, stride, w, added));
    let (w, from) = (w.clone(), x.shape());
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(residual).collect();
    record(&inputs, y, move |dy, needs| {
        let dx = needs.input(0).then(|| {
            let data = dy.device().conv3x3_backward(dy.data(), batch, grid, stride, &w);
            dy.with_data(from, data)
        });
        vec![dx, Some(dy.clone())]
    })
}
