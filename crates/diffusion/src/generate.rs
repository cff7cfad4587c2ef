//! Drawing: from a checked plan to pictures with their infotext.
//!
//! One group of pictures at a time: prompts to text states, seeds to noise, noise to latents by
//! the sampler, latents to pixels by the VAE.
mod begin;
mod guided;
mod infotext;
mod picture;
mod run;
mod texts;

pub use picture::{Picture, encode_picture};
pub use texts::{Conditioning, PartStates, Texts};

use crate::hires::Upscaler;
use crate::pictures::Pixels;
use crate::plan::DrawPlan;
use crate::{Base, Event, Result};
use begin::Begun;
use run::{Run, Start};
use std::ops::Range;
use std::time::Instant;
use wayword_interface::{Events, Stop};
use wayword_prompt::Quirks;
use wayword_tensor::Grid;

/// Draws all pictures of a plan. When asked to stop, gives those that are done.
///
/// # Errors
/// If the device fails or something is not a number.
pub fn draw(
    base: &Base,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    draw_each(base, plan, events, stop, &mut |_, picture| pictures.push(picture))?;
    Ok(pictures)
}

/// Draws all pictures of a plan and hands out each as soon as it is done, with its place in the
/// plan. When asked to stop, ends after those that are done; gives how many there were.
///
/// # Errors
/// If the device fails or something is not a number.
pub fn draw_each(
    base: &Base,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
    each: &mut dyn FnMut(usize, Picture),
) -> Result<usize> {
    let start = Instant::now();
    plan.remarks().into_iter().for_each(|remark| events.event(Event::Warned(remark)));
    let done = draw_groups(base, plan, events, stop, each);
    if !plan.settings().keep_loras {
        drop(base.using(&[])?);
    }
    let pictures = done?;
    let seconds = start.elapsed().as_secs_f64();
    events.event(Event::Finished { pictures, seconds });
    Ok(pictures)
}

fn draw_groups(
    base: &Base,
    plan: &DrawPlan,
    events: &dyn Events<Event>,
    stop: &Stop,
    each: &mut dyn FnMut(usize, Picture),
) -> Result<usize> {
    let drawing = Drawing::new(base, plan, events)?;
    let mut pictures = 0;
    for group in groups(plan) {
        let using = base.using(plan.networks(group.start))?;
        let texts = Texts::encode(base, plan, group.clone())?;
        drop(using);
        let Some(sampled) = drawing.sample(&texts, events, stop)? else { break };
        for index in group {
            let picture = drawing.finish(&texts, &sampled, index, events)?;
            let seed = picture.seed;
            each(index, picture);
            pictures += 1;
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

/// A plan that is being drawn on a base: what all its groups share.
#[derive(Debug)]
pub struct Drawing<'a> {
    base: &'a Base,
    plan: &'a DrawPlan,
    /// The picture to begin with.
    begun: Option<Begun>,
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
    /// The prompts of the second pass.
    pub later: Option<Texts>,
}

impl<'a> Drawing<'a> {
    /// Makes ready what all pictures share: a picture to begin with is encoded.
    ///
    /// # Errors
    /// If the device fails or a latent is not a number.
    pub fn new(base: &'a Base, plan: &'a DrawPlan, events: &dyn Events<Event>) -> Result<Self> {
        Ok(Self { base, plan, begun: Begun::new(base, plan, events)? })
    }

    /// Samples the latents of a group; `None` if stopped. Nobody may be wearing LoRAs on the base
    /// ([`Base::using`]) while this runs.
    ///
    /// # Errors
    /// If the device fails or a latent is not a number.
    pub fn sample(
        &self,
        texts: &Texts,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Sampled>> {
        let (base, plan) = (self.base, self.plan);
        let s = plan.settings();
        let (height, width) = plan.latent_size();
        let grid = Grid::new(height, width);
        let using = base.using(plan.networks(texts.pictures.start))?;
        let start = self.begun.as_ref().map(|begun| begun.start(plan, texts));
        let passes = if s.hires.is_some() { 2 } else { 1 };
        let run = Run {
            sampler: s.sampler,
            schedule: s.schedule,
            steps: s.steps,
            grid,
            passes: (1, passes),
        };
        let Some(first) = run.go(base, plan, texts, start, events, stop)? else { return Ok(None) };
        drop(using);
        match s.hires {
            None => Ok(Some(Sampled { latents: first, grid, first: None, later: None })),
            Some(_) => self.second(texts, first, events, stop),
        }
    }

    /// The pass at the larger size.
    fn second(
        &self,
        texts: &Texts,
        first: Vec<Vec<f32>>,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<Sampled>> {
        let (base, plan) = (self.base, self.plan);
        let s = plan.settings();
        let Some(wanted) = &s.hires else { return Ok(None) };
        let target = wanted.size.target((s.width, s.height));
        let mut large = Vec::new();
        for latent in &first {
            let planes = self.enlarge(latent, wanted.upscaler, target.pixels, events)?;
            large.extend(target.trim(&planes));
        }
        let (width, height) = target.latents();
        let grid = Grid::new(height, width);
        let pictures = texts.pictures.clone();
        let _using = base.using(plan.later_networks(pictures.start))?;
        let later = Texts::encode_later(base, plan, pictures)?;
        let steps = wanted.steps.unwrap_or(s.steps);
        let run = Run {
            sampler: wanted.sampler.unwrap_or(s.sampler),
            schedule: wanted.schedule.unwrap_or(s.schedule),
            steps,
            grid,
            passes: (2, 2),
        };
        let start = Start { latents: large, denoise: wanted.denoise, exact: true, mask: None };
        let Some(latents) = run.go(base, plan, &later, Some(start), events, stop)? else {
            return Ok(None);
        };
        let first = wanted.upscaler.on_pixels().then_some(first);
        Ok(Some(Sampled { latents, grid, first, later: Some(later) }))
    }

    /// One picture's latent at a larger size, before anything is cut off.
    fn enlarge(
        &self,
        latent: &[f32],
        upscaler: Upscaler,
        to: (usize, usize),
        events: &dyn Events<Event>,
    ) -> Result<Vec<f32>> {
        let (height, width) = self.plan.latent_size();
        if upscaler.on_pixels() {
            let small = picture::decode(self.base, latent, Grid::new(height, width), events)?;
            return encode_picture(self.base, &upscaler.pixels(&small, to), events);
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
        texts: &Texts,
        sampled: &Sampled,
        index: usize,
        events: &dyn Events<Event>,
    ) -> Result<Picture> {
        let latent = &sampled.latents[index - texts.pictures.start];
        let drawn = picture::decode(self.base, latent, sampled.grid, events)?;
        let Pixels { width, height, data, .. } = match &self.begun {
            Some(begun) => begun.finish(drawn),
            None => drawn,
        };
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Picture {
            width: side(width),
            height: side(height),
            rgb: data,
            seed: self.plan.seed(index),
            infotext: infotext::write(self.base, self.plan, texts, sampled.later.as_ref(), index)?,
        })
    }
}
