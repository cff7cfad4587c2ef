//! Activations of the form y = x s(beta x), s the logistic function: SiLU (beta = 1) and CLIP's
//! quick GELU (beta = 1.702).
//!
//! Any shape. Backward: dx = dy (s + beta x s (1 - s)).
use crate::Tensor;
use crate::op::{Description, Operation, run};
use crate::tape::record;

/// x s(beta x).
#[derive(Debug, Clone, Copy)]
pub struct Swish<'a> {
    /// Any shape.
    pub x: &'a Tensor,
    /// 1 for SiLU, 1.702 for quick GELU.
    pub beta: f32,
}

impl<'a> Operation<'a> for Swish<'a> {
    const NAME: &'static str = "swish";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).like(self.x.shape(), self.x)
    }
}

/// Gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct SwishBackward<'a> {
    /// The call whose result dy is the gradient of.
    pub forward: Swish<'a>,
    /// Of the input's shape.
    pub dy: &'a Tensor,
}

impl<'a> Operation<'a> for SwishBackward<'a> {
    const NAME: &'static str = "swish backward";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.forward.x, self.dy]).like(self.dy.shape(), self.dy)
    }
}

/// x s(x).
#[must_use]
pub fn silu(x: &Tensor) -> Tensor {
    swish(x, 1.0)
}

/// x s(1.702 x).
#[must_use]
pub fn quick_gelu(x: &Tensor) -> Tensor {
    swish(x, 1.702)
}

fn swish(x: &Tensor, beta: f32) -> Tensor {
    let x_kept = x.detach();
    record(&[x], run(Swish { x, beta }), move |dy, _| {
        vec![Some(run(SwishBackward { forward: Swish { x: &x_kept, beta }, dy }))]
    })
}
