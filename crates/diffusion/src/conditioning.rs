//! From weighted pieces of a prompt to the states that the UNet attends to, as A1111 does it.
//!
//! A piece list is cut into windows of 75 tokens ([`chunk`]): a plan without tensors, which
//! `explain` can show. All texts of one prompt part are encoded together ([`encode`]), because the
//! mean that emphasis restores is theirs in common.
mod chunk;
mod emphasis;
mod encode;
mod lengths;

pub use chunk::{Chunk, ChunkOptions, Chunked, EmbeddingMatch, Fix, chunk};
pub use emphasis::emphasize;
pub use encode::{Encoded, encode};
pub use lengths::{PadUncond, pad_parts, pad_uncond};

#[cfg(test)]
mod tests;
