//! One micro-batch: a batch to its loss and to the gradient of every token position.
//!
//! Nothing here is random and nothing is remembered: the loop and the tests give the same kind of
//! batch. B samples, c text windows each, latents of h x w with 4 channels, text width d.
use crate::{Error, Result};
use wayword_diffusion::tokenizer::POSITIONS;
use wayword_diffusion::{AdapterGuard, pixels};
use wayword_tensor::{Grid, LossKind, Memory, Shape, Tape, Tensor, ops};

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
/// update: one over the number of micro-batches.
///
/// # Errors
/// If the device fails.
pub fn micro_step(
    model: &AdapterGuard<'_>,
    vectors: &[f32],
    batch: &MicroBatch,
    share: f32,
    memory: Memory,
) -> Result<MicroResult> {
    let device = model.base().device();
    let tape = Tape::new(memory);
    let embedded = tape.watch(&embed(model, vectors, batch)?);
    let loss = loss(model, &embedded, batch)?;
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
pub fn evaluate(model: &AdapterGuard<'_>, vectors: &[f32], batch: &MicroBatch) -> Result<f32> {
    Ok(loss(model, &embed(model, vectors, batch)?, batch)?.to_host()?[0])
}

/// Forward only: the model's output for every sample, one after the other.
///
/// # Errors
/// If the device fails.
pub fn predict(model: &AdapterGuard<'_>, vectors: &[f32], batch: &MicroBatch) -> Result<Vec<f32>> {
    Ok(predicted(model, &embed(model, vectors, batch)?, batch)?.to_host()?)
}

/// The token vectors of all positions: the leaf that is watched.
fn embed(model: &AdapterGuard<'_>, vectors: &[f32], batch: &MicroBatch) -> Result<Tensor> {
    let base = model.base();
    let width = base.info.token_width;
    let extra = Shape::new(1, vectors.len() / width, width);
    let extra = Tensor::from_host(base.device(), extra, vectors)?;
    Ok(model.text().embed(&batch.ids, batch.ids.len() / POSITIONS, Some(&extra))?)
}

fn loss(model: &AdapterGuard<'_>, embedded: &Tensor, batch: &MicroBatch) -> Result<Tensor> {
    let device = model.base().device();
    let samples = batch.timesteps.len();
    let target = pixels::to_device(device, &batch.target, samples, 4, batch.grid)?;
    let weights = Shape::new(samples, batch.grid.tokens(), 1);
    let weights = Tensor::from_host(device, weights, &batch.weights)?;
    let predicted = predicted(model, embedded, batch)?;
    Ok(ops::loss(&predicted, &target, &weights, &batch.kind))
}

/// The model's output, `[B, h w, 4]`.
fn predicted(model: &AdapterGuard<'_>, embedded: &Tensor, batch: &MicroBatch) -> Result<Tensor> {
    let (device, samples) = (model.base().device(), batch.timesteps.len());
    let states = model.text().encode(embedded, batch.clip_skip)?;
    let context = model.text().join_windows(&states, samples, batch.windows)?;
    let noisy = pixels::to_device(device, &batch.noisy, samples, 4, batch.grid)?;
    Ok(model.unet().forward(&noisy, batch.grid, &batch.timesteps, &context)?)
}
