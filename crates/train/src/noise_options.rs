//! The noise of a training step: offset, multi-resolution and input perturbation, in kohya's order of draws.
//!
//! Order: noise, offset strength, offset, multi-resolution maps, (the steps), perturbation strength,
//! perturbation. Latents and noise are `[batch, channels, height, width]`.
mod schedule;

pub use schedule::{RoundedSchedule, Rounding, STEPS};

use serde::{Deserialize, Serialize};

/// Options of the noise. The default is plain noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoiseOptions {
    /// Strength of noise that is the same at all places of a channel; 0 is off.
    pub offset: f64,
    /// Strength drawn evenly from 0 to `offset` for each batch.
    pub offset_random: bool,
    /// Added to the strength: this times the channel's absolute mean.
    pub offset_adaptive: Option<f64>,
    /// Coarser and coarser maps that are added, at most; 0 is off.
    pub multires_iterations: u32,
    /// Each map's strength over that of the map before.
    pub multires_discount: f64,
    /// Strength of noise that the target does not know; 0 is off.
    pub ip_gamma: f64,
    /// Strength drawn evenly from 0 to `ip_gamma` for each batch.
    pub ip_gamma_random: bool,
}

impl Default for NoiseOptions {
    fn default() -> Self {
        Self {
            offset: 0.0,
            offset_random: false,
            offset_adaptive: None,
            multires_iterations: 0,
            multires_discount: 0.3,
            ip_gamma: 0.0,
            ip_gamma_random: false,
        }
    }
}

impl NoiseOptions {
    /// Checks that the options fit together.
    ///
    /// # Errors
    /// If adaptive strength is set without an offset, or a number is out of range.
    pub fn check(&self) -> crate::Result<()> {
        use crate::Error;
        if self.offset_adaptive.is_some() && self.offset == 0.0 {
            return Err(Error::option(
                "train.adaptive_noise_scale",
                "{train.noise_offset} with it",
                "none",
            ));
        }
        for (option, value) in [
            ("{train.noise_offset}", self.offset),
            ("{train.multires_noise_discount}", self.multires_discount),
            ("{train.ip_noise_gamma}", self.ip_gamma),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::option(option, "a number from 0", value.to_string()));
            }
        }
        Ok(())
    }

    /// Whether the noise is f32 even where latents are of half precision: kohya's offsets are.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.offset != 0.0
    }
}

/// Where random numbers come from.
pub trait NoiseSource {
    /// `count` numbers of the standard normal distribution.
    fn normal(&mut self, count: usize) -> Vec<f32>;

    /// A number from 0 to below 1.
    fn next_f64(&mut self) -> f64;
}

/// Batch, channels, height, width.
pub type Shape4 = [usize; 4];

/// The noise of a batch, which is also the target of noise prediction.
pub fn noise(
    draws: &mut dyn NoiseSource,
    latents: &[f32],
    shape: Shape4,
    options: &NoiseOptions,
) -> Vec<f32> {
    let [batch, channels, height, width] = shape;
    let mut noise = draws.normal(batch * channels * height * width);
    if options.offset != 0.0 {
        add_offset(draws, &mut noise, latents, shape, options);
    }
    if options.multires_iterations > 0 {
        add_coarse_maps(draws, &mut noise, shape, options);
    }
    noise
}

/// The noise that latents get: `noise` with the perturbation that the target does not know.
pub fn perturbed(draws: &mut dyn NoiseSource, noise: &[f32], options: &NoiseOptions) -> Vec<f32> {
    if options.ip_gamma == 0.0 {
        return noise.to_vec();
    }
    let chance = if options.ip_gamma_random { draws.next_f64() } else { 1.0 };
    let strength = (chance * options.ip_gamma) as f32;
    let extra = draws.normal(noise.len());
    noise.iter().zip(extra).map(|(n, e)| n + strength * e).collect()
}

fn add_offset(
    draws: &mut dyn NoiseSource,
    noise: &mut [f32],
    latents: &[f32],
    [batch, channels, height, width]: Shape4,
    options: &NoiseOptions,
) {
    let chance = if options.offset_random { draws.next_f64() } else { 1.0 };
    let strength = (chance * options.offset) as f32;
    let offsets = draws.normal(batch * channels);
    let plane = height * width;
    for (i, (noise, offset)) in noise.chunks_exact_mut(plane).zip(offsets).enumerate() {
        let mut strength = strength;
        if let Some(adaptive) = options.offset_adaptive {
            let places = &latents[i * plane..(i + 1) * plane];
            let mean = places.iter().map(|z| f64::from(*z)).sum::<f64>() / plane as f64;
            strength = (strength + adaptive as f32 * mean.abs() as f32).max(0.0);
        }
        noise.iter_mut().for_each(|n| *n += strength * offset);
    }
}

fn add_coarse_maps(
    draws: &mut dyn NoiseSource,
    noise: &mut [f32],
    [batch, channels, height, width]: Shape4,
    options: &NoiseOptions,
) {
    for i in 0..options.multires_iterations {
        let r = (draws.next_f64() * 2.0 + 2.0).powi(i as i32);
        let side = |full: usize| ((full as f64 / r) as usize).max(1);
        let (h, w) = (side(height), side(width));
        let map = draws.normal(batch * channels * h * w);
        let strength = options.multires_discount.powi(i as i32) as f32;
        let planes = noise.chunks_exact_mut(height * width).zip(map.chunks_exact(h * w));
        for (noise, map) in planes {
            let large = enlarge(map, (h, w), (height, width));
            noise.iter_mut().zip(large).for_each(|(n, v)| *n += v * strength);
        }
        if h == 1 || w == 1 {
            break;
        }
    }
    let n = noise.len() as f64;
    let mean = noise.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let squares = noise.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
    let spread = (squares / (n - 1.0)).sqrt() as f32;
    noise.iter_mut().for_each(|v| *v /= spread);
}

/// Linear in both directions between the centers of places, as PyTorch without aligned corners.
fn enlarge(map: &[f32], (h, w): (usize, usize), (height, width): (usize, usize)) -> Vec<f32> {
    let place = |i: usize, from: usize, to: usize| {
        let at = ((i as f32 + 0.5) * (from as f32 / to as f32) - 0.5).max(0.0);
        let low = (at as usize).min(from - 1);
        (low, (low + 1).min(from - 1), at - low as f32)
    };
    let columns: Vec<_> = (0..width).map(|x| place(x, w, width)).collect();
    let row = |y: usize| {
        let (top, bottom, down) = place(y, h, height);
        let columns = columns.clone();
        columns.into_iter().map(move |(left, right, along)| {
            let row_value =
                |y: usize| map[y * w + left] * (1.0 - along) + map[y * w + right] * along;
            row_value(top) * (1.0 - down) + row_value(bottom) * down
        })
    };
    (0..height).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Steps(u32);

    impl NoiseSource for Steps {
        fn normal(&mut self, count: usize) -> Vec<f32> {
            (0..count).map(|_| self.next_f64() as f32 * 3.0 - 1.5).collect()
        }

        fn next_f64(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(self.0) / 4_294_967_296.0
        }
    }

    #[test]
    fn coarse_maps_keep_the_spread() {
        let options = NoiseOptions { multires_iterations: 6, ..NoiseOptions::default() };
        let noise = noise(&mut Steps(1), &[], [1, 4, 8, 8], &options);
        let mean = noise.iter().sum::<f32>() / 256.0;
        let spread = (noise.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 255.0).sqrt();
        assert!((spread - 1.0).abs() < 1e-5);
        assert_eq!(enlarge(&[1.0, 3.0], (1, 2), (1, 4)), [1.0, 1.5, 2.5, 3.0]);
    }

    #[test]
    fn adaptive_strength_needs_an_offset() {
        let options = NoiseOptions { offset_adaptive: Some(0.1), ..NoiseOptions::default() };
        assert!(options.check().is_err());
        assert!(NoiseOptions::default().check().is_ok());
    }
}
