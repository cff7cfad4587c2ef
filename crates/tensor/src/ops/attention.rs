//! Attention: y = softmax(q k^T / sqrt(d)) v, for each head.
//!
//! Shapes: q and y `[batch, queries, heads * d]`, k and v `[batch, keys, heads * d]`; heads lie
//! side by side in the channels. The probabilities are never kept: forward saves the logarithm of
//! each row's sum, backward computes the rows again from it (Dao et al. 2022, arXiv 2205.14135).
use crate::backend::AttentionShape;
use crate::tape::record;
use crate::{Shape, Tensor};

/// How the channels are divided and who sees whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
}

/// Attention of q over k and v.
#[must_use]
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: Heads) -> Tensor {
    let (asks, answers) = (q.shape(), k.shape());
    assert_eq!(k.shape(), v.shape(), "attention: keys and values differ");
    assert_eq!(asks.batch, answers.batch, "attention: {asks} over {answers}");
    assert_eq!(asks.channels, answers.channels, "attention: {asks} over {answers}");
    assert_eq!(asks.channels % heads.count, 0, "attention: {asks} in {} heads", heads.count);
    assert!(!heads.causal || asks.tokens == answers.tokens, "causal attention is over itself");
    let shape = AttentionShape {
        batch: asks.batch,
        queries: asks.tokens,
        keys: answers.tokens,
        heads: heads.count,
        width: asks.channels / heads.count,
        causal: heads.causal,
    };
    let (data, saved) = q.device().attention(q.data(), k.data(), v.data(), shape);
    let y = q.with_data(asks, data);
    let kept = [q.detach(), k.detach(), v.detach(), y.clone()];
    record(&[q, k, v], y, move |dy, needs| {
        let [q, k, v, y] = &kept;
        let want = [needs.input(0), needs.input(1), needs.input(2)];
        let grads = dy.device().attention_backward(
            q.data(),
            k.data(),
            v.data(),
            y.data(),
            &saved,
            dy.data(),
            shape,
            want,
        );
        let shapes: [Shape; 3] = [asks, answers, answers];
        grads.into_iter().zip(shapes).map(|(g, s)| g.map(|g| dy.with_data(s, g))).collect()
    })
}
