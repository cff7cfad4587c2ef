//! GEGLU: x = (a, b) along the channels, y = a gelu(b) with the exact GELU, b Phi(b).
//!
//! Shapes: x `[batch, tokens, 2 c]`, y `[batch, tokens, c]` (Shazeer 2020, arXiv 2002.05202).
//! Backward: da = dy gelu(b), db = dy a (Phi(b) + b phi(b)).
use crate::Tensor;
use crate::op::{Description, Operation, run};
use crate::tape::record;

/// a gelu(b).
#[derive(Debug, Clone, Copy)]
pub struct Geglu<'a> {
    /// `[batch, tokens, 2 c]`
    pub x: &'a Tensor,
}

impl<'a> Operation<'a> for Geglu<'a> {
    const NAME: &'static str = "geglu";

    fn describe(&self) -> Description<'a> {
        let shape = self.x.shape();
        Description::reads(&[self.x]).narrow(shape.with_channels(shape.channels / 2))
    }
}

/// Gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct GegluBackward<'a> {
    /// `[batch, tokens, 2 c]`
    pub x: &'a Tensor,
    /// `[batch, tokens, c]`
    pub dy: &'a Tensor,
}

impl<'a> Operation<'a> for GegluBackward<'a> {
    const NAME: &'static str = "geglu backward";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x, self.dy]).narrow(self.x.shape())
    }
}

/// a gelu(b).
#[must_use]
pub fn geglu(x: &Tensor) -> Tensor {
    assert_eq!(x.shape().channels % 2, 0, "geglu: {} has no two halves", x.shape());
    let kept = x.detach();
    record(&[x], run(Geglu { x }), move |dy, _| vec![Some(run(GegluBackward { x: &kept, dy }))])
}
