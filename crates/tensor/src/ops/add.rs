//! Sums and multiples: a + b, f x, and x + v with one vector per sample.
//!
//! Backward of a sum is dy for each summand; of f x it is f dy; the vector of
//! [`add_channels`] collects dy over the tokens.
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Shape, Tensor};

/// a + b.
#[derive(Debug, Clone, Copy)]
pub struct Add<'a> {
    /// Any shape.
    pub a: &'a Tensor,
    /// The same shape.
    pub b: &'a Tensor,
}

impl<'a> Operation<'a> for Add<'a> {
    const NAME: &'static str = "add";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.a, self.b]).full(self.a.shape())
    }
}

/// factor * x.
#[derive(Debug, Clone, Copy)]
pub struct Scale<'a> {
    /// Any shape.
    pub x: &'a Tensor,
    /// The same for all values.
    pub factor: f32,
}

impl<'a> Operation<'a> for Scale<'a> {
    const NAME: &'static str = "scale";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).full(self.x.shape())
    }
}

/// x + v, one vector per sample for all of its tokens.
#[derive(Debug, Clone, Copy)]
pub struct AddChannels<'a> {
    /// `[batch, tokens, channels]`
    pub x: &'a Tensor,
    /// `[batch, 1, channels]`
    pub v: &'a Tensor,
}

impl<'a> Operation<'a> for AddChannels<'a> {
    const NAME: &'static str = "add channels";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x, self.v]).like(self.x.shape(), self.x)
    }
}

/// Sum over tokens: `[batch, tokens, channels]` to `[batch, 1, channels]`.
#[derive(Debug, Clone, Copy)]
pub struct SumTokens<'a> {
    /// `[batch, tokens, channels]`
    pub x: &'a Tensor,
}

impl<'a> Operation<'a> for SumTokens<'a> {
    const NAME: &'static str = "sum tokens";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).full(vector(self.x.shape()))
    }
}

/// One vector per sample.
const fn vector(shape: Shape) -> Shape {
    Shape::new(shape.batch, 1, shape.channels)
}

/// a + b, same shape.
#[must_use]
pub fn add(a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "add: shapes differ");
    record(&[a, b], run(Add { a, b }), |dy, _| vec![Some(dy.clone()), Some(dy.clone())])
}

/// factor * x.
#[must_use]
pub fn scale(x: &Tensor, factor: f32) -> Tensor {
    let y = run(Scale { x, factor });
    record(&[x], y, move |dy, _| vec![Some(run(Scale { x: dy, factor }))])
}

/// x + v for x `[batch, tokens, channels]` and v `[batch, 1, channels]`.
#[must_use]
pub fn add_channels(x: &Tensor, v: &Tensor) -> Tensor {
    let shape = x.shape();
    assert_eq!(v.shape(), vector(shape), "add_channels: one vector per sample of {shape}");
    record(&[x, v], run(AddChannels { x, v }), |dy, needs| {
        vec![Some(dy.clone()), needs.input(1).then(|| run(SumTokens { x: dy }))]
    })
}
