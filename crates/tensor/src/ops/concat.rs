//! Concatenation along the channels: y = (a, b).
//!
//! Shapes: a `[batch, tokens, c1]`, b `[batch, tokens, c2]`, y `[batch, tokens, c1 + c2]`.
//! Backward: dy is split at c1.
use crate::Tensor;
use crate::tape::record;

/// Channels of a, then of b.
#[must_use]
pub fn concat(a: &Tensor, b: &Tensor) -> Tensor {
    let (first, second) = (a.shape(), b.shape());
    assert_eq!(first.with_channels(0), second.with_channels(0), "concat: {first} and {second}");
    let (rows, channels) = (first.rows(), (first.channels, second.channels));
    let shape = first.with_channels(channels.0 + channels.1);
    let y = a.with_data(shape, a.device().concat(a.data(), b.data(), rows, channels));
    record(&[a, b], y, move |dy, _| {
        let (da, db) = dy.device().split(dy.data(), rows, channels);
        vec![Some(dy.with_data(first, da)), Some(dy.with_data(second, db))]
    })
}
