//! The VAE: pixels to latents of an eighth of the size and back (Kingma and Welling 2013; Esser et
//! al. 2021 for the architecture).
//!
//! Latents here are the coder's own; the factor 0.18215 that the UNet wants is applied outside.
mod attention;
mod decoder;
mod encoder;

pub use attention::VaeAttention;
pub use decoder::{Decoder, DecoderLevel};
pub use encoder::{Encoder, EncoderLevel};

use crate::Result;
use crate::resnet::Resnet;
use crate::weights::Cursor;
use wayword_interface::Stop;
use wayword_tensor::{Grid, Tensor, Weight, ops};

/// Latents times this is what the UNet sees.
pub const LATENT_SCALE: f32 = 0.18215;

/// Pixels per latent along each side.
pub const LATENT_SIZE: usize = 8;

/// Added to the variance of all norms.
const EPS: f32 = 1e-6;

/// The VAE; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct Vae {
    pub encoder: Encoder,
    pub decoder: Decoder,
    pub quant_conv: Weight,
    pub post_quant_conv: Weight,
}

/// The levels of either coder: resnets, and the convolution of `resamplers`
/// that goes with a change of the size, which the last level has not. `width` goes along.
fn levels(
    blocks: &Cursor<'_>,
    resamplers: &str,
    width: &mut usize,
) -> impl Iterator<Item = (Vec<Resnet>, Option<Weight>)> {
    // An eighth of the size takes four levels.
    let count = blocks.count().max(4);
    let layers = (0..count).map(|i| blocks.at(i).at("resnets").count()).max().unwrap_or(0);
    (0..count).map(move |i| {
        let resnet = |layer: usize| {
            let resnet = Resnet::load(&blocks.at(i).at("resnets").at(layer), *width, None, EPS);
            *width = resnet.outputs();
            resnet
        };
        let resnets = (0..layers.max(1)).map(resnet).collect();
        let conv = blocks.at(i).at(resamplers).at(0).at("conv");
        (resnets, (i + 1 < count).then(|| conv.conv3x3(*width, *width)))
    })
}

/// Middle of both coders: resnet, attention, resnet.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct VaeMid {
    pub resnets: [Resnet; 2],
    pub attention: VaeAttention,
}

impl VaeMid {
    fn load(at: &Cursor<'_>, width: usize) -> Self {
        let resnet = |i: usize| Resnet::load(&at.at("resnets").at(i), width, None, EPS);
        Self {
            resnets: [resnet(0), resnet(1)],
            attention: VaeAttention::load(&at.at("attentions").at(0), width),
        }
    }

    /// `[batch, h w, channels]` to the same shape.
    #[must_use]
    pub fn forward(&self, x: &Tensor, grid: Grid) -> Tensor {
        let h = self.resnets[0].forward(x, grid, None);
        let h = self.attention.forward(&h);
        self.resnets[1].forward(&h, grid, None)
    }
}

impl Vae {
    pub(crate) fn load(at: &Cursor<'_>) -> Self {
        let latents = at.at("post_quant_conv").outputs();
        Self {
            encoder: Encoder::load(&at.at("encoder"), latents),
            decoder: Decoder::load(&at.at("decoder"), latents),
            quant_conv: at.at("quant_conv").linear(2 * latents, 2 * latents),
            post_quant_conv: at.at("post_quant_conv").linear(4, latents),
        }
    }

    /// Pixels `[batch, h w, 3]` in -1..1, `grid` divisible by 8, to mean and logarithm of the
    /// variance of the latents, `[batch, h w / 64, 4]` each. No gradient passes.
    #[must_use]
    pub fn encode(&self, pixels: &Tensor, grid: Grid) -> (Tensor, Tensor) {
        let (h, _) = self.encoder.forward(&pixels.detach(), grid);
        let both = ops::linear(&h, &self.quant_conv);
        let half = both.shape().channels / 2;
        ops::split(&both, [half; 2])
    }

    /// Latents `[batch, h w, 4]` to pixels `[batch, 64 h w, 3]`, about -1..1.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] where a stop was requested before the last level.
    pub fn decode(&self, latents: &Tensor, grid: Grid, stop: &Stop) -> Result<Tensor> {
        let h = ops::linear(latents, &self.post_quant_conv);
        Ok(self.decoder.forward(&h, grid, stop)?.0)
    }
}
