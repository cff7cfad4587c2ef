//! Latents to pixels.
use super::{EPS, VaeMid, levels};
use crate::resnet::Resnet;
use crate::weights::{Cursor, GROUPS};
use crate::{Error, Result};
use wayword_interface::Stop;
use wayword_tensor::{Grid, Stride, Tensor, Weight, ops};

/// The decoder; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Decoder {
    pub conv_in: Weight,
    pub mid_block: VaeMid,
    pub up_blocks: Vec<DecoderLevel>,
    pub conv_norm_out: Weight,
    pub conv_out: Weight,
}

/// One level: resnets, then twice the size.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct DecoderLevel {
    pub resnets: Vec<Resnet>,
    /// The convolution behind the resize; none at the last level.
    pub upsampler: Option<Weight>,
}

impl Decoder {
    pub(super) fn load(at: &Cursor<'_>, latents: usize) -> Self {
        let channels = at.at("conv_in").outputs();
        let mut width = channels;
        let up_blocks = levels(&at.at("up_blocks"), "upsamplers", &mut width)
            .map(|(resnets, upsampler)| DecoderLevel { resnets, upsampler })
            .collect();
        Self {
            conv_in: at.at("conv_in").conv3x3(latents, channels),
            mid_block: VaeMid::load(&at.at("mid_block"), channels),
            up_blocks,
            conv_norm_out: at.at("conv_norm_out").group_norm(width),
            conv_out: at.at("conv_out").conv3x3(width, 3),
        }
    }

    /// `[batch, h w, latents]` to pixels `[batch, 64 h w, 3]`, with the new size.
    ///
    /// # Errors
    /// [`Error::Stopped`] where a stop was requested before the last level.
    pub fn forward(&self, x: &Tensor, grid: Grid, stop: &Stop) -> Result<(Tensor, Grid)> {
        let h = ops::conv3x3(x, grid, Stride::One, &self.conv_in, None);
        let mut h = (self.mid_block.forward(&h, grid), grid);
        for level in &self.up_blocks {
            if stop.is_requested() {
                return Err(Error::Stopped);
            }
            h = level.forward(h.0, h.1);
        }
        let (mut h, grid) = h;
        h = ops::group_norm(&h, GROUPS, EPS, &self.conv_norm_out, true);
        Ok((ops::conv3x3(&h, grid, Stride::One, &self.conv_out, None), grid))
    }
}

impl DecoderLevel {
    /// Runs the level; gives the new size.
    #[must_use]
    pub fn forward(&self, mut h: Tensor, grid: Grid) -> (Tensor, Grid) {
        for resnet in &self.resnets {
            h = resnet.forward(&h, grid, None);
        }
        match &self.upsampler {
            Some(conv) => {
                let to = Grid::new(2 * grid.height, 2 * grid.width);
                h = ops::resize(&h, grid, to);
                (ops::conv3x3(&h, to, Stride::One, conv, None), to)
            }
            None => (h, grid),
        }
    }
}
