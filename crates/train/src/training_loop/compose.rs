//! From latents, noise and timesteps to a batch: what the UNet sees, should predict, and how much
//! each place counts.
use super::micro_batch::MicroBatch;
use crate::loss::{LossOptions, LossTable};
use crate::noise_options::{RoundedSchedule, Rounding};
use wayword_tensor::Grid;

/// The parts of a batch of B samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts<'a> {
    /// Size of the latents, h x w.
    pub grid: Grid,
    /// Latents times 0.18215, `[B, 4, h, w]`.
    pub latents: Vec<f32>,
    /// The noise that is to be predicted, `[B, 4, h, w]`.
    pub noise: Vec<f32>,
    /// The noise that latents get, where it is another.
    pub perturbed: Option<Vec<f32>>,
    /// Timestep of each sample, 0 to 999.
    pub timesteps: Vec<usize>,
    /// Token ids, `[B, windows, 77]`.
    pub ids: Vec<u32>,
    /// Text windows of a sample.
    pub windows: usize,
    /// Weight of each sample: that of prior loss, or 1.
    pub sample_weights: Vec<f32>,
    /// Mask of each sample, `[h w]` from 0 to 1, where it has one.
    pub masks: Vec<Option<&'a [f32]>>,
}

/// What is the same for all batches of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Composer {
    schedule: RoundedSchedule,
    loss: LossTable,
    v_prediction: bool,
    /// Whether noise is f32 where latents are narrower.
    wide: bool,
    clip_skip: usize,
}

impl Composer {
    /// For a loss, timesteps with or without an end in pure noise, and a layer of the encoder.
    #[must_use]
    pub fn new(
        loss: &LossOptions,
        zero_terminal: bool,
        rounding: Rounding,
        wide: bool,
        clip_skip: usize,
    ) -> Self {
        let schedule = RoundedSchedule::new(zero_terminal, rounding);
        let table = LossTable::new(loss, &schedule);
        Self { schedule, loss: table, v_prediction: loss.v_prediction, wide, clip_skip }
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self, parts: Parts<'_>) -> MicroBatch {
        let given = parts.perturbed.as_ref().unwrap_or(&parts.noise);
        let noisy = each(&parts, given, |z, n, t| self.schedule.add_noise(z, n, t, self.wide));
        let target = if self.v_prediction {
            each(&parts, &parts.noise, |z, n, t| self.schedule.velocity(z, n, t, self.wide))
        } else {
            parts.noise.clone()
        };
        let places = parts.grid.tokens();
        MicroBatch {
            grid: parts.grid,
            noisy,
            target,
            weights: self.loss.weights(
                &parts.timesteps,
                &parts.sample_weights,
                &parts.masks,
                places,
            ),
            kind: self.loss.kind(&parts.timesteps),
            timesteps: parts.timesteps.iter().map(|t| *t as f32).collect(),
            ids: parts.ids,
            windows: parts.windows,
            clip_skip: self.clip_skip,
        }
    }
}

/// Joins what `per_sample` makes of each sample's latents, noise and level.
fn each(
    parts: &Parts<'_>,
    noise: &[f32],
    per_sample: impl Fn(&[f32], &[f32], usize) -> Vec<f32>,
) -> Vec<f32> {
    let size = parts.latents.len() / parts.timesteps.len();
    let samples = parts.latents.chunks_exact(size).zip(noise.chunks_exact(size));
    samples.zip(&parts.timesteps).flat_map(|((z, noise), t)| per_sample(z, noise, *t)).collect()
}
