//! The loss: mean over all values of weight * kind(prediction - target).
//!
//! Shapes: prediction and target `[batch, tokens, channels]`, weight `[batch, tokens, 1]` (mask
//! times the sample's weight), result a scalar. Backward: dp = dy weight kind'(p - t) / n.
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Shape, Tensor};

/// Per-element loss, before weights and mean.
#[derive(Debug, Clone, PartialEq)]
pub enum LossKind {
    /// d^2
    L2,
    /// |d|
    L1,
    /// 2 c (sqrt(d^2 + c^2) - c), one c per sample.
    Huber(Vec<f32>),
    /// 2 (sqrt(d^2 + c^2) - c), one c per sample.
    SmoothL1(Vec<f32>),
}

/// The weighted mean loss.
#[derive(Debug, Clone, Copy)]
pub struct Loss<'a> {
    /// `[batch, tokens, channels]`
    pub prediction: &'a Tensor,
    /// `[batch, tokens, channels]`
    pub target: &'a Tensor,
    /// `[batch, tokens, 1]`
    pub weight: &'a Tensor,
    /// The loss of one value.
    pub kind: &'a LossKind,
}

impl<'a> Operation<'a> for Loss<'a> {
    const NAME: &'static str = "loss";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.prediction, self.target, self.weight]).full(Shape::SCALAR)
    }
}

/// Gradient of the prediction.
#[derive(Debug, Clone, Copy)]
pub struct LossBackward<'a> {
    /// The call whose result dy is the gradient of.
    pub forward: Loss<'a>,
    /// A scalar.
    pub dy: &'a Tensor,
}

impl<'a> Operation<'a> for LossBackward<'a> {
    const NAME: &'static str = "loss backward";

    fn describe(&self) -> Description<'a> {
        self.forward.describe().and(Some(self.dy)).full(self.forward.prediction.shape())
    }
}

/// The weighted mean loss.
#[must_use]
pub fn loss(prediction: &Tensor, target: &Tensor, weight: &Tensor, kind: &LossKind) -> Tensor {
    let shape = prediction.shape();
    assert_eq!(shape, target.shape(), "loss: prediction and target differ");
    assert_eq!(weight.shape(), shape.with_channels(1), "loss: one weight per pixel");
    if let LossKind::Huber(c) | LossKind::SmoothL1(c) = kind {
        assert_eq!(c.len(), shape.batch, "loss: one threshold per sample");
    }
    let y = run(Loss { prediction, target, weight, kind });
    let (kept, kind) = ([prediction, target, weight].map(Tensor::detach), kind.clone());
    record(&[prediction], y, move |dy, _| {
        let [prediction, target, weight] = &kept;
        let forward = Loss { prediction, target, weight, kind: &kind };
        vec![Some(run(LossBackward { forward, dy }))]
    })
}
