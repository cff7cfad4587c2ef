//! Attention: y = softmax(q k^T / sqrt(d)) v, for each head.
//!
//! Shapes: q and y `[batch, query_len, heads * d]`, k and v `[batch, kv_len, heads * d]`; heads lie
//! side by side in the channels. The probabilities are never kept: forward saves the logarithm of
//! each row's sum, backward computes the rows again from it (Dao et al. 2022, arXiv 2205.14135).
use crate::op::{Description, Operation, ResultKind, run_all};
use crate::tape::record;
use crate::{Shape, Tensor};

/// How the channels are divided, and whether attention is causal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Whether a query attends only to its own position and those before it.
    pub causal: bool,
}

/// softmax(q k^T / sqrt(d)) v. Its second result is for the backward: the logarithm of each row's
/// sum, `[batch, heads, query_len]`.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// `[batch, query_len, heads * d]`
    pub q: &'a Tensor,
    /// `[batch, kv_len, heads * d]`
    pub k: &'a Tensor,
    /// `[batch, kv_len, heads * d]`
    pub v: &'a Tensor,
    /// Heads.
    pub heads: Heads,
}

impl Attention<'_> {
    /// Of one product of queries and keys.
    fn flops(&self) -> usize {
        let all = 2 * self.q.shape().elements() * self.k.shape().tokens;
        if self.heads.causal { all / 2 } else { all }
    }
}

impl<'a> Operation<'a> for Attention<'a> {
    const NAME: &'static str = "attention";

    fn describe(&self) -> Description<'a> {
        let shape = self.q.shape();
        let sums = Shape::new(shape.batch, self.heads.count, shape.tokens);
        let call = Description::reads(&[self.q, self.k, self.v]).narrow(shape);
        call.result(1, sums, ResultKind::Full).flops(2 * self.flops())
    }
}

/// Gradients of q, k and v.
#[derive(Debug, Clone, Copy)]
pub struct AttentionBackward<'a> {
    /// The call whose result dy is the gradient of.
    pub forward: Attention<'a>,
    /// Its result.
    pub y: &'a Tensor,
    /// Its second result.
    pub saved: &'a Tensor,
    /// `[batch, query_len, heads * d]`
    pub dy: &'a Tensor,
    /// Which of the three gradients are needed; the others are no results.
    pub needs: [bool; 3],
}

impl<'a> Operation<'a> for AttentionBackward<'a> {
    const NAME: &'static str = "attention backward";

    fn describe(&self) -> Description<'a> {
        let Attention { q, k, v, .. } = self.forward;
        let mut call = Description::reads(&[q, k, v, self.y, self.saved, self.dy]);
        for (i, x) in [q, k, v].into_iter().enumerate().filter(|(i, _)| self.needs[*i]) {
            call = call.result(i, x.shape(), ResultKind::Narrow);
        }
        call.flops(5 * self.forward.flops())
    }
}

/// Attention of q over k and v.
#[must_use]
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: Heads) -> Tensor {
    let (query, key) = (q.shape(), k.shape());
    assert_eq!(k.shape(), v.shape(), "attention: keys and values differ");
    assert_eq!(query.batch, key.batch, "attention: {query} over {key}");
    assert_eq!(query.channels, key.channels, "attention: {query} over {key}");
    assert_eq!(query.channels % heads.count, 0, "attention: {query} in {} heads", heads.count);
    assert!(!heads.causal || query.tokens == key.tokens, "causal attention is over itself");
    let [Some(y), Some(saved), _] = run_all(Attention { q, k, v, heads }) else {
        unreachable!("attention has two results")
    };
    let kept = [q, k, v, &y].map(Tensor::detach);
    record(&[q, k, v], y, move |dy, needs| {
        let [q, k, v, y] = &kept;
        let forward = Attention { q, k, v, heads };
        let needs = [0, 1, 2].map(|i| needs.input(i));
        run_all(AttentionBackward { forward, y, saved: &saved, dy, needs }).into()
    })
}
