//! The loss: mean over all values of weight * kind(prediction - target).
//!
//! Shapes: prediction and target `[batch, tokens, channels]`, weight `[batch, tokens, 1]` (mask
//! times the sample's weight), result a scalar. Backward: dp = dy weight kind'(p - t) / n.
use crate::backend::LossKind;
use crate::tape::record;
use crate::{Shape, Tensor};

/// The weighted mean loss.
#[must_use]
pub fn loss(prediction: &Tensor, target: &Tensor, weight: &Tensor, kind: &LossKind) -> Tensor {
    let shape = prediction.shape();
    assert_eq!(shape, target.shape(), "loss: prediction and target differ");
    assert_eq!(weight.shape(), shape.with_channels(1), "loss: one weight per pixel");
    if let LossKind::Huber(c) | LossKind::SmoothL1(c) = kind {
        assert_eq!(c.len(), shape.batch, "loss: one threshold per sample");
    }
    let device = prediction.device();
    let data = device.loss(prediction.data(), target.data(), weight.data(), shape, kind);
    let y = prediction.with_data(Shape::SCALAR, data);
    let kept = [prediction.detach(), target.detach(), weight.detach()];
    let kind = kind.clone();
    record(&[prediction], y, move |dy, _| {
        let [p, t, w] = &kept;
        let dp = dy.device().loss_backward(p.data(), t.data(), w.data(), dy.data(), shape, &kind);
        vec![Some(dy.with_data(shape, dp))]
    })
}
