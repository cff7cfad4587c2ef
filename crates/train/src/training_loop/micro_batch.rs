//! One micro-batch: a batch to its loss and to the gradient of every token position.
//!
//! Nothing here is random and nothing is remembered: the loop and the tests give the same kind of
//! batch. B samples, c text windows each, latents of h x w with 4 channels, text width d.
use crate::{Error, Result};
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::POSITIONS;
use wayword_tensor::{Device, Grid, LossKind, Memory, Shape, Tape, Tensor, ops};

/// Everything that a micro-batch depends on, but for the embedding's vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct MicroBatch {
    /// Size of the latents.
    pub grid: Grid,
    /// What the UNet sees, `[B, 4, h, w]`.
    pub noisy: Vec<f32>,
    /// What it should predict, `[B, 4, h, w]`.
    pub target: Vec<f32>,
    /// Timesteps, one per sample.
    pub timesteps: Vec<f32>,
    /// Token ids, `[B, c, 77]`; from the vocabulary's end on they are the embedding's vectors.
    pub ids: Vec<u32>,
    /// Text windows of a sample: c.
    pub windows: usize,
    /// Weight of each latent pixel's loss, `[B, h, w]`.
    pub weights: Vec<f32>,
    /// The loss of one value.
    pub kind: LossKind,
    /// Which layer of the text encoder is used, counted from the last; 1 is the last.
    pub clip_skip: usize,
}

/// What a micro-batch gives.
#[derive(Debug, Clone, PartialEq)]
pub struct MicroResult {
    /// The mean loss of the batch.
    pub loss: f32,
    /// Gradient of `share` times the loss for each token position, `[B c 77, d]`.
    pub gradient: Vec<f32>,
}

/// Forward and backward. `vectors` is `[n, d]`; `share` is what this batch's loss counts in its
/// update: one over the number of micro-batchs.
///
/// # Errors
/// If the device fails.
pub fn micro_step(
    base: &Base,
    vectors: &[f32],
    batch: &MicroBatch,
    share: f32,
    memory: Memory,
) -> Result<MicroResult> {
    let device = base.device();
    let tape = Tape::new(memory);
    let embedded = tape.watch(&embed(base, vectors, batch)?);
    let loss = loss(base, &embedded, batch)?;
    let seed = Tensor::from_host(device, Shape::SCALAR, &[share])?;
    let gradients = tape.backward(&loss, &seed);
    let gradient = gradients.of(&embedded).ok_or_else(|| {
        Error::data("the loss does not depend on the text")
            .with_hint("the text encoder's states do not reach the UNet: the base is damaged")
    })?;
    // One wait for both.
    let mut values = Tensor::to_host_many(&[&loss, gradient])?;
    let gradient = values.pop().unwrap_or_default();
    Ok(MicroResult { loss: values.pop().map_or(f32::NAN, |loss| loss[0]), gradient })
}

/// Forward only: the mean loss of the batch.
///
/// # Errors
/// If the device fails.
pub fn evaluate(base: &Base, vectors: &[f32], batch: &MicroBatch) -> Result<f32> {
    Ok(loss(base, &embed(base, vectors, batch)?, batch)?.to_host()?[0])
}

/// The token vectors of all positions: the leaf that is watched.
fn embed(base: &Base, vectors: &[f32], batch: &MicroBatch) -> Result<Tensor> {
    let width = base.info.token_width;
    let extra = Shape::new(1, vectors.len() / width, width);
    let extra = Tensor::from_host(base.device(), extra, vectors)?;
    Ok(base.text.embed(&batch.ids, batch.ids.len() / POSITIONS, Some(&extra))?)
}

fn loss(base: &Base, embedded: &Tensor, batch: &MicroBatch) -> Result<Tensor> {
    let device = base.device();
    let samples = batch.timesteps.len();
    let states = base.text.encode(embedded, batch.clip_skip)?;
    let context = base.text.join_windows(&states, samples, batch.windows)?;
    let noisy = pixels(device, &batch.noisy, samples, batch.grid)?;
    let target = pixels(device, &batch.target, samples, batch.grid)?;
    let weights = Shape::new(samples, batch.grid.tokens(), 1);
    let weights = Tensor::from_host(device, weights, &batch.weights)?;
    let predicted = base.unet.forward(&noisy, batch.grid, &batch.timesteps, &context)?;
    Ok(ops::loss(&predicted, &target, &weights, &batch.kind))
}

/// `[B, channels, h, w]` of the host to `[B, h w, channels]` of the device.
pub(crate) fn pixels(
    device: &Device,
    values: &[f32],
    samples: usize,
    grid: Grid,
) -> Result<Tensor> {
    let tokens = grid.tokens();
    let channels = values.len() / (samples * tokens);
    let mut turned = Vec::with_capacity(values.len());
    for sample in values.chunks_exact(channels * tokens) {
        turned.extend((0..tokens * channels).map(|i| sample[i % channels * tokens + i / channels]));
    }
    Ok(Tensor::from_host(device, Shape::new(samples, tokens, channels), &turned)?)
}
