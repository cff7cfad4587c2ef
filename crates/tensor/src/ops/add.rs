//! Sums and multiples: a + b, f x, and x + v with one vector per sample.
//!
//! Backward of a sum is dy for each summand; of f x it is f dy; the vector of
//! [`add_channels`] collects dy over the tokens.
use crate::tape::record;
use crate::{Shape, Tensor};

/// a + b, same shape.
#[must_use]
pub fn add(a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "add: shapes differ");
    let y = a.with_data(a.shape(), a.device().add(a.data(), b.data()));
    record(&[a, b], y, |dy, _| vec![Some(dy.clone()), Some(dy.clone())])
}

/// factor * x.
#[must_use]
pub fn scale(x: &Tensor, factor: f32) -> Tensor {
    let y = x.with_data(x.shape(), x.device().scale(x.data(), factor));
    record(&[x], y, move |dy, _| {
        vec![Some(dy.with_data(dy.shape(), dy.device().scale(dy.data(), factor)))]
    })
}

/// x + v for x `[batch, tokens, channels]` and v `[batch, 1, channels]`.
#[must_use]
pub fn add_channels(x: &Tensor, v: &Tensor) -> Tensor {
    let shape = x.shape();
    let vector = Shape::new(shape.batch, 1, shape.channels);
    assert_eq!(v.shape(), vector, "add_channels: one vector per sample of {shape}");
    let y = x.with_data(shape, x.device().add_channels(x.data(), v.data(), shape));
    record(&[x, v], y, move |dy, needs| {
        let dv =
            needs.input(1).then(|| dy.with_data(vector, dy.device().sum_tokens(dy.data(), shape)));
        vec![Some(dy.clone()), dv]
    })
}
