//! DPM-Solver++ for the stochastic equation: SDE, 2M SDE and 3M SDE, with Brownian noise.
use super::ancestral::ancestral;
use super::combine::{expm1, level, time, zip};
use super::euler::euler_step;
use super::{Denoiser, SampleError, Sampling};
use crate::sigmas::exp;

/// Single steps with the midpoint in logarithm.
pub(super) fn dpmpp_sde<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    let scale = s.options.noise_scale as f32;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        if sigmas[i + 1] == 0.0 {
            x = euler_step(&x, &denoised, sigmas[i], 0.0);
            s.done(i + 1, steps, &denoised)?;
            continue;
        }
        // k-diffusion asks for noise between levels that went through logarithm and back in f32;
        // a Brownian tree's times are rounded, so the last bit counts here too.
        let (t, to) = (time(sigmas[i]), time(sigmas[i + 1]));
        let middle = t + (to - t) * 0.5;
        let step = |t: f32, down: f32| (level(time(down)) / level(t), expm1(t - time(down)));
        let (down, up) = ancestral(level(t), level(middle), s.eta());
        let (keep, add) = step(t, down);
        let noise = s.noise.between(level(t), level(middle));
        let ahead = zip([&x, &denoised, &noise], |[x, d, n]| (keep * x - add * d) + n * scale * up);
        let second = model.denoise(&ahead, level(middle))?;
        let (down, up) = ancestral(level(t), level(to), s.eta());
        let (keep, add) = step(t, down);
        let noise = s.noise.between(level(t), level(to));
        x = zip([&x, &second, &noise], |[x, d, n]| (keep * x - add * d) + n * scale * up);
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// Multistep of second order. `heun` takes Heun's factor instead of the midpoint's.
pub(super) fn dpmpp_2m_sde<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    heun: bool,
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    let (eta, scale) = (s.eta() as f32, s.options.noise_scale as f32);
    let mut before: Option<(Vec<f32>, f32)> = None;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let next = sigmas[i + 1];
        if next == 0.0 {
            x.clone_from(&denoised);
            s.done(i + 1, steps, &denoised)?;
            continue;
        }
        let h = time(next) - time(sigmas[i]);
        let noisy = eta * h;
        let add = -expm1(-h - noisy);
        let keep = next / sigmas[i] * exp(-noisy);
        x = zip([&x, &denoised], |[x, d]| keep * x + add * d);
        if let Some((old, h_old)) = &before {
            let factor = if heun { add / (-h - noisy) + 1.0 } else { 0.5 * add };
            let slope = factor * (1.0 / (h_old / h));
            x = zip([&x, &denoised, old], |[x, d, o]| x + slope * (d - o));
        }
        if eta != 0.0 {
            let spread = (-expm1(-2.0 * noisy)).sqrt();
            let noise = s.noise.between(sigmas[i], next);
            x = zip([&x, &noise], |[x, n]| x + n * next * spread * scale);
        }
        s.done(i + 1, steps, &denoised)?;
        before = Some((denoised, h));
    }
    Ok(x)
}

/// Multistep of third order.
pub(super) fn dpmpp_3m_sde<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    let (eta, scale) = (s.eta() as f32, s.options.noise_scale as f32);
    let mut last: Option<(Vec<f32>, f32)> = None;
    let mut before: Option<(Vec<f32>, f32)> = None;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let next = sigmas[i + 1];
        if next == 0.0 {
            x.clone_from(&denoised);
            s.done(i + 1, steps, &denoised)?;
            continue;
        }
        let h = time(next) - time(sigmas[i]);
        let big = h * (eta + 1.0);
        let (keep, add) = (exp(-big), -expm1(-big));
        x = zip([&x, &denoised], |[x, d]| keep * x + add * d);
        let phi2 = expm1(-big) / big + 1.0;
        let phi3 = phi2 / big - 0.5;
        if let (Some((x1, h1)), Some((x2, h2))) = (&last, &before) {
            let (r0, r1) = (h1 / h, h2 / h);
            x = zip([&x, &denoised, x1, x2], |[x, d, d1, d2]| {
                let (a, b) = ((d - d1) / r0, (d1 - d2) / r1);
                let first = a + (a - b) * r0 / (r0 + r1);
                let second = (a - b) / (r0 + r1);
                x + phi2 * first - phi3 * second
            });
        } else if let Some((x1, h1)) = &last {
            let r = h1 / h;
            x = zip([&x, &denoised, x1], |[x, d, d1]| x + phi2 * ((d - d1) / r));
        }
        if eta != 0.0 {
            let spread = (-expm1(-2.0 * h * eta)).sqrt();
            let noise = s.noise.between(sigmas[i], next);
            x = zip([&x, &noise], |[x, n]| x + n * next * spread * scale);
        }
        s.done(i + 1, steps, &denoised)?;
        before = last.replace((denoised, h));
    }
    Ok(x)
}
