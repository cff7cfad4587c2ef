//! One sampling pass over a group of pictures: from noise, or from init latents with noise.
use super::GroupConditioning;
use super::cfg_denoiser::{CfgDenoiser, MaskBlend};
use super::picture;
use crate::brownian::BrownianNoise;
use crate::image_rng::{ImageRng, ImageRngOptions};
use crate::plan::DrawPlan;
use crate::samplers::{
    BatchNoise, SampleError, Sampling, StepInfo, image_start, image_start_timesteps, sample_sigmas,
    sample_timesteps, text_start,
};
use crate::sigmas::{
    SamplerKind, Schedule, ScheduleOptions, SigmaTable, ddim_timesteps, img2img_steps,
};
use crate::{AdapterGuard, Error, Event, Result};
use std::ops::{ControlFlow, Range};
use wayword_interface::{Events, Stop};
use wayword_tensor::Grid;

/// One pass of a sampler.
pub(super) struct SamplingPass {
    pub(super) sampler: SamplerKind,
    pub(super) schedule: Schedule,
    pub(super) steps: u32,
    /// The latents' height and width.
    pub(super) grid: Grid,
    /// Which pass this is, from 1.
    pub(super) pass: usize,
    /// Passes of the drawing.
    pub(super) passes: usize,
}

/// Latents that a pass starts from.
pub(super) struct InitLatents {
    /// The whole group's, one after the other.
    pub(super) latents: Vec<f32>,
    /// The share of the noise that is added.
    pub(super) denoise: f64,
    /// Whether all steps run.
    pub(super) exact_steps: bool,
    /// Of one picture: 1 is drawn anew, 0 stays.
    pub(super) mask: Option<Vec<f32>>,
}

impl SamplingPass {
    /// Runs; gives each picture's latents, the clean ones of the present step if skipped, `None` if
    /// stopped.
    pub(super) fn run(
        &self,
        model: &AdapterGuard<'_>,
        plan: &DrawPlan,
        conditioning: &GroupConditioning,
        start: Option<InitLatents>,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Vec<Vec<f32>>>> {
        let settings = plan.settings();
        let info = self.sampler.info();
        let values = 4 * self.grid.tokens();
        let pictures = &conditioning.pictures;
        let seeds: Vec<i64> = pictures.clone().map(|i| plan.seed(i).cast_signed()).collect();
        let table = match self.sampler {
            SamplerKind::Lcm => SigmaTable::sd().lcm(),
            _ => SigmaTable::sd(),
        };
        let shape = [4, self.grid.height, self.grid.width];
        let mut rng = ImageRng::new(shape, &seeds, rng_options(plan, pictures));
        let noise = rng.draw();
        let blend = start.as_ref().and_then(|s| MaskBlend::new(&s.latents, s.mask.as_deref()?));
        let lcm = self.sampler == SamplerKind::Lcm;
        let mut denoiser = CfgDenoiser::new(model, plan, lcm, conditioning, &table, self.grid);
        denoiser.blend.clone_from(&blend);
        denoiser.stop = stop.clone();
        let (pass, passes) = (self.pass, self.passes);
        // The clean latents of the step after which the pictures were skipped.
        let mut skipped = None;
        let on_step = &mut |step: StepInfo<'_>| {
            events.event(Event::Step {
                step: step.step + (pass - 1) * step.steps,
                of: step.steps * passes,
                first: pictures.start,
                pictures: settings.count,
            });
            if settings.preview_every.is_some_and(|n| n > 0 && step.step.is_multiple_of(n)) {
                for (index, latent) in pictures.clone().zip(step.denoised.chunks_exact(values)) {
                    // A preview that cannot be decoded is no reason to end a drawing.
                    if let Ok(small) = picture::preview(model.base(), latent, self.grid) {
                        events.event(Event::Preview { index, step: step.step, picture: small });
                    }
                }
            }
            if stop.is_skip_requested() && step.step != step.steps {
                skipped = Some(step.denoised.to_vec());
            }
            if stop.is_requested() || skipped.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let options = &settings.sampler_options;
        // The part of the schedule that runs: all of it, or the last steps.
        let part =
            start.as_ref().map(|s| img2img_steps(self.steps as usize, s.denoise, s.exact_steps));
        let steps = part.map_or(self.steps as usize, |part| part.steps);
        let done = if steps == 0 {
            // Nothing of the noise is wanted.
            Ok(start.map(|s| s.latents).unwrap_or_default())
        } else if info.on_timesteps() {
            let mut timesteps = ddim_timesteps(steps);
            let alphas = table.alphas();
            let from_image = start.is_some();
            let x = match start.zip(part) {
                Some((s, part)) => {
                    let at = part.t_enc.min(timesteps.len() - 1);
                    let first = timesteps[at];
                    timesteps.truncate(at);
                    match at {
                        0 => s.latents,
                        _ => image_start_timesteps(&s.latents, &noise, alphas[first], 0.0),
                    }
                }
                None => noise,
            };
            let noise = &mut BatchNoise { rng, paths: None };
            let sampling = &mut Sampling { options, noise, on_step };
            if timesteps.is_empty() {
                Ok(x)
            } else {
                let kind = info.kind;
                sample_timesteps(kind, &mut denoiser, x, &timesteps, alphas, from_image, sampling)
            }
        } else {
            let cut = ScheduleOptions {
                discard_next_to_last: info.discard_next_to_last,
                ..ScheduleOptions::default()
            };
            let sigmas = info.effective(self.schedule).sigmas(steps, &table, &cut);
            let paths = info.brownian.then(|| {
                let least = sigmas.iter().copied().filter(|s| *s > 0.0).fold(f32::MAX, f32::min);
                let (least, most) = (f64::from(least), f64::from(sigmas[0]));
                BrownianNoise::new(settings.noise, &seeds, values, least, most)
            });
            let from = part.map_or(0, |part| steps.saturating_sub(part.t_enc + 1));
            let sigmas = &sigmas[from.min(sigmas.len().saturating_sub(2))..];
            let (x, limits) = match &start {
                Some(s) => (image_start(&s.latents, &noise, sigmas[0], 0.0), None),
                None => {
                    let limits = Some((table.sigma_min(), table.sigma_max()));
                    (text_start(&noise, sigmas[0], false), limits)
                }
            };
            let noise = &mut BatchNoise { rng, paths };
            let sampling = &mut Sampling { options, noise, on_step };
            sample_sigmas(info.kind, &mut denoiser, x, sigmas, limits, sampling)
        };
        let mut latents = match (done, skipped) {
            (Ok(latents), _) => latents,
            (Err(SampleError::Stopped), Some(latents)) if !stop.is_requested() => latents,
            (Err(SampleError::Stopped | SampleError::Model(Error::Stopped)), _) => return Ok(None),
            (Err(SampleError::Model(error)), _) => return Err(error),
        };
        if let Some(blend) = &blend {
            blend.apply(&mut latents);
        }
        if latents.iter().any(|v| !v.is_finite()) {
            let what = format!("a latent after {} steps of {}", self.steps, info.name);
            return Err(Error::NotANumber { what });
        }
        Ok(Some(latents.chunks_exact(values).map(<[f32]>::to_vec).collect()))
    }
}

fn rng_options(plan: &DrawPlan, pictures: &Range<usize>) -> ImageRngOptions {
    let settings = plan.settings();
    let subseeds = pictures.clone().filter_map(|i| plan.subseed(i)).map(u64::cast_signed);
    #[expect(clippy::cast_possible_truncation, reason = "torch multiplies in f32")]
    let subseed_strength = settings.variation.map_or(0.0, |(_, strength)| strength as f32);
    ImageRngOptions {
        kind: settings.noise,
        subseeds: subseeds.collect(),
        subseed_strength,
        resize_from: settings.seed_resize.map(|(w, h)| (h as usize, w as usize)),
        later_seed_delta: settings.later_seed_delta,
    }
}
