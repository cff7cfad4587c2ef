//! The residual block of two convolutions that UNet and VAE share.
//!
//! y = shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + proj(t)))) (He et al. 2016; the
//! time vector t as in Ho et al. 2020). The VAE has no time.
use crate::weights::{Cursor, GROUPS};
use wayword_tensor::{Grid, Stride, Tensor, Weight, ops};

/// A residual block; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Resnet {
    pub norm1: Weight,
    pub conv1: Weight,
    pub time_emb_proj: Option<Weight>,
    pub norm2: Weight,
    pub conv2: Weight,
    pub conv_shortcut: Option<Weight>,
    /// Added to the variance of both norms.
    pub eps: f32,
}

impl Resnet {
    /// `time` is the width of the time vector, `None` in the VAE.
    pub(crate) fn load(at: &Cursor<'_>, inputs: usize, time: Option<usize>, eps: f32) -> Self {
        let outputs = at.at("conv1").outputs();
        let shortcut = at.at("conv_shortcut");
        Self {
            norm1: at.at("norm1").group_norm(inputs),
            conv1: at.at("conv1").conv3x3(inputs, outputs),
            time_emb_proj: time.map(|width| at.at("time_emb_proj").linear(width, outputs)),
            norm2: at.at("norm2").group_norm(outputs),
            conv2: at.at("conv2").conv3x3(outputs, outputs),
            conv_shortcut: (inputs != outputs || shortcut.exists())
                .then(|| shortcut.linear(inputs, outputs)),
            eps,
        }
    }

    /// Output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.conv2.outputs()
    }

    /// x `[batch, h w, inputs]` and the activated time vector `[batch, 1, width]` to
    /// `[batch, h w, outputs]`.
    #[must_use]
    pub fn forward(&self, x: &Tensor, grid: Grid, time: Option<&Tensor>) -> Tensor {
        // One name for all: at the VAE's largest size each of these is 67 or 134 MB, and what is
        // replaced is freed.
        let mut h = ops::group_norm(x, GROUPS, self.eps, &self.norm1, true);
        h = ops::conv3x3(&h, grid, Stride::One, &self.conv1, None);
        if let (Some(time), Some(proj)) = (time, &self.time_emb_proj) {
            h = ops::add_channels(&h, &ops::linear(time, proj));
        }
        h = ops::group_norm(&h, GROUPS, self.eps, &self.norm2, true);
        let residual = match &self.conv_shortcut {
            Some(shortcut) => ops::linear(x, shortcut),
            None => x.clone(),
        };
        ops::conv3x3(&h, grid, Stride::One, &self.conv2, Some(&residual))
    }
}
