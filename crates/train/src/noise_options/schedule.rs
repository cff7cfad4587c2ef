//! The timestep of every training step, in kohya's arithmetic, and what weights losses by it.
pub use wayword_diffusion::noise::{Rounding, STEPS};

use wayword_diffusion::noise::NoiseSchedule;

/// Timesteps by step, and the type in which they are rounded.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedSchedule {
    /// What makes noisy latents.
    pub schedule: NoiseSchedule,
    /// `a / (1 - a)` of the schedule before any rescaling; these weight losses.
    pub snr: Vec<f32>,
    rounding: Rounding,
}

impl RoundedSchedule {
    /// The levels of Stable Diffusion 1.x. `zero_terminal`: rescaled so that the last step is all
    /// noise.
    #[must_use]
    pub fn new(zero_terminal: bool, rounding: Rounding) -> Self {
        let plain = NoiseSchedule::sd();
        let snr = plain.snr();
        let schedule = if zero_terminal { plain.zero_terminal() } else { plain };
        Self { schedule, snr, rounding }
    }

    /// One sample's noisy latents. `wide`: the noise is f32 even if the latents are not.
    #[must_use]
    pub fn add_noise(&self, z: &[f32], noise: &[f32], t: usize, wide: bool) -> Vec<f32> {
        self.schedule.add_noise(z, noise, t, self.rounding, wide)
    }

    /// One sample's velocity, the target of v-prediction.
    #[must_use]
    pub fn velocity(&self, z: &[f32], noise: &[f32], t: usize, wide: bool) -> Vec<f32> {
        self.schedule.velocity(z, noise, t, self.rounding, wide)
    }
}
