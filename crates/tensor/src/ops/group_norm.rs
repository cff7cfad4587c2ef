//! Group norm: y = (x - mean) / sqrt(var + eps) * scale + shift, optionally SiLU of that.
//!
//! Mean and variance run over the tokens and the channels of one group of one sample (Wu and He
//! 2018, arXiv 1803.08494). Shapes: x and y `[batch, tokens, channels]`, channels divisible by
//! groups. Backward: the usual one, with the statistics computed again from x.
use crate::op::{Description, Operation, run};
use crate::tape::record;
use crate::{Layout, Tensor, Weight};

/// Group norm, then optionally SiLU.
#[derive(Debug, Clone, Copy)]
pub struct GroupNorm<'a> {
    /// `[batch, tokens, channels]`
    pub x: &'a Tensor,
    /// Number of groups.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
    /// Scale and shift, `[channels]`.
    pub w: &'a Weight,
    /// Whether SiLU follows.
    pub silu: bool,
}

impl<'a> Operation<'a> for GroupNorm<'a> {
    const NAME: &'static str = "group norm";

    fn describe(&self) -> Description<'a> {
        Description::reads(&[self.x]).weight(self.w).narrow(self.x.shape())
    }
}

/// Gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct GroupNormBackward<'a> {
    /// The call whose result dy is the gradient of.
    pub forward: GroupNorm<'a>,
    /// `[batch, tokens, channels]`
    pub dy: &'a Tensor,
}

impl<'a> Operation<'a> for GroupNormBackward<'a> {
    const NAME: &'static str = "group norm backward";

    fn describe(&self) -> Description<'a> {
        self.forward.describe().and(Some(self.dy))
    }
}

/// Group norm of x.
#[must_use]
pub fn group_norm(x: &Tensor, groups: usize, eps: f32, w: &Weight, silu: bool) -> Tensor {
    assert!(w.layout() == Layout::Norm, "group_norm needs a norm weight, not {:?}", w.layout());
    let shape = x.shape();
    assert_eq!(shape.channels, w.inputs(), "group_norm: input {shape} into {}", w.inputs());
    assert_eq!(shape.channels % groups, 0, "group_norm: {shape} in {groups} groups");
    let y = run(GroupNorm { x, groups, eps, w, silu });
    let (w, x_kept) = (w.clone(), x.detach());
    record(&[x], y, move |dy, _| {
        let forward = GroupNorm { x: &x_kept, groups, eps, w: &w, silu };
        vec![Some(run(GroupNormBackward { forward, dy }))]
    })
}
