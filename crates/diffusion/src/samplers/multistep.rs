//! Multistep samplers without noise: LMS and DPM++ 2M.
use super::combine::{direction, expm1, level, time, zip};
use super::{Denoiser, SampleError, Sampling};

/// Linear multistep of order 4 over the directions.
pub(super) fn lms<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    let levels: Vec<f64> = sigmas.iter().map(|v| f64::from(*v)).collect();
    let mut directions: Vec<Vec<f32>> = Vec::new();
    for (i, sigma) in sigmas.iter().copied().enumerate().take(steps) {
        let denoised = model.denoise(&x, sigma)?;
        directions.insert(0, direction(&x, &denoised, sigma));
        directions.truncate(4);
        let mut sum = vec![0.0; x.len()];
        for (j, d) in directions.iter().enumerate() {
            let weight = lms_weight(&levels, i, j, directions.len()) as f32;
            sum = zip([&sum, d], |[sum, d]| sum + weight * d);
        }
        x = zip([&x, &sum], |[x, sum]| x + sum);
        s.done(i + 1, steps, &denoised)?;
    }
    Ok(x)
}

/// The integral over step `i` of the Lagrange polynomial that is 1 at level `i - j` and 0 at the
/// other last `order` levels: exact by Gauss's rule with three points.
fn lms_weight(levels: &[f64], i: usize, j: usize, order: usize) -> f64 {
    let polynomial = |t: f64| -> f64 {
        let others = (0..order).filter(|k| *k != j);
        others.map(|k| (t - levels[i - k]) / (levels[i - j] - levels[i - k])).product()
    };
    let (half, middle) =
        ((levels[i + 1] - levels[i]) / 2.0, f64::midpoint(levels[i], levels[i + 1]));
    let reach = 0.6f64.sqrt() * half;
    half * (5.0 * polynomial(middle - reach)
        + 8.0 * polynomial(middle)
        + 5.0 * polynomial(middle + reach))
        / 9.0
}

/// DPM-Solver++(2M) (Lu and others 2022).
pub(super) fn dpmpp_2m<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = sigmas.len() - 1;
    let mut before: Option<Vec<f32>> = None;
    for i in 0..steps {
        let denoised = model.denoise(&x, sigmas[i])?;
        let (t, to) = (time(sigmas[i]), time(sigmas[i + 1]));
        let h = to - t;
        let (keep, add) = (level(to) / level(t), expm1(-h));
        x = match &before {
            Some(old) if sigmas[i + 1] > 0.0 => {
                let ratio = (t - time(sigmas[i - 1])) / h;
                let lean = 1.0 / (2.0 * ratio);
                let mixed = zip([&denoised, old], |[d, o]| (1.0 + lean) * d - lean * o);
                zip([&x, &mixed], |[x, d]| keep * x - add * d)
            }
            _ => zip([&x, &denoised], |[x, d]| keep * x - add * d),
        };
        s.done(i + 1, steps, &denoised)?;
        before = Some(denoised);
    }
    Ok(x)
}
