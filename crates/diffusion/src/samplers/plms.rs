//! PLMS (Liu and others 2022): DDIM's step with the noise of several steps combined.
use super::combine::zip;
use super::ddim::clean;
use super::{Predictor, SampleError, Sampling};

/// All steps but the first training step, greatest first; the first of them takes two calls.
pub(super) fn plms<P: Predictor>(
    model: &mut P,
    mut x: Vec<f32>,
    timesteps: &[usize],
    alphas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<P::Error>> {
    let steps = timesteps.len().saturating_sub(1);
    // Newest first.
    let mut past: Vec<Vec<f32>> = Vec::new();
    for (done, index) in (1..timesteps.len()).rev().enumerate() {
        let (alpha, before) = (alphas[timesteps[index]], alphas[timesteps[index - 1]]);
        let step = |eps: &[f32]| {
            let denoised = clean(&x, eps, alpha);
            let (root, turn) = (before.sqrt(), (1.0 - before).sqrt());
            (zip([&denoised, eps], |[d, e]| root * d + turn * e), denoised)
        };
        let eps = model.predict(&x, timesteps[index] as f32, 1.0)?.guided;
        // Adams-Bashforth of as many steps as there are, up to four.
        let mixed = match past.as_slice() {
            [] => {
                let (ahead, _) = step(&eps);
                let second = model.predict(&ahead, timesteps[index - 1] as f32, 1.0)?.guided;
                zip([&eps, &second], |[e, f]| (e + f) / 2.0)
            }
            [a] => zip([&eps, a], |[e, a]| (3.0 * e - a) / 2.0),
            [a, b] => zip([&eps, a, b], |[e, a, b]| (23.0 * e - 16.0 * a + 5.0 * b) / 12.0),
            [a, b, c, ..] => zip([&eps, a, b, c], |[e, a, b, c]| {
                (55.0 * e - 59.0 * a + 37.0 * b - 9.0 * c) / 24.0
            }),
        };
        let (next, denoised) = step(&mixed);
        x = next;
        past.insert(0, eps);
        past.truncate(3);
        s.done(done + 1, steps, &denoised)?;
    }
    Ok(x)
}
