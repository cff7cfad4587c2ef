//! Activations of the form y = x s(f x), s the logistic function: SiLU (f = 1) and CLIP's quick
//! GELU (f = 1.702).
//!
//! Any shape. Backward: dx = dy (s + f x s (1 - s)).
use crate::Tensor;
use crate::tape::record;

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
    let y = x.with_data(x.shape(), x.device().swish(x.data(), beta));
    let kept = x.detach();
    record(&[x], y, move |dy, _| {
        let dx = dy.device().swish_backward(kept.data(), dy.data(), beta);
        vec![Some(dy.with_data(dy.shape(), dx))]
    })
}
