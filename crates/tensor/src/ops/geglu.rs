//! GEGLU: x = (a, b) along the channels, y = a gelu(b) with the exact GELU, b Phi(b).
//!
//! Shapes: x `[batch, tokens, 2 c]`, y `[batch, tokens, c]` (Shazeer 2020, arXiv 2002.05202).
//! Backward: da = dy gelu(b), db = dy a (Phi(b) + b phi(b)).
use crate::Tensor;
use crate::tape::record;

/// a gelu(b).
#[must_use]
pub fn geglu(x: &Tensor) -> Tensor {
    let from = x.shape();
    assert_eq!(from.channels % 2, 0, "geglu: {from} has no two halves");
    let (rows, channels) = (from.rows(), from.channels / 2);
    let y = x.with_data(from.with_channels(channels), x.device().geglu(x.data(), rows, channels));
    let kept = x.detach();
    record(&[x], y, move |dy, _| {
        let dx = dy.device().geglu_backward(kept.data(), dy.data(), rows, channels);
        vec![Some(dy.with_data(from, dx))]
    })
}
