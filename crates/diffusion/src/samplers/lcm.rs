//! Latent consistency models (Luo and others 2023): jump to the clean latent, add noise again.
use super::combine::zip;
use super::{Denoiser, SampleError, Sampling};

/// `x` becomes the clean latent, with noise of the next level.
pub(super) fn lcm<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        x = if sigmas[i + 1] > 0.0 {
            zip([&denoised, &s.noise.draw()], |[d, n]| d + sigmas[i + 1] * n)
        } else {
            denoised.clone()
        };
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// The clean latent of a consistency model from the noise `eps` that it predicts in `x` (at level
/// `sigma`, training step `t`): a mixture with `x` itself that is exact at step 0.
#[must_use]
pub fn lcm_denoised(x: &[f32], eps: &[f32], sigma: f32, t: f32) -> Vec<f32> {
    let scaled = t * 10.0;
    let square = scaled * scaled + 0.25;
    let (skip, out) = (0.25 / square, scaled / square.sqrt());
    zip([x, eps], |[x, e]| out * (x - sigma * e) + skip * x)
}
