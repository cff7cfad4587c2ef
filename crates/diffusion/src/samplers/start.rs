//! The latents that a run begins with.
use super::combine::zip;

/// Noise at the first level of a schedule. `sgm` gives it the variance that the model saw in
/// training (A1111's `sgm_noise_multiplier`).
#[must_use]
pub fn text_start(noise: &[f32], first: f32, sgm: bool) -> Vec<f32> {
    let scale = if sgm { (1.0 + first * first).sqrt() } else { first };
    zip([noise], |[n]| n * scale)
}

/// A picture's latent with noise of the first level; `extra` more noise on top.
#[must_use]
pub fn image_start(latent: &[f32], noise: &[f32], first: f32, extra: f32) -> Vec<f32> {
    zip([latent, noise], |[z, n]| {
        let start = z + n * first;
        if extra == 0.0 { start } else { start + n * extra }
    })
}

/// The same for samplers on timesteps: `alpha` is the cumulative product at the first step.
#[must_use]
pub fn image_start_timesteps(latent: &[f32], noise: &[f32], alpha: f32, extra: f32) -> Vec<f32> {
    let (keep, add) = (alpha.sqrt(), (1.0 - alpha).sqrt());
    zip([latent, noise], |[z, n]| {
        let start = z * keep + n * add;
        if extra == 0.0 { start } else { start + n * extra * keep }
    })
}
