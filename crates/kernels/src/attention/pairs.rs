//! Attention with products of bf16 pairs, whose probabilities never leave the registers unrounded.
//!
//! Unlike the other kernels' form, queries are rows here and keys lie in the lanes: queries are
//! read as they are, and what must be turned is made once for each head. A tile of scores starts
//! at minus the query's largest score (forward) or logarithm (backward), so that the product's
//! registers already hold the exponents; they become probabilities, are rounded and stored for
//! the next product in one go.
//!
//! Forward takes a query's largest score from the first keys only. What follows may be larger: a
//! bf16 has the range of an f32, so nothing is lost before a sum comes near that range's end, and
//! then (hardly ever) the largest is taken anew and what was summed is scaled.
mod backward;
mod forward;
mod pack;
mod tile;

pub(super) use {backward::run as backward, forward::run as forward};

#[cfg(test)]
mod tests;
