//! Linear layer: y = x W^T + b, optionally + residual. W is frozen.
//!
//! Shapes: x `[batch, tokens, in]`, W `[out, in]`, y and residual `[batch, tokens, out]`.
//! Backward: dx = dy W, dresidual = dy.
use crate::op::{Description, Operation, ResultKind, run};
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// x W^T + b (+ residual).
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a> {
    /// `[batch, tokens, in]`
    pub x: &'a Tensor,
    /// `[out, in]`
    pub w: &'a Weight,
    /// `[batch, tokens, out]`
    pub residual: Option<&'a Tensor>,
}

impl<'a> Operation<'a> for Linear<'a> {
    const NAME: &'static str = "linear";

    fn describe(&self) -> Description<'a> {
        let shape = self.x.shape().with_channels(self.w.outputs());
        let kind = if self.residual.is_some() { ResultKind::Full } else { ResultKind::Narrow };
        let call = Description::reads(&[self.x]).and(self.residual).weight(self.w);
        call.result(0, shape, kind).flops(flops(self.x, self.w))
    }
}

/// dx = dy W.
#[derive(Debug, Clone, Copy)]
pub struct LinearBackward<'a> {
    /// `[batch, tokens, out]`
    pub dy: &'a Tensor,
    /// `[out, in]`
    pub w: &'a Weight,
}

impl<'a> Operation<'a> for LinearBackward<'a> {
    const NAME: &'static str = "linear backward";

    fn describe(&self) -> Description<'a> {
        let shape = self.dy.shape().with_channels(self.w.inputs());
        let call = Description::reads(&[self.dy]).weight(self.w);
        call.narrow(shape).flops(flops(self.dy, self.w))
    }
}

pub(super) fn flops(x: &Tensor, w: &Weight) -> usize {
    2 * x.shape().rows() * w.inputs() * w.outputs()
}

/// x W^T + b.
#[must_use]
pub fn linear(x: &Tensor, w: &Weight) -> Tensor {
    check(x, w);
    let y = run(Linear { x, w, residual: None });
    let w = w.clone();
    record(&[x], y, move |dy, _| vec![Some(run(LinearBackward { dy, w: &w }))])
}

/// x W^T + b + residual.
#[must_use]
pub fn linear_add(x: &Tensor, w: &Weight, residual: &Tensor) -> Tensor {
    check(x, w);
    let shape = x.shape().with_channels(w.outputs());
    assert_eq!(residual.shape(), shape, "a residual has the result's shape");
    let y = run(Linear { x, w, residual: Some(residual) });
    let w = w.clone();
    record(&[x, residual], y, move |dy, needs| {
        vec![needs.input(0).then(|| run(LinearBackward { dy, w: &w })), Some(dy.clone())]
    })
}

pub(super) fn check(x: &Tensor, w: &Weight) {
    assert!(w.layout() == Layout::Linear, "linear needs a linear weight, not {:?}", w.layout());
    assert_eq!(x.shape().channels, w.inputs(), "linear: input {} into {}", x.shape(), w.inputs());
}
