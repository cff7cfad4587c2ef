//! Attention without a matrix of probabilities: y = softmax(q k^T / sqrt(width)) v, and its
//! gradients (Dao et al. 2022, arXiv 2205.14135).
//!
//! Queries are rows and keys lie in the lanes of vectors: queries are read as they are, and what
//! must be turned is made once for each head. A tile of scores starts at minus the query's largest
//! score (forward) or logarithm (backward), so that the product's registers already hold the
//! exponents; they become probabilities and are stored for the next product in one go. Forward
//! saves the logarithm of each query's sum; backward computes the probabilities again from it.
mod backward;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod forward;
mod heads;
mod kernel;
mod plain;
#[cfg(all(test, unix))]
mod tests;
mod tiles;

use crate::pool::Parts;
use crate::tile::Portable;
use crate::view::PartsMut;
use crate::{Cpu, Products, View, ViewMut};
use kernel::ForAttention;

/// Sizes: q and y `[batch, queries, heads * width]`, k and v `[batch, keys, heads * width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSizes {
    /// Number of samples.
    pub batch: usize,
    /// Query length (tokens).
    pub queries: usize,
    /// Key-value length (tokens).
    pub keys: usize,
    /// Independent heads, side by side in the channels.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
}

impl AttentionSizes {
    fn stride(&self) -> usize {
        self.heads * self.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    fn query_len(&self) -> usize {
        self.batch * self.queries * self.stride()
    }

    fn key_value_len(&self) -> usize {
        self.batch * self.keys * self.stride()
    }

    /// Keys that some of the queries below `end` see.
    fn seen(&self, end: usize) -> usize {
        if self.causal { end.min(self.keys) } else { self.keys }
    }

    /// How many keys each query of a block sees; those that are not there see none.
    fn visible<const N: usize>(&self, first: usize, count: usize) -> [usize; N] {
        std::array::from_fn(|i| if i < count { self.seen(first + i + 1) } else { 0 })
    }

    fn lse(&self) -> usize {
        self.batch * self.heads * self.queries
    }
}

/// What is read: q, k, v.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Queries.
    pub q: View<'a>,
    /// Keys.
    pub k: View<'a>,
    /// Values.
    pub v: View<'a>,
}

impl Inputs<'_> {
    fn check(&self, s: &AttentionSizes) {
        let sizes = [self.q.len(), self.k.len(), self.v.len()];
        assert!(s.query_len() > 0 && s.key_value_len() > 0, "attention of nothing");
        assert_eq!(
            sizes,
            [s.query_len(), s.key_value_len(), s.key_value_len()],
            "attention: sizes"
        );
        assert!(!s.causal || s.queries == s.keys, "causal attention is over itself");
    }
}

/// What backward knows beside q, k and v: the forward's results and the gradient of y.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The forward's y.
    pub y: View<'a>,
    /// The forward's logarithms.
    pub lse: &'a [f32],
    /// Gradient of y.
    pub dy: View<'a>,
}

/// y, and the logarithms of the sums, `lse` `[batch, heads, queries]`.
pub fn forward(
    cpu: &Cpu,
    x: Inputs<'_>,
    s: AttentionSizes,
    products: Products,
    y: ViewMut<'_>,
    lse: &mut [f32],
) {
    x.check(&s);
    assert!(y.len() == s.query_len() && lse.len() == s.lse(), "attention: sizes of the results");
    let (y, lse) = (PartsMut::from(y), Parts::new(lse));
    let to = forward::Results { y: &y, lse: &lse };
    if products == Products::Bf16 {
        with_bf16_kernel!(cpu.isa, kernel => {
            forward::run(cpu, kernel.for_attention(cpu.isa), x, s, to)
        });
    }
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = cpu.isa.avx512() {
            return forward::run(cpu, kernel, x, s, to);
        }
        if let Some(kernel) = cpu.isa.avx2() {
            return forward::run(cpu, kernel, x, s, to);
        }
    }
    let _ = products;
    forward::run(cpu, Portable, x, s, to);
}

/// Gradients of q, k and v, of those that are given.
///
/// With P the probabilities and delta = sum(dy y) per row: dS = P (dy v^T - delta) / sqrt(width),
/// dq = dS k, dk = dS^T q, dv = P^T dy.
pub fn backward(
    cpu: &Cpu,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: AttentionSizes,
    products: Products,
    gradients: [Option<ViewMut<'_>>; 3],
) {
    x.check(&s);
    assert!(out.y.len() == s.query_len() && out.dy.len() == s.query_len(), "attention: y");
    assert_eq!(out.lse.len(), s.lse(), "attention: lse");
    let sizes = [s.query_len(), s.key_value_len(), s.key_value_len()];
    for (g, size) in gradients.iter().zip(sizes) {
        assert!(g.as_ref().is_none_or(|g| g.len() == size), "attention: sizes of gradients");
    }
    let gradients = gradients.map(|g| g.map(PartsMut::from));
    if products == Products::Bf16 {
        with_bf16_kernel!(cpu.isa, kernel => {
            backward::run(cpu, kernel.for_attention(cpu.isa), x, out, s, &gradients)
        });
    }
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = cpu.isa.avx512() {
            return backward::run(cpu, kernel, x, out, s, &gradients);
        }
        if let Some(kernel) = cpu.isa.avx2() {
            return backward::run(cpu, kernel, x, out, s, &gradients);
        }
    }
    let _ = products;
    backward::run(cpu, Portable, x, out, s, &gradients);
}
