//! The operations: one small file each, with formula, shapes, forward and backward.
//!
//! | operation | formula | where |
//! |---|---|---|
//! | [`linear`] | x W^T + b (+ r) | every projection, 1x1 convolutions |
//! | [`conv3x3`] | 3x3 convolution (+ r) | resnets, up and down samplers |
//! | [`group_norm`] | (x - mean) / std * s + t (then SiLU) | resnets, transformer inputs, VAE |
//! | [`layer_norm`] | the same over channels | transformers, CLIP |
//! | [`attention`] | softmax(q k^T / sqrt d) v | UNet self and cross, CLIP causal, VAE |
//! | [`geglu`] | a gelu(b) | UNet feed-forward |
//! | [`silu`], [`quick_gelu`] | x sigmoid(x), x sigmoid(1.702 x) | time embedding, CLIP |
//! | [`add`], [`scale`], [`add_channels`] | a + b, f x, x + v per sample | everywhere |
//! | [`concat()`] | (a, b) along channels | UNet skip connections |
//! | [`resize`] | nearest neighbour | up samplers |
//! | [`lookup`], [`gather`] | rows by number | token embeddings, long prompts |
//! | [`loss`] | mean w kind(p - t) | training |
mod add;
mod attention;
mod concat;
mod conv3x3;
mod geglu;
mod group_norm;
mod layer_norm;
mod linear;
mod lookup;
mod loss;
mod resize;
mod swish;

pub use add::{add, add_channels, scale};
pub use attention::{Heads, attention};
pub use concat::concat;
pub use conv3x3::conv3x3;
pub use geglu::geglu;
pub use group_norm::group_norm;
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_add};
pub use lookup::{gather, lookup};
pub use loss::loss;
pub use resize::resize;
pub use swish::{quick_gelu, silu};
