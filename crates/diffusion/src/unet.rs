//! The UNet: noisy latents, timestep and hidden states to the predicted noise (Rombach et al.
//! 2022, after Ho et al. 2020).
//!
//! Latents go down through levels that halve the picture, through the middle, and up again; each
//! output on the way down comes back on the way up, concatenated to the channels. Resnets get the
//! timestep, transformers the text. Depths and widths are those of the loaded weights; the
//! number of heads is 8 at every level of Stable Diffusion 1.x.
mod down;
mod mid;
mod time;
mod transformer;
mod up;

pub use down::{DownBlock, Downsample};
pub use mid::MidBlock;
pub use time::{TimeEmbedding, sinusoids};
pub use transformer::{Attention, FeedForward, Transformer, TransformerBlock};
pub use up::{UpBlock, Upsample};

use crate::resnet::Resnet;
use crate::weights::{Cursor, GROUPS};
use crate::{Error, Result};
use std::cell::Cell;
use wayword_interface::Stop;
use wayword_tensor::{Device, Grid, Stride, Tensor, Weight, block, ops};

/// Attention heads at every level.
pub(crate) const HEADS: usize = 8;

/// Added to the variance of the resnets' norms.
pub(crate) const EPS: f32 = 1e-5;

/// The UNet; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Unet {
    pub time_embedding: TimeEmbedding,
    pub conv_in: Weight,
    pub down_blocks: Vec<DownBlock>,
    pub mid_block: MidBlock,
    pub up_blocks: Vec<UpBlock>,
    pub conv_norm_out: Weight,
    pub conv_out: Weight,
    context: usize,
}

/// A feature on its way up, with the size of its picture.
pub type Skip = (Tensor, Grid);

/// What the way up does where the way down had an odd size, which twice the half does not give
/// back. For sizes divisible by 8 latents the two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OddSizes {
    /// Resizes to the odd size, then convolves: diffusers and kohya.
    #[default]
    ResizeThenConv,
    /// Doubles, convolves, then resizes to the odd size: the web UI.
    ConvThenResize,
}

/// What all blocks of one call share.
#[derive(Debug, Clone, Copy)]
pub struct BlockConditioning<'a> {
    /// How odd sizes are met.
    pub odd: OddSizes,
    /// The activated time vector, `[batch, 1, 4 * channels]`.
    pub time: &'a Tensor,
    /// The text.
    pub context: BlockContext<'a>,
}

/// The text as the blocks of one call use it.
#[derive(Debug, Clone, Copy)]
pub enum BlockContext<'a> {
    /// Hidden states, `[batch, tokens, context width]`: for training, where they change each step.
    States(&'a Tensor),
    /// Keys and values of every cross-attention, in the order of the blocks.
    Prepared {
        /// One pair a transformer block.
        keys_values: &'a [KeysValues],
        /// The pair of the block that runs next.
        next: &'a Cell<usize>,
        /// Whether the call shall end before its next block.
        stop: &'a Stop,
    },
}

impl BlockContext<'_> {
    fn go_on(&self) -> Result<()> {
        match self {
            Self::Prepared { stop, .. } if stop.is_requested() => Err(Error::Stopped),
            Self::Prepared { .. } | Self::States(_) => Ok(()),
        }
    }
}

/// Keys and values of one cross-attention, `[batch, tokens, channels]` each.
#[derive(Debug, Clone)]
pub struct KeysValues {
    /// What queries are compared with.
    pub keys: Tensor,
    /// What is mixed.
    pub values: Tensor,
}

/// A text that stays the same over the calls of the UNet: what its cross-attentions make of it is
/// computed once ([`Unet::prepare`]). Good only as long as the adapters are the same.
#[derive(Debug)]
pub struct PreparedContext {
    keys_values: Vec<KeysValues>,
    stop: Stop,
}

impl PreparedContext {
    /// The same; calls of the UNet end between two blocks once a stop is requested.
    #[must_use]
    pub fn with_stop(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }
}

/// Where a level's weights are, and how many resnets it has.
struct Level<'a> {
    at: Cursor<'a>,
    layers: usize,
    last: bool,
}

impl Level<'_> {
    /// The resnets, and where `attention` says so a transformer behind each. `inputs` is the width
    /// that a resnet reads, from that of the one before it, at first `width`.
    fn layers(
        &self,
        time: usize,
        attention: bool,
        context: &mut usize,
        mut width: usize,
        mut inputs: impl FnMut(usize) -> usize,
    ) -> (Vec<Resnet>, Vec<Transformer>) {
        let (mut resnets, mut attentions) = (Vec::new(), Vec::new());
        for i in 0..self.layers {
            let at = self.at.at("resnets").at(i);
            let resnet = Resnet::load(&at, inputs(width), Some(time), EPS);
            width = resnet.outputs();
            resnets.push(resnet);
            if attention {
                let at = self.at.at("attentions").at(i);
                attentions.push(Transformer::load(&at, width, context));
            }
        }
        (resnets, attentions)
    }
}

impl Unet {
    pub(crate) fn load(device: &Device, at: &Cursor<'_>) -> Self {
        let channels = at.at("conv_in").outputs();
        let time_embedding = TimeEmbedding::load(device, &at.at("time_embedding"), channels);
        let time = time_embedding.width();
        // The width of every output on the way down, in order; the way up takes them from the end.
        let mut skips = vec![channels];
        let mut width = channels;
        let mut context = 0;
        let levels = at.at("down_blocks").count().max(1);
        let resnets = |i: usize| at.at("down_blocks").at(i).at("resnets").count();
        let layers = (0..levels).map(resnets).max().unwrap_or(0).max(1);
        let mut down_blocks = Vec::new();
        for i in 0..levels {
            let level = Level { at: at.at("down_blocks").at(i), layers, last: i + 1 == levels };
            // Only the smallest pictures have no attention.
            let attention = !level.last || level.at.at("attentions").exists();
            let down = DownBlock::load(&level, width, time, attention, &mut context, &mut skips);
            width = down.outputs();
            down_blocks.push(down);
        }
        let mid_block = MidBlock::load(&at.at("mid_block"), width, time, &mut context);
        let mut up_blocks = Vec::new();
        for i in 0..levels {
            // A level takes one output more than the resnets that its twin on the way down has.
            let layers = layers + 1;
            let level = Level { at: at.at("up_blocks").at(i), layers, last: i + 1 == levels };
            let attention = i > 0 || level.at.at("attentions").exists();
            let up = UpBlock::load(&level, width, time, attention, &mut context, &mut skips);
            width = up.outputs();
            up_blocks.push(up);
        }
        Self {
            time_embedding,
            conv_in: at.at("conv_in").conv3x3(4, channels),
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: at.at("conv_norm_out").group_norm(width),
            conv_out: at.at("conv_out").conv3x3(width, 4),
            context,
        }
    }

    /// Channels of the hidden states that it wants.
    #[must_use]
    pub const fn context_width(&self) -> usize {
        self.context
    }

    /// The prediction for latents x `[batch, h w, 4]` of the size `grid`, one timestep per
    /// sample (0 to 999, fractions allowed) and hidden states `[batch, tokens, context width]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward(
        &self,
        x: &Tensor,
        grid: Grid,
        timesteps: &[f32],
        context: &Tensor,
    ) -> Result<Tensor> {
        self.forward_odd(x, grid, timesteps, context, OddSizes::default())
    }

    /// [`Unet::forward`] with a choice for odd sizes.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward_odd(
        &self,
        x: &Tensor,
        grid: Grid,
        timesteps: &[f32],
        context: &Tensor,
        odd: OddSizes,
    ) -> Result<Tensor> {
        self.predict(x, grid, timesteps, BlockContext::States(context), odd)
    }

    /// What all cross-attentions make of hidden states `[batch, tokens, context width]`, for
    /// [`Unet::forward_prepared`].
    #[must_use]
    pub fn prepare(&self, states: &Tensor) -> PreparedContext {
        let down = self.down_blocks.iter().flat_map(|block| &block.attentions);
        let up = self.up_blocks.iter().flat_map(|block| &block.attentions);
        let transformers = down.chain([&self.mid_block.attention]).chain(up);
        let blocks = transformers.flat_map(|transformer| &transformer.transformer_blocks);
        let keys_values = blocks.map(|block| block.attn2.keys_values(states)).collect();
        PreparedContext { keys_values, stop: Stop::default() }
    }

    /// [`Unet::forward_odd`] with a text that was prepared; the same numbers.
    ///
    /// # Errors
    /// If the device fails; [`Error::Stopped`] where a stop was requested.
    pub fn forward_prepared(
        &self,
        x: &Tensor,
        grid: Grid,
        timesteps: &[f32],
        context: &PreparedContext,
        odd: OddSizes,
    ) -> Result<Tensor> {
        let (keys_values, stop) = (&context.keys_values, &context.stop);
        let context = BlockContext::Prepared { keys_values, next: &Cell::new(0), stop };
        self.predict(x, grid, timesteps, context, odd)
    }

    fn predict(
        &self,
        x: &Tensor,
        grid: Grid,
        timesteps: &[f32],
        context: BlockContext<'_>,
        odd: OddSizes,
    ) -> Result<Tensor> {
        assert_eq!(timesteps.len(), x.shape().batch, "one timestep per sample");
        let time = ops::silu(&self.time_embedding.forward(timesteps)?);
        let conditioning = BlockConditioning { odd, time: &time, context };
        let mut h = (ops::conv3x3(x, grid, Stride::One, &self.conv_in, None), grid);
        let mut skips = vec![h.clone()];
        for down in &self.down_blocks {
            context.go_on()?;
            h = down.forward(h, conditioning, &mut skips);
        }
        context.go_on()?;
        h = self.mid_block.forward(h, conditioning);
        for up in &self.up_blocks {
            context.go_on()?;
            h = up.forward(h, conditioning, &mut skips);
        }
        let (h, grid) = h;
        let h = ops::group_norm(&h, GROUPS, EPS, &self.conv_norm_out, true);
        Ok(ops::conv3x3(&h, grid, Stride::One, &self.conv_out, None))
    }
}

/// A resnet as a unit that recomputation may run twice.
fn resnet(resnet: &Resnet, x: &Tensor, grid: Grid, conditioning: BlockConditioning<'_>) -> Tensor {
    let resnet = resnet.clone();
    block(&[x, conditioning.time], move |v| resnet.forward(&v[0], grid, Some(&v[1])))
}

/// A transformer as a unit that recomputation may run twice.
fn transformer(
    transformer: &Transformer,
    x: &Tensor,
    conditioning: BlockConditioning<'_>,
) -> Tensor {
    match conditioning.context {
        BlockContext::States(context) => {
            let transformer = transformer.clone();
            block(&[x, context], move |v| transformer.forward(&v[0], &v[1]))
        }
        BlockContext::Prepared { keys_values, next, .. } => {
            let first = next.get();
            next.set(first + transformer.transformer_blocks.len());
            transformer.forward_prepared(x, &keys_values[first..next.get()])
        }
    }
}
