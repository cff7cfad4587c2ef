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
    let (queries, keys) = (q.shape(), k.shape());
    assert_eq!(k.shape(), v.shape(), "attention: keys and values differ");
    assert_eq!(queries.batch, keys.batch, "attention: {queries} over {keys}");
    assert_eq!(queries.channels, keys.channels, "attention: {queries} over {keys}");
    assert_eq!(queries.channels % heads.count, 0, "attention: {queries} in {} heads", heads.count);
    assert!(!heads.causal || queries.tokens == keys.tokens, "causal attention is over itself");
    let shape = AttentionShape {
        batch: queries.batch,
        query_len: queries.tokens,
        kv_len: keys.tokens,
        heads: heads.count,
        width: queries.channels / heads.count,
        causal: heads.causal,
    };
    let (data, saved) = q.device().attention(q.data(), k.data(), v.data(), shape);
    let y = q.with_data(queries, data);
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
        let shapes: [Shape; 3] = [queries, keys, keys];
        grads.into_iter().zip(shapes).map(|(g, s)| g.map(|g| dy.with_data(s, g))).collect()
    })
}
