//! Concatenation along the channels: y = (a, b).
//!
//! Shapes: a `[batch, tokens, c1]`, b `[batch, tokens, c2]`, y `[batch, tokens, c1 + c2]`.
//! Backward: dy is split at c1.
use crate::Tensor;
use crate::op::{Description, Operation, ResultKind, run, run_all};
use crate::tape::record;

/// Channels of a, then of b.
#[derive(Debug, Clone, Copy)]
pub struct Concat<'a> {
    /// `[batch, tokens, c1]`
    pub a: &'a Tensor,
    /// `[batch, tokens, c2]`
    pub b: &'a Tensor,
}

impl<'a> Operation<'a> for Concat<'a> {
    const NAME: &'static str = "concat";

    fn describe(&self) -> Description<'a> {
        let (a, b) = (self.a.shape(), self.b.shape());
        Description::reads(&[self.a, self.b]).narrow(a.with_channels(a.channels + b.channels))
    }
}

/// The inverse: the first and the last channels.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    /// `[batch, tokens, c1 + c2]`
    pub x: &'a Tensor,
    /// c1 and c2.
    pub channels: [usize; 2],
}

impl<'a> Operation<'a> for Split<'a> {
    const NAME: &'static str = "split";

    fn describe(&self) -> Description<'a> {
        let [a, b] = self.channels.map(|channels| self.x.shape().with_channels(channels));
        Description::reads(&[self.x]).full(a).result(1, b, ResultKind::Full)
    }
}

/// Channels of a, then of b.
#[must_use]
pub fn concat(a: &Tensor, b: &Tensor) -> Tensor {
    let (first, second) = (a.shape(), b.shape());
    assert_eq!(first.with_channels(0), second.with_channels(0), "concat: {first} and {second}");
    let channels = [first.channels, second.channels];
    record(&[a, b], run(Concat { a, b }), move |dy, _| run_all(Split { x: dy, channels }).into())
}

/// The first and the last channels of x, the inverse of [`concat()`]. It has no backward.
#[must_use]
pub fn split(x: &Tensor, channels: [usize; 2]) -> (Tensor, Tensor) {
    assert_eq!(x.shape().channels, channels[0] + channels[1], "split: {}", x.shape());
    assert!(x.track().is_none(), "split has no backward");
    let [Some(a), Some(b), _] = run_all(Split { x, channels }) else {
        unreachable!("split has two results")
    };
    (a, b)
}
