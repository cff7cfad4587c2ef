//! The VAE's attention of the pixels to each other, with one head.
use super::EPS;
use crate::weights::{Cursor, GROUPS};
use wayword_tensor::ops::{self, Heads};
use wayword_tensor::{Tensor, Weight};

/// Attention over all pixels; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct VaeAttention {
    pub group_norm: Weight,
    pub to_q: Weight,
    pub to_k: Weight,
    pub to_v: Weight,
    pub to_out: Weight,
}

impl VaeAttention {
    pub(super) fn load(at: &Cursor<'_>, width: usize) -> Self {
        Self {
            group_norm: at.at("group_norm").group_norm(width),
            to_q: at.at("to_q").linear(width, width),
            to_k: at.at("to_k").linear(width, width),
            to_v: at.at("to_v").linear(width, width),
            to_out: at.at("to_out").at(0).linear(width, width),
        }
    }

    /// `[batch, h w, channels]` to the same shape.
    #[must_use]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let n = ops::group_norm(x, GROUPS, EPS, &self.group_norm, false);
        let (q, k) = (ops::linear(&n, &self.to_q), ops::linear(&n, &self.to_k));
        let v = ops::linear(&n, &self.to_v);
        let seen = ops::attention(&q, &k, &v, Heads { count: 1, causal: false });
        ops::linear_add(&seen, &self.to_out, x)
    }
}
