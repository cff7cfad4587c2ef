//! The timestep as a vector: cosines and sines of t at falling frequencies, then two layers.
use crate::Result;
use crate::weights::Cursor;
use std::sync::Arc;
use wayword_tensor::{Constants, Device, Shape, Tensor, Weight, ops};

/// The time embedding; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct TimeEmbedding {
    pub linear_1: Weight,
    pub linear_2: Weight,
    device: Device,
    /// Sinusoids by the bits of their timesteps.
    sinusoids: Arc<Constants<Vec<u32>, Tensor>>,
}

impl TimeEmbedding {
    pub(crate) fn load(device: &Device, at: &Cursor<'_>, channels: usize) -> Self {
        let width = at.at("linear_1").outputs();
        Self {
            linear_1: at.at("linear_1").linear(channels, width),
            linear_2: at.at("linear_2").linear(width, width),
            device: device.clone(),
            sinusoids: Arc::default(),
        }
    }

    /// Values of the vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.linear_2.outputs()
    }

    /// One timestep per sample to `[batch, 1, width]`, not yet activated.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward(&self, timesteps: &[f32]) -> Result<Tensor> {
        let channels = self.linear_1.inputs();
        let key = timesteps.iter().map(|t| t.to_bits()).collect();
        let waves = self.sinusoids.get(key, |_| {
            let values: Vec<f32> = timesteps.iter().flat_map(|t| sinusoids(*t, channels)).collect();
            Tensor::from_host(&self.device, Shape::new(timesteps.len(), 1, channels), &values)
        })?;
        Ok(ops::linear(&ops::silu(&ops::linear(&waves, &self.linear_1)), &self.linear_2))
    }
}

/// cos(t f_j) for all frequencies f_j = 10000^(-j / half), then sin(t f_j).
///
/// Each operation rounds to f32, as the peers' do: at t = 999 one rounding more or less is seen.
#[must_use]
pub fn sinusoids(t: f32, channels: usize) -> Vec<f32> {
    let half = channels / 2;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let angle = |j: usize| t * (-(10000f32.ln()) * j as f32 / half as f32).exp();
    let angles = (0..half).map(angle);
    angles.clone().map(f32::cos).chain(angles.map(f32::sin)).collect()
}
