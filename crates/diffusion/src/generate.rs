//! Drawing: from a checked plan to pictures with their infotext.
//!
//! One group of pictures at a time: prompts to hidden states, seeds to noise, noise to latents by
//! the sampler, latents to pixels by the VAE.
mod access;
mod cfg_denoiser;
mod conditioning;
mod detail;
mod infotext;
mod init_image;
mod picture;
mod sampling_pass;

pub use access::ModelAccess;
pub use conditioning::{Conditioning, GroupConditioning, PartConditioning};
pub use picture::{Picture, SmallPicture, encode_picture, with_vae};

pub(crate) use detail::face;
pub use infotext::PREDICTION;
pub(crate) use infotext::{RESIZE_MODE, WITH_QUIRKS};

use crate::hires::Upscaler;
use crate::pictures::Pixels;
use crate::plan::DrawPlan;
use crate::{AdapterGuard, Error, Event, Result};
use init_image::InitImage;
use sampling_pass::{InitLatents, SamplingPass};
use std::ops::Range;
use std::time::Instant;
use wayword_interface::{Events, Stop};
use wayword_prompt::Quirks;
use wayword_tensor::Grid;

/// Draws all pictures of a plan. When asked to stop, gives those that are done.
///
/// # Errors
/// If the device fails or something is not a number.
pub fn draw<'a>(
    model: impl Into<ModelAccess<'a>>,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    draw_each(model, plan, events, stop, &mut |_, picture| pictures.push(picture))?;
    Ok(pictures)
}

/// Draws all pictures of a plan and hands out each as soon as it is done, with its place in the
/// plan. When asked to stop, ends after those that are done; gives how many there were. When asked
/// to skip, hands out the present pictures as they are after the step, and goes on with the next.
///
/// # Errors
/// If the device fails or something is not a number.
pub fn draw_each<'a>(
    model: impl Into<ModelAccess<'a>>,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
    each: &mut dyn FnMut(usize, Picture),
) -> Result<usize> {
    let start = Instant::now();
    plan.remarks().into_iter().for_each(|remark| events.event(Event::Warned(remark)));
    let mut pictures = 0;
    let mut counted = |index: usize, picture: Picture| {
        pictures += 1;
        each(index, picture);
    };
    match draw_groups(model.into(), plan, events, stop, &mut counted) {
        Ok(()) | Err(Error::Stopped) => {}
        Err(error) => return Err(error),
    }
    let seconds = start.elapsed().as_secs_f64();
    events.event(Event::Finished { pictures, seconds });
    Ok(pictures)
}

fn draw_groups(
    model: ModelAccess<'_>,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
    each: &mut dyn FnMut(usize, Picture),
) -> Result<()> {
    let drawing = Drawing::new(model, plan, events)?;
    for group in groups(plan) {
        stop.forget_skip();
        let Some(guard) = drawing.activate(group.start, events, stop)? else { break };
        let conditioning = GroupConditioning::encode(&guard, plan, group.clone())?;
        let Some(sampled) = drawing.sample(guard, &conditioning, events, stop)? else { break };
        for index in group {
            let picture = drawing.finish(&conditioning, &sampled, index, events, stop)?;
            // The faces of a picture that was skipped stay as they are.
            let detailed = if stop.is_skip_requested() {
                Some(picture)
            } else {
                drawing.detail(picture, index, events, stop)?
            };
            let Some(picture) = detailed else { return Ok(()) };
            let seed = picture.seed;
            each(index, picture);
            events.event(Event::Picture { index, of: plan.settings().count, seed });
        }
    }
    Ok(())
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

/// A plan that is being drawn on a base: what all its groups share.
#[derive(Debug)]
pub struct Drawing<'a> {
    model: ModelAccess<'a>,
    plan: &'a DrawPlan,
    init_image: Option<InitImage>,
}

/// The latents of a group of pictures.
#[derive(Debug)]
pub struct Sampled {
    /// Each picture's, `[4, h, w]` on the UNet's scale.
    pub latents: Vec<Vec<f32>>,
    /// Their height and width.
    pub grid: Grid,
    /// Those of the first pass, where they were decoded for the second.
    pub first: Option<Vec<Vec<f32>>>,
    /// The prompts of the hires pass.
    pub hires: Option<GroupConditioning>,
}

impl<'a> Drawing<'a> {
    /// Makes ready what all pictures share: the init image is encoded.
    ///
    /// # Errors
    /// If the device fails or a latent is not a number.
    pub fn new(
        model: impl Into<ModelAccess<'a>>,
        plan: &'a DrawPlan,
        events: &dyn Events<Event>,
    ) -> Result<Self> {
        let model = model.into();
        Ok(Self { model, plan, init_image: InitImage::new(model.base(), plan, events)? })
    }

    /// Activates the adapters of the group that begins with a picture; `None` if stopped.
    ///
    /// # Errors
    /// If an adapter cannot be applied.
    pub fn activate(
        &self,
        first: usize,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<AdapterGuard<'a>>> {
        self.model.activate(&self.plan.adapters(first), events, stop)
    }

    /// Samples the latents of a group with its adapters; `None` if stopped.
    ///
    /// # Errors
    /// If the device fails or a latent is not a number.
    pub fn sample(
        &self,
        guard: AdapterGuard<'a>,
        conditioning: &GroupConditioning,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Sampled>> {
        let plan = self.plan;
        let s = plan.settings();
        let (height, width) = plan.latent_size();
        let grid = Grid::new(height, width);
        let image = self.init_image.as_ref();
        let start = image.map(|image| image.latents(plan, &conditioning.pictures));
        let pass = SamplingPass {
            sampler: s.sampler,
            schedule: s.schedule,
            steps: s.steps,
            grid,
            pass: 1,
            passes: if s.hires.is_some() { 2 } else { 1 },
        };
        let Some(first) = pass.run(&guard, plan, conditioning, start, events, stop)? else {
            return Ok(None);
        };
        // The hires pass may have other adapters.
        drop(guard);
        match s.hires {
            None => {
                let sampled = Sampled { latents: first, grid, first: None, hires: None };
                Ok(self.hashed(stop).then_some(sampled))
            }
            Some(_) => self.hires(conditioning.pictures.clone(), first, events, stop),
        }
    }

    /// Draws the faces of a finished picture again, where the plan wants it; `index` is its place in the
    /// plan. `None` if stopped.
    ///
    /// # Errors
    /// If the detector or the device fails, or something is not a number.
    pub fn detail(
        &self,
        picture: Picture,
        index: usize,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Picture>> {
        detail::apply(self.model, self.plan, index, picture, events, stop)
    }

    /// Waits for the base's hash, which stands in a picture's text; `false` if stopped.
    fn hashed(&self, stop: &Stop) -> bool {
        self.model.base().is_hashed_unless_stopped(stop)
    }

    /// The pass at the larger size.
    fn hires(
        &self,
        pictures: Range<usize>,
        first: Vec<Vec<f32>>,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Sampled>> {
        let plan = self.plan;
        let s = plan.settings();
        let Some(wanted) = &s.hires else { return Ok(None) };
        let target = wanted.size.target((s.width, s.height));
        let mut large = Vec::new();
        for latent in &first {
            let planes = self.enlarge(latent, wanted.upscaler, target.pixels, events, stop)?;
            large.extend(target.trim(&planes));
        }
        let (width, height) = target.latents();
        let grid = Grid::new(height, width);
        let adapters = plan.hires_adapters(pictures.start);
        let Some(guard) = self.model.activate(&adapters, events, stop)? else { return Ok(None) };
        let conditioning = GroupConditioning::encode_hires(&guard, plan, pictures)?;
        let pass = SamplingPass {
            sampler: wanted.sampler.unwrap_or(s.sampler),
            schedule: wanted.schedule.unwrap_or(s.schedule),
            steps: wanted.steps.unwrap_or(s.steps),
            grid,
            pass: 2,
            passes: 2,
        };
        let (denoise, exact_steps) = (wanted.denoise, true);
        let start = InitLatents { latents: large, denoise, exact_steps, mask: None };
        let Some(latents) = pass.run(&guard, plan, &conditioning, Some(start), events, stop)?
        else {
            return Ok(None);
        };
        let first = wanted.upscaler.on_pixels().then_some(first);
        Ok(self.hashed(stop).then_some(Sampled { latents, grid, first, hires: Some(conditioning) }))
    }

    /// One picture's latent at a larger size, before anything is cut off.
    fn enlarge(
        &self,
        latent: &[f32],
        upscaler: Upscaler,
        to: (usize, usize),
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Vec<f32>> {
        let (height, width) = self.plan.latent_size();
        if upscaler.on_pixels() {
            let small =
                picture::decode(self.model.base(), latent, Grid::new(height, width), events, stop)?;
            return encode_picture(self.model.base(), &upscaler.pixels(&small, to), events);
        }
        let latents = |(w, h): (usize, usize)| (w / 8, h / 8);
        Ok(upscaler.latents(latent, (width, height), latents(to)))
    }

    /// Decodes a picture of a group, lays over it what a mask keeps, and writes its text; `index` is
    /// its place in the plan.
    ///
    /// # Errors
    /// If the device fails, or the VAE gives something that is not a number: said, not black.
    pub fn finish(
        &self,
        conditioning: &GroupConditioning,
        sampled: &Sampled,
        index: usize,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Picture> {
        let latent = &sampled.latents[index - conditioning.pictures.start];
        let base = self.model.base();
        let drawn = picture::decode(base, latent, sampled.grid, events, stop)?;
        let Pixels { width, height, data, .. } = match &self.init_image {
            Some(image) => image.finish(drawn),
            None => drawn,
        };
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Picture {
            width: side(width),
            height: side(height),
            rgb: data,
            seed: self.plan.seed(index),
            infotext: infotext::write(
                base,
                self.plan,
                conditioning,
                sampled.hires.as_ref(),
                index,
            )?,
        })
    }
}
