//! The noise level of every training step, in kohya's arithmetic, and noisy latents made with it.
use half::{bf16, f16};

/// Training steps of Stable Diffusion.
pub const STEPS: usize = 1000;

/// The type in which levels are rounded, as kohya does where latents are of half precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Not at all.
    #[default]
    F32,
    /// To IEEE half precision.
    F16,
    /// To bfloat16: steps 0 and 1 then have no noise.
    Bf16,
}

impl Rounding {
    /// The nearest number of the type.
    #[must_use]
    pub fn round(self, v: f32) -> f32 {
        match self {
            Self::F32 => v,
            Self::F16 => f16::from_f32(v).to_f32(),
            Self::Bf16 => bf16::from_f32(v).to_f32(),
        }
    }
}

/// Noise levels by step: `a` is the part of the picture's variance that is left.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// Variance added by each step.
    pub betas: Vec<f32>,
    /// `a`, the cumulative product of `1 - beta`; these make noisy latents.
    pub alphas: Vec<f32>,
    /// `a / (1 - a)` of the schedule before any rescaling; these weight losses.
    pub snr: Vec<f32>,
    rounding: Rounding,
}

impl Levels {
    /// The levels of Stable Diffusion 1.x: roots of betas evenly from sqrt(0.00085) to sqrt(0.012),
    /// in f32. `zero_terminal`: rescaled so that the last step is all noise (Lin et al. 2023).
    #[must_use]
    pub fn new(zero_terminal: bool, rounding: Rounding) -> Self {
        let (first, last) = (0.00085f64.sqrt() as f32, 0.012f64.sqrt() as f32);
        let step = (last - first) / (STEPS - 1) as f32;
        let root = |i: usize| {
            if i < STEPS / 2 {
                first + step * i as f32
            } else {
                last - step * (STEPS - 1 - i) as f32
            }
        };
        let betas: Vec<f32> = (0..STEPS).map(|i| root(i) * root(i)).collect();
        let alphas = products(&betas);
        let snr = alphas.iter().map(|a| (a.sqrt() / (1.0 - a).sqrt()).powi(2)).collect();
        let (betas, alphas) = if zero_terminal { rescaled(&alphas) } else { (betas, alphas) };
        Self { betas, alphas, snr, rounding }
    }

    /// The factors of the picture and of the noise at step `t`.
    ///
    /// # Panics
    /// If there is no such step.
    #[must_use]
    pub fn factors(&self, t: usize) -> (f32, f32) {
        let r = |v| self.rounding.round(v);
        let a = r(self.alphas[t]);
        (r(a.sqrt()), r(r(1.0 - a).sqrt()))
    }

    /// One sample's noisy latents, `sqrt(a) z + sqrt(1-a) eps`. `wide`: the noise is f32 even if the
    /// latents are not, as noise offsets make it.
    #[must_use]
    pub fn add_noise(&self, z: &[f32], noise: &[f32], t: usize, wide: bool) -> Vec<f32> {
        let (of_z, of_noise) = self.factors(t);
        self.mix(z, of_z, noise, of_noise, wide)
    }

    /// One sample's velocity, the target of v-prediction: `sqrt(a) eps - sqrt(1-a) z`.
    #[must_use]
    pub fn velocity(&self, z: &[f32], noise: &[f32], t: usize, wide: bool) -> Vec<f32> {
        let (of_noise, of_z) = self.factors(t);
        self.mix(z, -of_z, noise, of_noise, wide)
    }

    fn mix(&self, z: &[f32], of_z: f32, noise: &[f32], of_noise: f32, wide: bool) -> Vec<f32> {
        let narrow = |v| self.rounding.round(v);
        let end = |v| if wide { v } else { narrow(v) };
        let pairs = z.iter().zip(noise);
        pairs.map(|(z, n)| end(narrow(of_z * z) + end(of_noise * n))).collect()
    }
}

/// Cumulative products of `1 - beta`, summed up in f64 and rounded one by one, as PyTorch does.
fn products(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0f64;
    let next = |b: &f32| {
        product *= f64::from(1.0 - b);
        product as f32
    };
    betas.iter().map(next).collect()
}

/// Roots of `a` shifted so that the last is 0 and scaled so that the first stays.
fn rescaled(alphas: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let roots: Vec<f32> = alphas.iter().map(|a| a.sqrt()).collect();
    let (first, last) = (roots[0], roots[STEPS - 1]);
    let scale = first / (first - last);
    let bars: Vec<f32> = roots.iter().map(|r| ((r - last) * scale).powi(2)).collect();
    let ratio = |i: usize| if i == 0 { bars[0] } else { bars[i] / bars[i - 1] };
    let betas: Vec<f32> = (0..STEPS).map(|i| 1.0 - ratio(i)).collect();
    let alphas = products(&betas);
    (betas, alphas)
}
