//! One level on the way down: resnets, transformers where the level has them, then half the size.
use super::{BlockConditioning, Level, Skip, Transformer, resnet, transformer};
use crate::resnet::Resnet;
use wayword_tensor::{Grid, Stride, Tensor, Weight, ops};

/// A level; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct DownBlock {
    pub resnets: Vec<Resnet>,
    /// As many as resnets, or none.
    pub attentions: Vec<Transformer>,
    /// None at the last level.
    pub downsampler: Option<Downsample>,
}

impl DownBlock {
    pub(super) fn load(
        level: &Level<'_>,
        inputs: usize,
        time: usize,
        attention: bool,
        context: &mut usize,
        skips: &mut Vec<usize>,
    ) -> Self {
        let (resnets, attentions) = level.layers(time, attention, context, inputs, |width| width);
        skips.extend(resnets.iter().map(Resnet::outputs));
        let width = resnets.last().map_or(inputs, Resnet::outputs);
        let downsampler = (!level.last).then(|| {
            skips.push(width);
            let at = level.at.at("downsamplers").at(0).at("conv");
            Downsample { conv: at.conv3x3(width, width) }
        });
        Self { resnets, attentions, downsampler }
    }

    /// Output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.resnets.last().map_or(0, Resnet::outputs)
    }

    /// Runs the level; every output also goes to `skips`.
    #[must_use]
    pub fn forward(
        &self,
        (mut h, grid): Skip,
        conditioning: BlockConditioning<'_>,
        skips: &mut Vec<Skip>,
    ) -> Skip {
        for (i, block) in self.resnets.iter().enumerate() {
            h = resnet(block, &h, grid, conditioning);
            if let Some(block) = self.attentions.get(i) {
                h = transformer(block, &h, conditioning);
            }
            skips.push((h.clone(), grid));
        }
        let Some(down) = &self.downsampler else { return (h, grid) };
        let half = down.forward(&h, grid);
        skips.push(half.clone());
        half
    }
}

/// A convolution of stride 2.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Downsample {
    pub conv: Weight,
}

impl Downsample {
    /// Half the size, rounded up.
    #[must_use]
    pub fn forward(&self, x: &Tensor, grid: Grid) -> Skip {
        (ops::conv3x3(x, grid, Stride::Two, &self.conv, None), Stride::Two.output(grid))
    }
}
