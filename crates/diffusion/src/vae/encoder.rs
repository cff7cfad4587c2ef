//! Pixels to the statistics of latents.
use super::{EPS, VaeMid, levels};
use crate::resnet::Resnet;
use crate::weights::{Cursor, GROUPS};
use wayword_tensor::{Grid, Stride, Tensor, Weight, ops};

/// The encoder; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Encoder {
    pub conv_in: Weight,
    pub down_blocks: Vec<EncoderLevel>,
    pub mid_block: VaeMid,
    pub conv_norm_out: Weight,
    pub conv_out: Weight,
}

/// One level: resnets, then half the size.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct EncoderLevel {
    pub resnets: Vec<Resnet>,
    /// The convolution of stride 2; none at the last level.
    pub downsampler: Option<Weight>,
}

impl Encoder {
    pub(super) fn load(at: &Cursor<'_>, latents: usize) -> Self {
        let channels = at.at("conv_in").outputs();
        let mut width = channels;
        let down_blocks = levels(&at.at("down_blocks"), "downsamplers", &mut width)
            .map(|(resnets, downsampler)| EncoderLevel { resnets, downsampler })
            .collect();
        Self {
            conv_in: at.at("conv_in").conv3x3(3, channels),
            down_blocks,
            mid_block: VaeMid::load(&at.at("mid_block"), width),
            conv_norm_out: at.at("conv_norm_out").group_norm(width),
            conv_out: at.at("conv_out").conv3x3(width, 2 * latents),
        }
    }

    /// Pixels `[batch, h w, 3]` to `[batch, h w / 64, 8]`, with the new size.
    #[must_use]
    pub fn forward(&self, x: &Tensor, grid: Grid) -> (Tensor, Grid) {
        let mut h = (ops::conv3x3(x, grid, Stride::One, &self.conv_in, None), grid);
        for level in &self.down_blocks {
            h = level.forward(h.0, h.1);
        }
        let (mut h, grid) = h;
        h = self.mid_block.forward(&h, grid);
        h = ops::group_norm(&h, GROUPS, EPS, &self.conv_norm_out, true);
        (ops::conv3x3(&h, grid, Stride::One, &self.conv_out, None), grid)
    }
}

impl EncoderLevel {
    /// Runs the level; gives the new size.
    #[must_use]
    pub fn forward(&self, mut h: Tensor, grid: Grid) -> (Tensor, Grid) {
        for resnet in &self.resnets {
            h = resnet.forward(&h, grid, None);
        }
        match &self.downsampler {
            Some(conv) => {
                let step = Stride::TwoPadEnd;
                (ops::conv3x3(&h, grid, step, conv, None), step.output(grid))
            }
            None => (h, grid),
        }
    }
}
