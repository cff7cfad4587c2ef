//! Layer norm: y = (x - mean) / sqrt(var + eps) * scale + shift over each token's channels.
//!
//! Shapes: x and y `[batch, tokens, channels]` (Ba et al. 2016, arXiv 1607.06450).
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// Layer norm over the channels.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a> {
    /// `[batch, tokens, channels]`
    pub x: &'a Tensor,
    /// Added to the variance.
    pub eps: f32,
    /// Scale and shift, `[channels]`.
    pub w: &'a Weight,
}

impl<'a> Operation<'a> for LayerNorm<'a> {
    const NAME: &'static str = "layer norm";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).weight(self.w).narrow(self.x.shape())
    }
}

/// Gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct LayerNormBackward<'a> {
    /// The call whose result dy is the gradient of.
    pub forward: LayerNorm<'a>,
    /// `[batch, tokens, channels]`
    pub dy: &'a Tensor,
}

impl<'a> Operation<'a> for LayerNormBackward<'a> {
    const NAME: &'static str = "layer norm backward";

    fn describe(&self) -> Description<'a> {
        self.forward.describe().and(Some(self.dy))
    }
}

/// Layer norm of x.
#[must_use]
pub fn layer_norm(x: &Tensor, eps: f32, w: &Weight) -> Tensor {
    assert!(w.layout() == Layout::Norm, "layer_norm needs a norm weight, not {:?}", w.layout());
    let shape = x.shape();
    assert_eq!(shape.channels, w.inputs(), "layer_norm: input {shape} into {}", w.inputs());
    let y = run(LayerNorm { x, eps, w });
    let (w, x_kept) = (w.clone(), x.detach());
    record(&[x], y, move |dy, _| {
        vec![Some(run(LayerNormBackward { forward: LayerNorm { x: &x_kept, eps, w: &w }, dy }))]
    })
}
