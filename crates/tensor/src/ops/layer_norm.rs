//! Layer norm: y = (x - mean) / sqrt(var + eps) * scale + shift over each token's channels.
//!
//! Shapes: x and y `[batch, tokens, channels]` (Ba et al. 2016, arXiv 1607.06450).
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// Layer norm of x.
#[must_use]
pub fn layer_norm(x: &Tensor, eps: f32, w: &Weight) -> Tensor {
    assert!(w.layout() == Layout::Norm, "layer_norm needs a norm weight, not {:?}", w.layout());
    let shape = x.shape();
    assert_eq!(shape.channels, w.inputs(), "layer_norm: input {shape} into {}", w.inputs());
    let rows = shape.rows();
    let y = x.with_data(shape, x.device().layer_norm(x.data(), rows, eps, w));
    let (w, kept) = (w.clone(), x.detach());
    record(&[x], y, move |dy, _| {
        let dx = dy.device().layer_norm_backward(kept.data(), dy.data(), rows, eps, &w);
        vec![Some(dy.with_data(shape, dx))]
    })
}
