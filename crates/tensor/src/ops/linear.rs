//! Linear layer: y = x W^T + b, optionally + residual. W is frozen.
//!
//! Shapes: x `[batch, tokens, in]`, W `[out, in]`, y and residual `[batch, tokens, out]`.
//! Backward: dx = dy W, dresidual = dy.
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// x W^T + b.
#[must_use]
pub fn linear(x: &Tensor, w: &Weight) -> Tensor {
    let shape = check(x, w);
    let rows = x.shape().rows();
    let y = x.with_data(shape, x.device().linear(x.data(), rows, w, None));
    let w = w.clone();
    record(&[x], y, move |dy, _| vec![Some(input_gradient(dy, &w))])
}

/// x W^T + b + residual.
#[must_use]
pub fn linear_add(x: &Tensor, w: &Weight, residual: &Tensor) -> Tensor {
    let shape = check(x, w);
    assert_eq!(residual.shape(), shape, "a residual has the result's shape");
    let rows = x.shape().rows();
    let y = x.with_data(shape, x.device().linear(x.data(), rows, w, Some(residual.data())));
    let w = w.clone();
    record(&[x, residual], y, move |dy, needs| {
        vec![needs.input(0).then(|| input_gradient(dy, &w)), Some(dy.clone())]
    })
}

fn check(x: &Tensor, w: &Weight) -> crate::Shape {
    assert!(w.layout() == Layout::Linear, "linear needs a linear weight, not {:?}", w.layout());
    assert_eq!(x.shape().channels, w.inputs(), "linear: input {} into {}", x.shape(), w.inputs());
    x.shape().with_channels(w.outputs())
}

fn input_gradient(dy: &Tensor, w: &Weight) -> Tensor {
    let data = dy.device().linear_backward(dy.data(), dy.shape().rows(), w);
    dy.with_data(dy.shape().with_channels(w.inputs()), data)
}
