//! Euler, Heun and DPM2 with churn (Karras and others 2022, algorithm 2).
use super::combine::{direction, zip};
use super::{Denoiser, SampleError, Sampling};
use crate::sigmas::{exp, ln};

/// Raises the noise level of step `i` by the churn: the level reached, and `x` with the noise.
/// Noise is drawn in every step, used or not, as in k-diffusion.
fn churn(x: Vec<f32>, sigmas: &[f32], i: usize, s: &mut Sampling<'_>) -> (Vec<f32>, f32) {
    let sigma = sigmas[i];
    let o = s.options;
    let inside = (o.churn_min..=o.churn_max).contains(&f64::from(sigma));
    let most = std::f64::consts::SQRT_2 - 1.0;
    let gamma = if inside { (o.churn / (sigmas.len() - 1) as f64).min(most) } else { 0.0 };
    let scale = o.noise_scale as f32;
    let noise = s.noise.draw();
    if gamma <= 0.0 {
        return (x, sigma);
    }
    let raised = sigma * (gamma + 1.0) as f32;
    let spread = (raised * raised - sigma * sigma).sqrt();
    (zip([&x, &noise], |[x, n]| x + n * scale * spread), raised)
}

/// One of the samplers with churn, by its `step` from a level to the next.
pub(super) fn churned<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
    step: impl Fn(&mut D, &[f32], &[f32], f32, f32) -> Result<Vec<f32>, D::Error>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    for i in 0..steps {
        let (raised, sigma) = churn(x, sigmas, i, s);
        let denoised = model.denoise(&raised, sigma)?;
        x = step(model, &raised, &denoised, sigma, sigmas[i + 1])?;
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// One step of Euler: `x += d (sigma' - sigma)`.
pub(super) fn euler_step(x: &[f32], denoised: &[f32], sigma: f32, next: f32) -> Vec<f32> {
    let step = next - sigma;
    zip([x, denoised], |[x, d]| x + (x - d) / sigma * step)
}

/// One step of Heun from level `sigma` to `next`, by the mean of both ends' directions; Euler where
/// `next` is zero.
pub(super) fn heun_step<D: Denoiser>(
    model: &mut D,
    x: &[f32],
    denoised: &[f32],
    sigma: f32,
    next: f32,
) -> Result<Vec<f32>, D::Error> {
    let ahead = euler_step(x, denoised, sigma, next);
    if next == 0.0 {
        return Ok(ahead);
    }
    let d = direction(x, denoised, sigma);
    let denoised = model.denoise(&ahead, next)?;
    let d2 = direction(&ahead, &denoised, next);
    let step = next - sigma;
    Ok(zip([x, &d, &d2], |[x, d, d2]| x + (d + d2) / 2.0 * step))
}

/// One step of DPM2 from level `sigma` to `next`, by the direction of the midpoint in logarithm
/// (DPM-Solver-2); Euler where `next` is zero.
pub(super) fn midpoint_step<D: Denoiser>(
    model: &mut D,
    x: &[f32],
    denoised: &[f32],
    sigma: f32,
    next: f32,
) -> Result<Vec<f32>, D::Error> {
    if next == 0.0 {
        return Ok(euler_step(x, denoised, sigma, next));
    }
    let (a, b) = (ln(sigma), ln(next));
    let middle = exp(b - (b - a) * 0.5);
    let ahead = euler_step(x, denoised, sigma, middle);
    let denoised = model.denoise(&ahead, middle)?;
    let d = direction(&ahead, &denoised, middle);
    let step = next - sigma;
    Ok(zip([x, &d], |[x, d]| x + d * step))
}
