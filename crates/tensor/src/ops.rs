//! The operations: one small file each, with formula, shapes, forward and backward.
//!
//! | operation | formula | where |
//! |---|---|---|
//! | [`linear`] | x W^T + b (+ r) | every projection, 1x1 convolutions |
//! | [`conv3x3`] | 3x3 convolution (+ r) | resnets, up and down samplers |
//! | [`group_norm`] | (x - mean) / std * s + t (then SiLU) | resnets, transformer inputs, VAE |
//! | [`layer_norm`] | the same over channels | transformers, CLIP |
//! | [`attention`] | softmax(q k^T / sqrt d) v | UNet self and cross, CLIP causal, VAE |
//! | [`geglu`], [`linear_geglu`] | a gelu(b) | UNet feed-forward |
//! | [`silu`], [`quick_gelu`] | x sigmoid(x), x sigmoid(1.702 x) | time embedding, CLIP |
//! | [`add`], [`scale`], [`add_channels`] | a + b, f x, x + v per sample | everywhere |
//! | [`concat()`], [`split`] | (a, b) along channels | UNet skip connections |
//! | [`resize`] | nearest neighbor | up samplers |
//! | [`lookup`], [`gather`] | rows by number | token embeddings, long prompts |
//! | [`loss`] | mean w kind(p - t) | training |
//!
//! # How to add an operation
//!
//! 1. `crates/kernels/src/`: a file with the loops on slices, forward and backward, and the plain
//!    form in `reference.rs`.
//! 2. Here: a file with the formula, and for each direction a struct of the operands that is an
//!    [`Operation`]: its name, what it reads, the shapes and kinds of its results, its FLOP. Below
//!    them the function that models call: it checks shapes, runs the forward struct and records
//!    a closure that runs the backward one. This file lists the module and its structs.
//! 3. `crates/tensor/src/cpu/run.rs`: the call of the kernel; until it is there the compiler
//!    complains.
//!
//! That is all: the memory estimate, the profile and the buffers follow from the description. The
//! test `every_operation_is_described_as_it_runs` fails until it calls the new operation.
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

pub use add::{Add, AddChannels, Scale, SumTokens, add, add_channels, scale};
pub use attention::{Attention, AttentionBackward, Heads, attention};
pub use concat::{Concat, Split, concat, split};
pub use conv3x3::{Conv3x3, Conv3x3Backward, conv3x3};
pub use geglu::{Geglu, GegluBackward, LinearGeglu, geglu, linear_geglu};
pub use group_norm::{GroupNorm, GroupNormBackward, group_norm};
pub use layer_norm::{LayerNorm, LayerNormBackward, layer_norm};
pub use linear::{Linear, LinearBackward, linear, linear_add};
pub use lookup::{Gather, GatherBackward, Lookup, gather, lookup};
pub use loss::{Loss, LossBackward, LossKind, loss};
pub use resize::{Resize, ResizeBackward, resize};
pub use swish::{Swish, SwishBackward, quick_gelu, silu};

use crate::op::{Description, Operation};

/// Makes [`Op`] of the operations' structs.
macro_rules! operations {
    ($($op:ident),+ $(,)?) => {
        /// One call of an operation.
        #[derive(Debug, Clone, Copy)]
        #[expect(missing_docs, reason = "the structs are documented")]
        pub enum Op<'a> {
            $($op($op<'a>)),+
        }

        impl<'a> Op<'a> {
            /// The names of all operations.
            pub const NAMES: &'static [&'static str] = &[$($op::NAME),+];

            /// Name for people, unique.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$op(_) => $op::NAME),+ }
            }

            /// What this call reads, what it results in, and how much arithmetic it is.
            #[must_use]
            pub fn describe(&self) -> Description<'a> {
                match self { $(Self::$op(op) => op.describe()),+ }
            }
        }

        $(impl<'a> From<$op<'a>> for Op<'a> {
            fn from(op: $op<'a>) -> Self {
                Self::$op(op)
            }
        })+
    };
}

operations! {
    Linear, LinearBackward, LinearGeglu, Conv3x3, Conv3x3Backward, GroupNorm, GroupNormBackward,
    LayerNorm, LayerNormBackward, Attention, AttentionBackward, Geglu, GegluBackward, Swish, SwishBackward,
    Add, Scale, AddChannels, SumTokens, Concat, Split, Resize, ResizeBackward, Lookup, Gather,
    GatherBackward, Loss, LossBackward,
}
