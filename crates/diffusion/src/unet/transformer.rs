//! The UNet's transformer: pixels attend to each other, then to the text (Vaswani et al. 2017).
use super::{HEADS, KeysValues};
use crate::weights::{Cursor, GROUPS};
use wayword_tensor::ops::{self, Heads};
use wayword_tensor::{Tensor, Weight};

/// Added to the variance of the group norm in front.
const GROUP_EPS: f32 = 1e-6;
/// Added to the variance of the layer norms.
const LAYER_EPS: f32 = 1e-5;

/// A transformer over the pixels of a feature; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Transformer {
    pub norm: Weight,
    pub proj_in: Weight,
    pub transformer_blocks: Vec<TransformerBlock>,
    pub proj_out: Weight,
}

impl Transformer {
    /// `context` is the width of the hidden states; 0 takes it from the weights.
    pub(crate) fn load(at: &Cursor<'_>, channels: usize, context: &mut usize) -> Self {
        let blocks = at.at("transformer_blocks");
        let count = blocks.count().max(1);
        Self {
            norm: at.at("norm").group_norm(channels),
            proj_in: at.at("proj_in").linear(channels, channels),
            transformer_blocks: (0..count)
                .map(|i| TransformerBlock::load(&blocks.at(i), channels, context))
                .collect(),
            proj_out: at.at("proj_out").linear(channels, channels),
        }
    }

    /// x `[batch, h w, channels]` and hidden states to the shape of x.
    #[must_use]
    pub fn forward(&self, x: &Tensor, context: &Tensor) -> Tensor {
        let keys_values = |block: &TransformerBlock| block.attn2.keys_values(context);
        let keys_values: Vec<_> = self.transformer_blocks.iter().map(keys_values).collect();
        self.forward_prepared(x, &keys_values)
    }

    /// The same with the keys and values of each block's cross-attention.
    #[must_use]
    pub fn forward_prepared(&self, x: &Tensor, keys_values: &[KeysValues]) -> Tensor {
        let h = ops::group_norm(x, GROUPS, GROUP_EPS, &self.norm, false);
        let mut h = ops::linear(&h, &self.proj_in);
        for (block, keys_values) in self.transformer_blocks.iter().zip(keys_values) {
            h = block.forward(&h, keys_values);
        }
        ops::linear_add(&h, &self.proj_out, x)
    }
}

/// One block: self-attention, attention to the text, feed-forward.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct TransformerBlock {
    pub norm1: Weight,
    pub attn1: Attention,
    pub norm2: Weight,
    pub attn2: Attention,
    pub norm3: Weight,
    pub ff: FeedForward,
}

impl TransformerBlock {
    fn load(at: &Cursor<'_>, channels: usize, context: &mut usize) -> Self {
        if *context == 0 {
            *context = at.at("attn2").at("to_k").inputs();
        }
        Self {
            norm1: at.at("norm1").layer_norm(channels),
            attn1: Attention::load(&at.at("attn1"), channels, channels),
            norm2: at.at("norm2").layer_norm(channels),
            attn2: Attention::load(&at.at("attn2"), channels, *context),
            norm3: at.at("norm3").layer_norm(channels),
            ff: FeedForward::load(&at.at("ff").at("net"), channels),
        }
    }

    /// x `[batch, h w, channels]` and the text's keys and values to the shape of x.
    #[must_use]
    pub fn forward(&self, x: &Tensor, text: &KeysValues) -> Tensor {
        let n = ops::layer_norm(x, LAYER_EPS, &self.norm1);
        let x = self.attn1.forward(&n, &self.attn1.keys_values(&n), x);
        let n = ops::layer_norm(&x, LAYER_EPS, &self.norm2);
        let x = self.attn2.forward(&n, text, &x);
        let n = ops::layer_norm(&x, LAYER_EPS, &self.norm3);
        self.ff.forward(&n, &x)
    }
}

/// Attention with its projections; those of q, k and v have no bias.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Attention {
    pub to_q: Weight,
    pub to_k: Weight,
    pub to_v: Weight,
    pub to_out: Weight,
}

impl Attention {
    fn load(at: &Cursor<'_>, channels: usize, context: usize) -> Self {
        if !channels.is_multiple_of(HEADS) {
            at.at("to_q").wrong(format!("[a multiple of {HEADS} heads]"), format!("[{channels}]"));
        }
        Self {
            to_q: at.at("to_q").projection(channels, channels),
            to_k: at.at("to_k").projection(context, channels),
            to_v: at.at("to_v").projection(context, channels),
            to_out: at.at("to_out").at(0).linear(channels, channels),
        }
    }

    /// Keys and values of `context` `[batch, m, width]`.
    #[must_use]
    pub fn keys_values(&self, context: &Tensor) -> KeysValues {
        let keys = ops::linear(context, &self.to_k);
        KeysValues { keys, values: ops::linear(context, &self.to_v) }
    }

    /// Attention of x `[batch, n, channels]` to keys and values, projected, plus `residual`.
    #[must_use]
    pub fn forward(&self, x: &Tensor, other: &KeysValues, residual: &Tensor) -> Tensor {
        ops::linear_add(&self.attend(x, other), &self.to_out, residual)
    }

    /// The same before the last projection.
    #[must_use]
    pub fn attend(&self, x: &Tensor, other: &KeysValues) -> Tensor {
        let q = ops::linear(x, &self.to_q);
        ops::attention(&q, &other.keys, &other.values, Heads { count: HEADS, causal: false })
    }
}

/// The feed-forward with GEGLU.
#[derive(Debug, Clone)]
pub struct FeedForward {
    /// diffusers' `net.0.proj`, to twice the inner width.
    pub proj: Weight,
    /// diffusers' `net.2`.
    pub out: Weight,
}

impl FeedForward {
    fn load(net: &Cursor<'_>, channels: usize) -> Self {
        let inner = net.at(2).inputs();
        Self {
            proj: net.at(0).at("proj").linear(channels, 2 * inner),
            out: net.at(2).linear(inner, channels),
        }
    }

    /// x `[batch, n, channels]`, plus `residual`.
    #[must_use]
    pub fn forward(&self, x: &Tensor, residual: &Tensor) -> Tensor {
        let inner = ops::linear_geglu(x, &self.proj);
        ops::linear_add(&inner, &self.out, residual)
    }
}
