//! Drawing: from a checked plan to pictures with their infotext.
//!
//! One group of pictures at a time: prompts to text states, seeds to noise, noise to latents by
//! the sampler, latents to pixels by the VAE.
mod guided;
mod infotext;
mod picture;
mod texts;

pub use picture::{Picture, finish};
pub use texts::{Conditioning, PartStates};

use crate::brownian::BrownianNoise;
use crate::image_rng::{ImageRng, ImageRngOptions};
use crate::plan::DrawPlan;
use crate::samplers::{
    BatchNoise, SampleError, Sampling, StepInfo, sample_sigmas, sample_timesteps, text_start,
};
use crate::sigmas::{SamplerKind, ScheduleOptions, SigmaTable, ddim_timesteps};
use crate::{Base, Error, Event, Events, Result, Stop};
use guided::Guided;
use std::ops::{ControlFlow, Range};
use std::time::Instant;
use wayword_prompt::Quirks;
use wayword_tensor::Grid;

/// Draws all pictures of a plan. When asked to stop, gives those that are done.
///
/// # Errors
/// If the device fails or something is not a number.
pub fn draw(
    base: &Base,
    plan: &DrawPlan,
    events: &dyn Events,
    stop: &Stop,
) -> Result<Vec<Picture>> {
    let start = Instant::now();
    plan.remarks().into_iter().for_each(|remark| events.event(Event::Warned(remark)));
    let pictures = draw_groups(base, plan, events, stop);
    if !plan.settings().keep_loras {
        drop(base.using(&[])?);
    }
    let pictures = pictures?;
    let seconds = start.elapsed().as_secs_f64();
    events.event(Event::Finished { pictures: pictures.len(), seconds });
    Ok(pictures)
}

fn draw_groups(
    base: &Base,
    plan: &DrawPlan,
    events: &dyn Events,
    stop: &Stop,
) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for group in groups(plan) {
        let using = base.using(plan.networks(group.start))?;
        let texts = Texts::encode(base, plan, group.clone())?;
        let Some(latents) = sample(base, plan, &texts, events, stop)? else { break };
        drop(using);
        for (latent, index) in latents.into_iter().zip(group) {
            let picture = finish(base, plan, &texts, index, &latent)?;
            let seed = picture.seed;
            pictures.push(picture);
            events.event(Event::Picture { index, of: plan.settings().count, seed });
        }
    }
    Ok(pictures)
}

/// Runs of pictures that are computed at once: all of a run are drawn with the LoRAs of the first.
/// The web UI puts other pictures into a run, too; without its quirks a run ends before them.
#[must_use]
pub fn groups(plan: &DrawPlan) -> Vec<Range<usize>> {
    let (count, batch) = (plan.settings().count, plan.settings().batch);
    let mut out = Vec::new();
    for first in (0..count).step_by(batch) {
        let end = (first + batch).min(count);
        let mut start = first;
        for next in first + 1..end {
            let same = plan.networks(next) == plan.networks(start);
            if !same && plan.settings().quirks == Quirks::Sane {
                out.push(start..next);
                start = next;
            }
        }
        out.push(start..end);
    }
    out
}

/// The encoded prompts of a group of pictures.
#[derive(Debug)]
pub struct Texts {
    /// The pictures, by their place in the plan.
    pub pictures: Range<usize>,
    /// Each picture's prompt.
    pub positive: Vec<Conditioning>,
    /// Each picture's negative prompt.
    pub negative: Vec<Conditioning>,
}

impl Texts {
    /// Encodes the prompts of a group; equal prompts once. The base must be wearing the group's
    /// LoRAs ([`Base::using`]).
    ///
    /// # Errors
    /// If a prompt cannot be encoded.
    pub fn encode(base: &Base, plan: &DrawPlan, pictures: Range<usize>) -> Result<Self> {
        let mut known: Vec<(&wayword_prompt::PromptPlan, Conditioning)> = Vec::new();
        let mut encode = |prompt| -> Result<Conditioning> {
            if let Some((_, done)) = known.iter().find(|(p, _)| *p == prompt) {
                return Ok(done.clone());
            }
            let done = texts::encode(base, plan, plan.words(pictures.start), prompt)?;
            known.push((prompt, done.clone()));
            Ok(done)
        };
        let negative: Result<Vec<_>> = pictures.clone().map(|i| encode(plan.negative(i))).collect();
        let positive: Result<Vec<_>> = pictures.clone().map(|i| encode(plan.prompt(i))).collect();
        Ok(Self { pictures, positive: positive?, negative: negative? })
    }
}

/// Samples the latents of a group, `[4, h, w]` each, as the UNet has them; `None` if stopped.
///
/// # Errors
/// If the device fails or a latent is not a number.
pub fn sample(
    base: &Base,
    plan: &DrawPlan,
    texts: &Texts,
    events: &dyn Events,
    stop: &Stop,
) -> Result<Option<Vec<Vec<f32>>>> {
    let settings = plan.settings();
    let info = settings.sampler.info();
    let (height, width) = plan.latent_size();
    let values = 4 * height * width;
    let seeds: Vec<i64> = texts.pictures.clone().map(|i| plan.seed(i).cast_signed()).collect();
    let table = match settings.sampler {
        SamplerKind::Lcm => SigmaTable::sd().lcm(),
        _ => SigmaTable::sd(),
    };
    let mut rng = ImageRng::new([4, height, width], &seeds, rng_options(plan, texts));
    let first_noise = rng.draw();
    let grid = Grid::new(height, width);
    let mut model = Guided::new(base, settings, texts, &table, grid);
    let on_step = &mut |step: StepInfo<'_>| {
        events.event(Event::Step {
            step: step.step,
            of: step.steps,
            first: texts.pictures.start,
            pictures: settings.count,
        });
        if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = &settings.sampler_options;
    let done = if info.on_timesteps() {
        let timesteps = ddim_timesteps(settings.steps as usize);
        let noise = &mut BatchNoise { rng, paths: None };
        let sampling = &mut Sampling { options, noise, on_step };
        let alphas = table.alphas();
        sample_timesteps(info.kind, &mut model, first_noise, &timesteps, alphas, false, sampling)
    } else {
        let cut = ScheduleOptions {
            discard_next_to_last: info.discard_next_to_last,
            ..ScheduleOptions::default()
        };
        let schedule = info.effective(settings.schedule);
        let sigmas = schedule.sigmas(settings.steps as usize, &table, &cut);
        let paths = info.brownian.then(|| {
            let least = sigmas.iter().copied().filter(|s| *s > 0.0).fold(f32::MAX, f32::min);
            let (least, most) = (f64::from(least), f64::from(sigmas[0]));
            BrownianNoise::new(settings.noise, &seeds, values, least, most)
        });
        let x = text_start(&first_noise, sigmas[0], false);
        let limits = Some((table.sigma_min(), table.sigma_max()));
        let noise = &mut BatchNoise { rng, paths };
        let sampling = &mut Sampling { options, noise, on_step };
        sample_sigmas(info.kind, &mut model, x, &sigmas, limits, sampling)
    };
    let latents = match done {
        Ok(latents) => latents,
        Err(SampleError::Stopped) => return Ok(None),
        Err(SampleError::Model(error)) => return Err(error),
    };
    if latents.iter().any(|v| !v.is_finite()) {
        let what = format!("a latent after {} steps of {}", settings.steps, info.name);
        return Err(Error::NotANumber { what });
    }
    Ok(Some(latents.chunks_exact(values).map(<[f32]>::to_vec).collect()))
}

fn rng_options(plan: &DrawPlan, texts: &Texts) -> ImageRngOptions {
    let settings = plan.settings();
    let subseeds = texts.pictures.clone().filter_map(|i| plan.subseed(i)).map(u64::cast_signed);
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
