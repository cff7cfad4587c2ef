//! One level on the way up: each resnet sees one output of the way down; then twice the size.
use super::{BlockConditioning, Level, OddSizes, Skip, Transformer, resnet, transformer};
use crate::resnet::Resnet;
use wayword_tensor::{Grid, Stride, Tensor, Weight, ops};

/// A level; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct UpBlock {
    pub resnets: Vec<Resnet>,
    /// As many as resnets, or none.
    pub attentions: Vec<Transformer>,
    /// None at the last level.
    pub upsampler: Option<Upsample>,
}

impl UpBlock {
    pub(super) fn load(
        level: &Level<'_>,
        inputs: usize,
        time: usize,
        attention: bool,
        context: &mut usize,
        skips: &mut Vec<usize>,
    ) -> Self {
        let with_skip = |width| width + skips.pop().unwrap_or(0);
        let (resnets, attentions) = level.layers(time, attention, context, inputs, with_skip);
        let width = resnets.last().map_or(inputs, Resnet::outputs);
        let upsampler = (!level.last).then(|| {
            let at = level.at.at("upsamplers").at(0).at("conv");
            Upsample { conv: at.conv3x3(width, width) }
        });
        Self { resnets, attentions, upsampler }
    }

    /// Output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.resnets.last().map_or(0, Resnet::outputs)
    }

    /// Runs the level, taking outputs of the way down from the end of `skips`.
    #[must_use]
    pub fn forward(
        &self,
        (mut h, grid): Skip,
        conditioning: BlockConditioning<'_>,
        skips: &mut Vec<Skip>,
    ) -> Skip {
        for (i, block) in self.resnets.iter().enumerate() {
            let (skip, _) = skips.pop().expect("the way down had as many outputs");
            h = resnet(block, &ops::concat(&h, &skip), grid, conditioning);
            if let Some(block) = self.attentions.get(i) {
                h = transformer(block, &h, conditioning);
            }
        }
        match (&self.upsampler, skips.last()) {
            (Some(up), Some((_, to))) => (up.forward(&h, grid, *to, conditioning.odd), *to),
            _ => (h, grid),
        }
    }
}

/// Nearest-neighbor resize, then a convolution.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Upsample {
    pub conv: Weight,
}

impl Upsample {
    /// The picture at the size of the next output of the way down: twice its own, or one less
    /// where that was odd.
    #[must_use]
    pub fn forward(&self, x: &Tensor, grid: Grid, to: Grid, odd: OddSizes) -> Tensor {
        let size = match odd {
            OddSizes::ResizeThenConv => to,
            OddSizes::ConvThenResize => Grid::new(2 * grid.height, 2 * grid.width),
        };
        let h = ops::resize(x, grid, size);
        ops::resize(&ops::conv3x3(&h, size, Stride::One, &self.conv, None), size, to)
    }
}
