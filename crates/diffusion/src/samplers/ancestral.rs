//! Ancestral samplers: each step goes down further than needed and adds fresh noise.
use super::combine::{expm1, level, time, zip};
use super::euler::{euler_step, midpoint_step};
use super::{Denoiser, SampleError, Sampling};

/// Where a step from `from` to `to` goes down to, and how much noise brings it up again.
pub(super) fn ancestral(from: f32, to: f32, eta: f64) -> (f32, f32) {
    if eta == 0.0 {
        return (to, 0.0);
    }
    // In f32 the difference below would lose all digits over long steps.
    let (a, b) = (f64::from(from), f64::from(to));
    let spread = (b * b * (a * a - b * b) / (a * a)).max(0.0).sqrt();
    let up = b.min(eta * spread);
    ((b * b - up * up).max(0.0).sqrt() as f32, up as f32)
}

/// `x` with noise.
fn noisy(x: &[f32], noise: &[f32], scale: f64, spread: f32) -> Vec<f32> {
    let scale = scale as f32;
    zip([x, noise], |[x, n]| x + n * scale * spread)
}

/// Euler down, noise up.
pub(super) fn euler_a<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let (down, up) = ancestral(sigmas[i], sigmas[i + 1], s.eta());
        x = euler_step(&x, &denoised, sigmas[i], down);
        if sigmas[i + 1] > 0.0 {
            x = noisy(&x, &s.noise.draw(), 1.0, up);
        }
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// DPM2 down, noise up.
pub(super) fn dpm2_a<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let (down, up) = ancestral(sigmas[i], sigmas[i + 1], s.eta());
        x = midpoint_step(model, &x, &denoised, sigmas[i], down)?;
        if down > 0.0 {
            x = noisy(&x, &s.noise.draw(), s.options.noise_scale, up);
        }
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// DPM-Solver++ of second order in single steps (Lu and others 2022), ancestral.
pub(super) fn dpmpp_2s_a<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let (down, up) = ancestral(sigmas[i], sigmas[i + 1], s.eta());
        if down == 0.0 {
            x = euler_step(&x, &denoised, sigmas[i], down);
        } else {
            let (t, to) = (time(sigmas[i]), time(down));
            let h = to - t;
            let middle = t + 0.5 * h;
            let (keep, add) = (level(middle) / level(t), expm1(-h * 0.5));
            let ahead = zip([&x, &denoised], |[x, d]| keep * x - add * d);
            let second = model.denoise(&ahead, level(middle))?;
            let (keep, add) = (level(to) / level(t), expm1(-h));
            x = zip([&x, &second], |[x, d]| keep * x - add * d);
        }
        if sigmas[i + 1] > 0.0 {
            x = noisy(&x, &s.noise.draw(), s.options.noise_scale, up);
        }
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}
