//! Which steps run: DDIM's timesteps, and the part of a schedule that img2img uses.
use super::TRAIN_STEPS;

/// The training steps of DDIM, PLMS and UniPC for a number of steps, least first: every
/// `1000 / steps`th, plus one. There may be one more than asked for, as in A1111.
#[must_use]
pub fn ddim_timesteps(steps: usize) -> Vec<usize> {
    let every = (TRAIN_STEPS / steps.max(1)).max(1);
    (0..TRAIN_STEPS).step_by(every).map(|t| (t + 1).min(TRAIN_STEPS - 1)).collect()
}

/// How much of a schedule an img2img run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Img2imgSteps {
    /// Steps of the whole schedule.
    pub steps: usize,
    /// The last steps that run, less one.
    pub t_enc: usize,
}

/// The steps of img2img. `exact` makes exactly `steps` steps out of a longer schedule: A1111's
/// option `img2img_fix_steps`, and always so in the hires pass.
#[must_use]
pub fn img2img_steps(steps: usize, denoise: f64, exact: bool) -> Img2imgSteps {
    let strength = denoise.min(0.999);
    if exact {
        let whole = if denoise > 0.0 { (steps as f64 / strength) as usize } else { 0 };
        Img2imgSteps { steps: whole, t_enc: steps.saturating_sub(1) }
    } else {
        Img2imgSteps { steps, t_enc: (strength.max(0.0) * steps as f64) as usize }
    }
}
