//! GEGLU: x = (a, b) along the channels, y = a gelu(b) with the exact GELU, b Phi(b).
//!
//! Shapes: x `[batch, tokens, 2 c]`, y `[batch, tokens, c]` (Shazeer 2020, arXiv 2002.05202).
//! Backward: da = dy gelu(b), db = dy a (Phi(b) + b phi(b)).
//!
//! Where nothing is recorded, the linear layer before it and GEGLU are one operation, which does
//! not write x.
use super::linear;
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Tensor, Weight};

/// Outputs of the two halves' panels: the kernel has no parts of them.
const PANELS: usize = 64;

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

/// a gelu(b) of (a, b) = x W^T + bias.
#[derive(Debug, Clone, Copy)]
pub struct LinearGeglu<'a> {
    /// `[batch, tokens, in]`
    pub x: &'a Tensor,
    /// `[2 c, in]`, with c a multiple of 32.
    pub w: &'a Weight,
}

impl<'a> Operation<'a> for LinearGeglu<'a> {
    const NAME: &'static str = "linear geglu";

    fn describe(&self) -> Description<'a> {
        let shape = self.x.shape().with_channels(self.w.outputs() / 2);
        let call = Description::reads(&[self.x]).weight(self.w);
        call.narrow(shape).flops(linear::flops(self.x, self.w))
    }
}

/// [`geglu`] of [`linear`](super::linear()): the same values, in one operation where no backward
/// needs the linear layer's result.
#[must_use]
pub fn linear_geglu(x: &Tensor, w: &Weight) -> Tensor {
    if x.track().is_some() || !w.outputs().is_multiple_of(PANELS) {
        return geglu(&linear::linear(x, w));
    }
    linear::check(x, w);
    run(LinearGeglu { x, w })
}
