//! The noise of training: betas, levels, noisy latents and velocities (Ho and others 2020), with
//! the roundings that half precision brings to kohya's numbers.

/// Steps of the schedule.
pub const STEPS: usize = 1000;

/// The number format in which a trainer keeps latents and takes roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// No rounding beyond f32.
    #[default]
    F32,
    /// As kohya with `mixed_precision fp16`: the first levels are off by up to 0.003.
    F16,
    /// As kohya with `mixed_precision bf16`: the first two steps have no noise at all.
    Bf16,
}

impl Rounding {
    /// The nearest value of the format.
    #[must_use]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => half::f16::from_f32(value).to_f32(),
            Self::Bf16 => half::bf16::from_f32(value).to_f32(),
        }
    }

    /// None where values are `wide`.
    const fn unless(self, wide: bool) -> Self {
        if wide { Self::F32 } else { self }
    }
}

/// The levels of every training step.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    /// Variance added in each step.
    pub betas: Vec<f32>,
    /// Share of the picture's variance that is left after each step: products of `1 - beta`.
    pub alphas: Vec<f32>,
}

impl NoiseSchedule {
    /// SD 1.x: betas are squares of evenly spaced roots from 0.00085 to 0.012, in f32 as diffusers
    /// has them.
    #[must_use]
    pub fn sd() -> Self {
        let (first, last) = (0.00085f64.sqrt() as f32, 0.012f64.sqrt() as f32);
        let roots = crate::sigmas::linspace(first, last, STEPS);
        Self::new(roots.into_iter().map(|r| r * r).collect())
    }

    fn new(betas: Vec<f32>) -> Self {
        let mut product = 1.0f64;
        let alphas = betas.iter().map(|b| {
            product *= f64::from(1.0 - b);
            product as f32
        });
        Self { alphas: alphas.collect(), betas }
    }

    /// The schedule whose last step is noise alone (Lin and others 2023), for models that predict
    /// velocity. The signal-to-noise table for loss weights stays that of the plain schedule.
    #[must_use]
    pub fn zero_terminal(&self) -> Self {
        let roots: Vec<f32> = self.alphas.iter().map(|a| a.sqrt()).collect();
        let (Some(first), Some(last)) = (roots.first(), roots.last()) else { return self.clone() };
        let scale = first / (first - last);
        let bars: Vec<f32> = roots.iter().map(|r| ((r - last) * scale).powi(2)).collect();
        let step = |i: usize| if i == 0 { bars[0] } else { bars[i] / bars[i - 1] };
        Self::new((0..bars.len()).map(|i| 1.0 - step(i)).collect())
    }

    /// The ratio of signal to noise at each step: `a / (1 - a)`.
    #[must_use]
    pub fn snr(&self) -> Vec<f32> {
        self.alphas.iter().map(|a| (a.sqrt() / (1.0 - a).sqrt()).powi(2)).collect()
    }

    /// The factors of picture and noise at a step: `sqrt(a)` and `sqrt(1 - a)`, taken in the
    /// format. Steps beyond the last count as the last.
    #[must_use]
    pub fn factors(&self, step: usize, rounding: Rounding) -> (f32, f32) {
        let last = self.alphas.len().saturating_sub(1);
        let alpha = rounding.round(self.alphas.get(step.min(last)).copied().unwrap_or(1.0));
        let rest = rounding.round(1.0 - alpha);
        (rounding.round(alpha.sqrt()), rounding.round(rest.sqrt()))
    }

    /// A latent with noise: `sqrt(a) latent + sqrt(1 - a) noise`. The latents are expected in the
    /// format already. `wide`: the noise is f32 even where latents are not, as noise offsets make it.
    #[must_use]
    pub fn add_noise(
        &self,
        latent: &[f32],
        noise: &[f32],
        step: usize,
        rounding: Rounding,
        wide: bool,
    ) -> Vec<f32> {
        let (keep, add) = self.factors(step, rounding);
        mix((latent, keep, rounding), (noise, add, rounding.unless(wide)))
    }

    /// What a model that predicts velocity is trained on: `sqrt(a) noise - sqrt(1 - a) latent`.
    #[must_use]
    pub fn velocity(
        &self,
        latent: &[f32],
        noise: &[f32],
        step: usize,
        rounding: Rounding,
        wide: bool,
    ) -> Vec<f32> {
        let (keep, add) = self.factors(step, rounding);
        mix((latent, -add, rounding), (noise, keep, rounding.unless(wide)))
    }
}

/// Values, their factor, and the format of the product.
type Term<'a> = (&'a [f32], f32, Rounding);

/// The sum of two terms, in the format of the second.
fn mix((a, x, narrow): Term<'_>, (b, y, end): Term<'_>) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| end.round(narrow.round(x * a) + end.round(y * b))).collect()
}

/// The noise that a velocity means, where `alpha` of the variance is left:
/// `sqrt(a) v + sqrt(1 - a) x`.
#[must_use]
pub fn epsilon_of_velocity(x: &[f32], velocity: &[f32], alpha: f32) -> Vec<f32> {
    let plain = Rounding::F32;
    mix((velocity, alpha.sqrt(), plain), (x, (1.0 - alpha).sqrt(), plain))
}

/// The clean latent that a velocity means for `x` at noise level `sigma` of k-diffusion (`x` is
/// not scaled there): `x / (sigma^2 + 1) - sigma v / sqrt(sigma^2 + 1)`.
#[must_use]
pub fn denoised_of_velocity(x: &[f32], velocity: &[f32], sigma: f32) -> Vec<f32> {
    let square = sigma * sigma + 1.0;
    let plain = Rounding::F32;
    mix((x, 1.0 / square, plain), (velocity, -sigma / square.sqrt(), plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocity_and_noise_mean_the_same() {
        let schedule = NoiseSchedule::sd();
        let (latent, noise) = ([0.3, -1.2, 2.0], [1.0, 0.5, -0.7]);
        let x = schedule.add_noise(&latent, &noise, 400, Rounding::F32, false);
        let v = schedule.velocity(&latent, &noise, 400, Rounding::F32, false);
        let alpha = schedule.alphas[400];
        for (a, b) in epsilon_of_velocity(&x, &v, alpha).iter().zip(&noise) {
            assert!((a - b).abs() < 1e-6);
        }
        // k-diffusion's x is the same divided by the root of alpha.
        let sigma = ((1.0 - alpha) / alpha).sqrt();
        let unscaled: Vec<f32> = x.iter().map(|x| x / alpha.sqrt()).collect();
        for (a, b) in denoised_of_velocity(&unscaled, &v, sigma).iter().zip(&latent) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
