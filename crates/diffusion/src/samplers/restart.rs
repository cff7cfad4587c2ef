//! Restart sampling (Xu and others 2023): Heun, with jumps back to a higher noise level.
use super::combine::zip;
use super::euler::heun_step;
use super::{Denoiser, SampleError, Sampling};
use crate::sigmas::{Schedule, ScheduleOptions, SigmaTable};

/// Levels between which A1111 jumps from 20 steps on.
const LOW: f32 = 0.1;
const HIGH: f32 = 2.0;

/// Heun over the steps of [`steps`].
pub(super) fn restart<D: Denoiser>(
    model: &mut D,
    mut x: Vec<f32>,
    sigmas: &[f32],
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    let steps = steps(sigmas);
    let mut last: Option<f32> = None;
    for (i, (from, to)) in steps.iter().enumerate() {
        if let Some(last) = last
            && last < *from
        {
            let spread = (from * from - last * last).sqrt();
            let scale = s.options.noise_scale as f32;
            x = zip([&x, &s.noise.draw()], |[x, n]| x + n * scale * spread);
        }
        let denoised = model.denoise(&x, *from)?;
        x = heun_step(model, &x, &denoised, *from, *to)?;
        s.done(i + 1, steps.len(), &denoised)?;
        last = Some(*to);
    }
    Ok(x)
}

fn karras(n: usize, least: f32, greatest: f32) -> Vec<f32> {
    let options = ScheduleOptions {
        sigma_min: Some(f64::from(least)),
        sigma_max: Some(f64::from(greatest)),
        ..ScheduleOptions::default()
    };
    Schedule::Karras.sigmas(n, &SigmaTable::sd(), &options)
}

/// The place of the level nearest to `wanted`.
fn nearest(sigmas: &[f32], wanted: f32) -> usize {
    let distance = |i: &usize| (sigmas[*i] - wanted).abs();
    (0..sigmas.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

/// The levels of every step. Below 20 steps they are the schedule's. Else the number of steps is
/// kept: 9 of them (a quarter, twice, from 36 on) go back from level 2 to 0.1 once more, and the
/// rest makes a new Karras schedule.
fn steps(sigmas: &[f32]) -> Vec<(f32, f32)> {
    let count = sigmas.len() - 1;
    let pairs = |levels: &[f32]| -> Vec<(f32, f32)> {
        levels.windows(2).map(|pair| (pair[0], pair[1])).collect()
    };
    if count < 20 {
        return pairs(sigmas);
    }
    let (back, times) = if count >= 36 { (count / 4, 2) } else { (9, 1) };
    let levels = karras(count - back * times, sigmas[count - 1], sigmas[0]);
    let (low, high) = (nearest(&levels, LOW), nearest(&levels, HIGH));
    let mut all = Vec::new();
    for i in 0..levels.len() - 1 {
        all.push((levels[i], levels[i + 1]));
        if i + 1 == low && high < low {
            let mut again = karras(back + 1, levels[low], levels[high]);
            again.pop();
            (0..times).for_each(|_| all.extend(pairs(&again)));
        }
    }
    all
}
