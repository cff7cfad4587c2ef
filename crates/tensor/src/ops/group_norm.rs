//! Group norm: y = (x - mean) / sqrt(var + eps) * scale + shift, then SiLU if asked.
//!
//! Mean and variance run over the tokens and the channels of one group of one sample (Wu and He
//! 2018, arXiv 1803.08494). Shapes: x and y `[batch, tokens, channels]`, channels divisible by
//! groups. Backward: the usual one, with the statistics computed again from x.
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// Group norm of x.
#[must_use]
pub fn group_norm(x: &Tensor, groups: usize, eps: f32, w: &Weight, silu: bool) -> Tensor {
    assert!(w.layout() == Layout::Norm, "group_norm needs a norm weight, not {:?}", w.layout());
    let shape = x.shape();
    assert_eq!(shape.channels, w.inputs(), "group_norm: input {shape} into {}", w.inputs());
    assert_eq!(shape.channels % groups, 0, "group_norm: {shape} in {groups} groups");
    let y = x.with_data(shape, x.device().group_norm(x.data(), shape, groups, eps, w, silu));
    let (w, kept) = (w.clone(), x.detach());
    record(&[x], y, move |dy, _| {
        let device = dy.device();
        let dx = device.group_norm_backward(kept.data(), dy.data(), shape, groups, eps, &w, silu);
        vec![Some(dy.with_data(shape, dx))]
    })
}
