//! Noise levels for drawing: the model's table, its 1000 steps, and where schedules cut it.
mod beta;
mod foreign;
mod names;
mod schedule;
mod steps;

pub use names::{SAMPLERS, SamplerInfo, SamplerKind, UnknownName, default_sampler, resolve};
pub use schedule::{SCHEDULES, Schedule, ScheduleOptions};
pub use steps::{Img2imgSteps, ddim_timesteps, img2img_steps};

/// Steps of the training schedule.
pub const TRAIN_STEPS: usize = 1000;

/// The noise level (sigma) of every training step, as k-diffusion's discrete schedules have it.
#[derive(Debug, Clone, PartialEq)]
pub struct SigmaTable {
    alphas: Vec<f32>,
    sigmas: Vec<f32>,
    logs: Vec<f32>,
    /// Training steps per entry: 1, or 20 for the table of LCM.
    stride: usize,
}

/// Cumulative products of `1 - beta` for SD 1.x: betas are squares of evenly spaced roots from
/// 0.00085 to 0.012; computed in f64, rounded once.
#[must_use]
pub fn alphas_cumprod() -> Vec<f32> {
    let (first, last) = (0.00085f64.sqrt(), 0.012f64.sqrt());
    let step = (last - first) / (TRAIN_STEPS - 1) as f64;
    let mut product = 1.0;
    (0..TRAIN_STEPS)
        .map(|i| {
            // torch's linspace counts the second half back from the end.
            let from_start = i < TRAIN_STEPS / 2;
            let back = (TRAIN_STEPS - 1 - i) as f64;
            let root = if from_start { first + step * i as f64 } else { last - step * back };
            product *= 1.0 - root * root;
            product as f32
        })
        .collect()
}

/// The cumulative products shifted and scaled so that the last is practically zero (Lin and
/// others 2023), with A1111's last value.
#[must_use]
pub fn zero_terminal_snr(alphas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = alphas.iter().map(|a| a.sqrt()).collect();
    let (Some(first), Some(last)) = (roots.first(), roots.last()) else { return Vec::new() };
    let scale = first / (first - last);
    let mut out: Vec<f32> = roots.iter().map(|r| ((r - last) * scale).powi(2)).collect();
    if let Some(end) = out.last_mut() {
        *end = 4.897_345e-8;
    }
    out
}

impl SigmaTable {
    /// The table of cumulative products, first step first.
    ///
    /// # Panics
    /// If `alphas` has fewer than two entries.
    #[must_use]
    pub fn new(alphas: Vec<f32>) -> Self {
        assert!(alphas.len() >= 2, "a noise schedule has at least two steps");
        let sigmas: Vec<f32> = alphas.iter().map(|a| ((1.0 - a) / a).sqrt()).collect();
        let logs = sigmas.iter().map(|s| ln(*s)).collect();
        Self { alphas, sigmas, logs, stride: 1 }
    }

    /// The table of SD 1.x.
    #[must_use]
    pub fn sd() -> Self {
        Self::new(alphas_cumprod())
    }

    /// The table as half-precision versions of A1111 had it (`use_downcasted_alpha_bar`).
    #[must_use]
    pub fn downcast(&self) -> Self {
        let round = |a: &f32| half::f16::from_f32(*a).to_f32();
        Self::new(self.alphas.iter().map(round).collect())
    }

    /// The 50 entries that LCM was distilled on: every 20th step, the last one included.
    #[must_use]
    pub fn lcm(&self) -> Self {
        let stride = (self.alphas.len() / 50).max(1);
        let alphas = self.alphas.iter().skip(stride - 1).step_by(stride).copied().collect();
        Self { stride, ..Self::new(alphas) }
    }

    /// The cumulative products.
    #[must_use]
    pub fn alphas(&self) -> &[f32] {
        &self.alphas
    }

    /// The noise levels, least first.
    #[must_use]
    pub fn sigmas(&self) -> &[f32] {
        &self.sigmas
    }

    /// Their logarithms.
    #[must_use]
    pub fn log_sigmas(&self) -> &[f32] {
        &self.logs
    }

    /// The least noise level.
    #[must_use]
    pub fn sigma_min(&self) -> f32 {
        self.sigmas[0]
    }

    /// The greatest noise level.
    #[must_use]
    pub fn sigma_max(&self) -> f32 {
        self.sigmas[self.sigmas.len() - 1]
    }

    /// The noise level at a fractional training step, straight between neighbors in logarithm.
    #[must_use]
    pub fn t_to_sigma(&self, t: f32) -> f32 {
        let last = self.logs.len() - 1;
        let stride = self.stride as f32;
        let place = if self.stride == 1 { t } else { (t - (stride - 1.0)) / stride };
        let place = place.clamp(0.0, last as f32);
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        let w = place - place.floor();
        exp((1.0 - w) * self.logs[low] + w * self.logs[high])
    }

    /// The training step that the model is told for a noise level. Fractional; LCM's table knows
    /// only its own steps.
    #[must_use]
    pub fn sigma_to_t(&self, sigma: f32) -> f32 {
        let log = ln(sigma);
        if self.stride > 1 {
            let distance = |i: usize| (log - self.logs[i]).abs();
            let least = (0..self.logs.len()).map(distance).fold(f32::MAX, f32::min);
            // Half way between two entries, where rounding would decide, the lower one is taken.
            let nearest = (0..self.logs.len()).find(|i| distance(*i) <= least + 1e-6);
            return (nearest.unwrap_or(0) * self.stride + self.stride - 1) as f32;
        }
        let at_most = self.logs.iter().rposition(|l| log - l >= 0.0).unwrap_or(0);
        let low = at_most.min(self.logs.len() - 2);
        let (a, b) = (self.logs[low], self.logs[low + 1]);
        let w = ((a - log) / (a - b)).clamp(0.0, 1.0);
        (1.0 - w) * low as f32 + w * (low + 1) as f32
    }
}

/// The f32 nearest to `e^x`, whatever the platform's f32 library does.
pub(crate) fn exp(x: f32) -> f32 {
    f64::from(x).exp() as f32
}

/// The f32 nearest to the natural logarithm.
pub(crate) fn ln(x: f32) -> f32 {
    f64::from(x).ln() as f32
}

/// torch's `linspace` in f32: the second half counts back from the end.
pub(crate) fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    if count == 1 {
        return vec![start];
    }
    let step = (end - start) / (count as f32 - 1.0);
    let value = |i: usize| {
        if i < count / 2 { start + step * i as f32 } else { end - step * (count - i - 1) as f32 }
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests;
