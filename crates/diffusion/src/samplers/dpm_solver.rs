//! DPM-Solver (Lu and others 2022) with a fixed number of calls, and with adaptive steps.
//! Time is minus the logarithm of the noise level.
use super::ancestral::ancestral;
use super::combine::{expm1, level, time, zip};
use super::{Denoiser, SampleError, Sampling};
use crate::sigmas::linspace;

const THIRD: f32 = (1.0f64 / 3.0) as f32;
const TWO_THIRDS: f32 = (2.0f64 / 3.0) as f32;

/// The noise in `x` at time `t`.
fn noise_in<D: Denoiser>(model: &mut D, x: &[f32], t: f32) -> Result<Vec<f32>, D::Error> {
    let sigma = level(t);
    let denoised = model.denoise(x, sigma)?;
    Ok(zip([x, &denoised], |[x, d]| (x - d) / sigma))
}

/// First order: `x - sigma(at) (e^h - 1) eps` for a step of length `h` that ends at `at`.
fn first(x: &[f32], eps: &[f32], at: f32, h: f32) -> Vec<f32> {
    let factor = level(at) * expm1(h);
    zip([x, eps], |[x, e]| x - factor * e)
}

/// Second order, given the noise `eps1` at the point `r` of the step.
fn second(x: &[f32], eps: &[f32], eps1: &[f32], t: f32, to: f32, r: f32) -> Vec<f32> {
    let grown = expm1(to - t);
    let (plain, lean) = (level(to) * grown, level(to) / (2.0 * r) * grown);
    zip([x, eps, eps1], |[x, e, e1]| x - plain * e - lean * (e1 - e))
}

/// Third order, given the noise at a third of the step; asks for that at two thirds.
fn third<D: Denoiser>(
    model: &mut D,
    x: &[f32],
    eps: &[f32],
    eps1: &[f32],
    t: f32,
    to: f32,
) -> Result<Vec<f32>, D::Error> {
    let h = to - t;
    let (part, at) = (TWO_THIRDS * h, t + TWO_THIRDS * h);
    let plain = level(at) * expm1(part);
    let lean = level(at) * 2.0 * (expm1(part) / part - 1.0);
    let ahead = zip([x, eps, eps1], |[x, e, e1]| x - plain * e - lean * (e1 - e));
    let eps2 = noise_in(model, &ahead, at)?;
    let plain = level(to) * expm1(h);
    let lean = level(to) / TWO_THIRDS * (expm1(h) / h - 1.0);
    Ok(zip([x, eps, &eps2], |[x, e, e2]| x - plain * e - lean * (e2 - e)))
}

/// Where an ancestral step from time `t` to `to` ends, and the noise that it adds.
fn ancestral_time(t: f32, to: f32, end: f32, eta: f64) -> (f32, f32) {
    if eta == 0.0 {
        return (to, 0.0);
    }
    let (down, _) = ancestral(level(t), level(to), eta);
    let reached = end.min(time(down));
    let spread = (level(to).powi(2) - level(reached).powi(2)).max(0.0).sqrt();
    (reached, spread)
}

/// Times of the first and last level, and the number of steps.
fn span(sigmas: &[f32], limits: Option<(f32, f32)>) -> (f32, f32, usize) {
    let steps = sigmas.len() - 1;
    // A schedule's last level is zero, which has no time: the one before it ends the run.
    let range = (sigmas[sigmas.len().saturating_sub(2)], sigmas[0]);
    let (least, greatest) = limits.unwrap_or(range);
    (time(greatest), time(least), steps)
}

/// Steps of third order, as many as the steps' number of calls allows, and a shorter rest.
pub(super) fn fast<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    limits: Option<(f32, f32)>,
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let (start, end, calls) = span(sigmas, limits);
    let count = calls / 3 + 1;
    let mut orders = vec![3; count - 1];
    match calls % 3 {
        0 => {
            orders.pop();
            orders.extend([2, 1]);
        }
        rest => orders.push(rest),
    }
    let times = linspace(start, end, count + 1);
    let (eta, scale) = (s.eta(), s.options.noise_scale as f32);
    for (i, order) in orders.iter().enumerate() {
        let (t, to) = (times[i], times[i + 1]);
        let (reached, spread) = ancestral_time(t, to, end, eta);
        let eps = noise_in(model, &x, t)?;
        let denoised = zip([&x, &eps], |[x, e]| x - level(t) * e);
        let h = reached - t;
        let next = match order {
            1 => first(&x, &eps, reached, h),
            2 => {
                let (part, at) = (0.5 * h, t + 0.5 * h);
                let eps1 = noise_in(model, &first(&x, &eps, at, part), at)?;
                second(&x, &eps, &eps1, t, reached, 0.5)
            }
            _ => {
                let (part, at) = (THIRD * h, t + THIRD * h);
                let eps1 = noise_in(model, &first(&x, &eps, at, part), at)?;
                third(model, &x, &eps, &eps1, t, reached)?
            }
        };
        let noise = s.noise.draw();
        x = zip([&next, &noise], |[x, n]| x + spread * scale * n);
        s.done(i + 1, orders.len(), &denoised)?;
    }
    Ok(x)
}

const RELATIVE: f32 = 0.05;
const ABSOLUTE: f32 = 0.0078;
const FIRST_STEP: f32 = 0.05;
const SAFETY: f64 = 0.81;

/// Steps as long as the difference between second and third order stays small. A batch has one
/// step length, as in k-diffusion.
pub(super) fn adaptive<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    limits: Option<(f32, f32)>,
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let (mut t, end, _) = span(sigmas, limits);
    let (eta, scale) = (s.eta(), s.options.noise_scale as f32);
    let order = if eta == 0.0 { 3.0 } else { 1.5 };
    let mut h = FIRST_STEP;
    let mut before = x.clone();
    let mut accepted = 0;
    while t < end - 1e-5 {
        let to = end.min(t + h);
        let (reached, spread) = ancestral_time(t, to, end, eta);
        let eps = noise_in(model, &x, t)?;
        let denoised = zip([&x, &eps], |[x, e]| x - level(t) * e);
        let (part, at) = (THIRD * (reached - t), t + THIRD * (reached - t));
        let eps1 = noise_in(model, &first(&x, &eps, at, part), at)?;
        let low = second(&x, &eps, &eps1, t, reached, THIRD);
        let high = third(model, &x, &eps, &eps1, t, reached)?;
        let squares = low.iter().zip(&high).zip(&before).map(|((l, h), b)| {
            let allowed = ABSOLUTE.max(RELATIVE * l.abs().max(b.abs()));
            f64::from((l - h) / allowed).powi(2)
        });
        let error = (squares.sum::<f64>() / x.len() as f64).sqrt();
        let factor = 1.0 + ((1.0 / (error + 1e-8)).powf(1.0 / order) - 1.0).atan();
        h *= factor as f32;
        if factor >= SAFETY {
            let noise = s.noise.draw();
            x = zip([&high, &noise], |[x, n]| x + spread * scale * n);
            before = low;
            t = to;
            accepted += 1;
            s.done(accepted, 0, &denoised)?;
        } else if !error.is_finite() {
            // A model that gives no numbers would make the step shrink for ever.
            return Ok(high);
        }
    }
    Ok(x)
}
