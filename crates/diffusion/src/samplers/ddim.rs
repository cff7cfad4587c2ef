//! DDIM (Song and others 2020) and its variant with CFG++ (Chung and others 2024).
use super::combine::zip;
use super::{Predictor, SampleError, Sampling};

/// A1111 divides the guidance scale by this for CFG++, so that usual scales can be kept.
const CFGPP_SCALE: f64 = 1.0 / 12.5;

/// The clean latent of `x` with noise `eps` where the cumulative product is `alpha`.
pub(super) fn clean(x: &[f32], eps: &[f32], alpha: f32) -> Vec<f32> {
    let (root, spread) = (alpha.sqrt(), (1.0 - alpha).sqrt());
    zip([x, eps], |[x, e]| (x - spread * e) / root)
}

/// All steps but the first training step, greatest first: one call less than `timesteps` are
/// given. With `cfgpp` noise comes back as the model without prompt saw it.
pub(super) fn ddim<P: Predictor>(
    model: &mut P,
    mut x: Vec<f32>,
    timesteps: &[usize],
    alphas: &[f32],
    cfgpp: bool,
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<P::Error>> {
    let eta = s.options.eta.unwrap_or(0.0);
    let scale = if cfgpp { CFGPP_SCALE } else { 1.0 };
    let steps = timesteps.len().saturating_sub(1);
    for (done, index) in (1..timesteps.len()).rev().enumerate() {
        let (alpha, before) = (alphas[timesteps[index]], alphas[timesteps[index - 1]]);
        let predicted = model.predict(&x, timesteps[index] as f32, scale)?;
        let (a, b) = (f64::from(alpha), f64::from(before));
        let sigma = (eta * ((1.0 - b) / (1.0 - a) * (1.0 - a / b)).sqrt()) as f32;
        let denoised = clean(&x, &predicted.guided, alpha);
        let back = if cfgpp { &predicted.uncond } else { &predicted.guided };
        let (root, turn) = (before.sqrt(), (1.0 - before - sigma * sigma).max(0.0).sqrt());
        let noise = s.noise.draw();
        x = zip([&denoised, back, &noise], |[d, e, n]| root * d + turn * e + sigma * n);
        s.done(done + 1, steps, &denoised)?;
    }
    Ok(x)
}
