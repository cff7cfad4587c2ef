//! Pictures of the best candidates, and their similarity to the training pictures.
use super::{Cost, PickOptions};
use crate::dataset::image as files;
use crate::image_encoder::{ImageEncoder, similarity};
use crate::plan::TrainPlan;
use crate::previews;
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::{Error, Event, Result};
use image::RgbImage;
use std::sync::Arc;
use wayword_diffusion::{AdapterGuard, DrawPlan, DrawSettings, draw};
use wayword_interface::{Events, Stop};

/// Sampler steps of a picture.
const STEPS: u32 = 12;
/// Forwards of a step: the prompt and the negative prompt.
const FORWARDS: f64 = 2.0;
/// Share of the run's evaluations that drawing may take.
const SHARE: f64 = 0.35;
/// Pictures of a candidate at most.
const MOST: usize = 8;
/// Seed of the first picture.
const SEED: u64 = 5001;
/// Training pictures that are compared with at most.
const REFERENCES: usize = 32;
/// Pixels of a side up to which pictures are drawn together.
const SMALL: u32 = 128;
/// The other words of every fourth picture, in turn.
const OTHER_WORDS: [&str; 2] = [" at the beach", " wearing a crown"];

/// A candidate's pictures.
#[derive(Debug, Clone)]
pub struct DrawnSteps {
    /// Which.
    pub steps: StepChoice,
    /// `a photo of NAME`, with other seeds.
    pub plain: Vec<RgbImage>,
    /// The same with other words.
    pub others: Vec<RgbImage>,
}

/// Draws candidates with the same prompts and noise.
pub(super) struct Drawing<'a> {
    model: &'a AdapterGuard<'a>,
    plan: &'a TrainPlan,
    kept: &'a KeptVectors,
    judge: Option<&'a dyn ImageEncoder>,
    /// The judge's vectors of the training pictures, or why there are none.
    references: Vec<Vec<f32>>,
    cfg: f64,
    /// Pictures of a candidate, and those of them with other words.
    each: (usize, usize),
    /// Steps that were scored; empty where there is no room for neighbors.
    steps: Vec<usize>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(
        model: &'a AdapterGuard<'a>,
        plan: &'a TrainPlan,
        kept: &'a KeptVectors,
        options: &PickOptions<'a>,
        cost: &Cost,
        steps: &[usize],
    ) -> Self {
        let (each, candidates) = counts(cost.run, options.draw);
        let steps = if candidates > options.draw { steps.to_vec() } else { Vec::new() };
        let references = match options.judge {
            Some(judge) if options.draw > 0 => references(judge, plan),
            _ => Vec::new(),
        };
        let (judge, cfg) = (options.judge, options.cfg);
        Self { model, plan, kept, judge, references, cfg, each: (each, each / 4), steps }
    }

    /// Whether pictures are judged.
    pub(super) fn judges(&self) -> bool {
        self.judge.is_some() && !self.references.is_empty()
    }

    /// What pictures cost, in evaluations.
    pub(super) fn evaluations(&self, drawn: &[DrawnSteps]) -> f64 {
        let count: usize = drawn.iter().map(|d| d.plain.len() + d.others.len()).sum();
        count as f64 * picture()
    }

    /// The steps that were scored before and after the chosen ones.
    pub(super) fn neighbors(&self, chosen: StepChoice) -> Vec<StepChoice> {
        let middle = chosen.middle();
        let before = self.steps.iter().rev().find(|step| **step < middle);
        let after = self.steps.iter().find(|step| **step > middle);
        before.into_iter().chain(after).map(|step| StepChoice::One(*step)).collect()
    }

    /// Draws a candidate; `None` where a stop was requested.
    pub(super) fn draw(
        &self,
        steps: StepChoice,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<DrawnSteps>> {
        let base = self.model.base();
        let vectors = self.kept.all(steps)?;
        let name: Vec<&str> = self.plan.embeddings.iter().map(|e| e.name.as_str()).collect();
        let name = name.join(" ");
        let (count, others) = self.each;
        let plain = count - others;
        let mut settings = DrawSettings::new(base, "");
        let with = |i: usize| OTHER_WORDS[i % OTHER_WORDS.len()];
        let prompt = |i: usize| match i.checked_sub(plain) {
            None => format!("a photo of {name}"),
            Some(other) => format!("a photo of {name}{}", with(other)),
        };
        settings.prompts = (0..count).map(prompt).collect();
        (settings.cfg, settings.steps, settings.seed) = (self.cfg, STEPS, SEED);
        (settings.count, settings.clip_skip) = (count, self.plan.clip_skip);
        settings.batch = if settings.width.max(settings.height) <= SMALL { count } else { 1 };
        settings.embeddings = Some(Arc::new(previews::learned(base, self.plan, &vectors)?));
        settings.adapters = self.model.networks().to_vec();
        let told = |event: wayword_diffusion::Event| {
            if matches!(event, wayword_diffusion::Event::Step { .. }) {
                events.event(Event::Draw(event));
            }
        };
        let drawn = draw(self.model, &DrawPlan::new(base, settings)?, &told, stop)?;
        if drawn.len() < count {
            return Ok(None);
        }
        let mut pictures = Vec::with_capacity(count);
        for picture in drawn {
            let picture = RgbImage::from_raw(picture.width, picture.height, picture.rgb);
            pictures.push(picture.ok_or_else(|| Error::data("an image of the wrong size"))?);
        }
        let others = pictures.split_off(plain);
        Ok(Some(DrawnSteps { steps, plain: pictures, others }))
    }

    /// The similarity of plain pictures to the training pictures; `None` without a judge.
    pub(super) fn judged(&self, drawn: &DrawnSteps) -> Result<Option<f64>> {
        let Some(judge) = self.judge.filter(|_| self.judges()) else { return Ok(None) };
        let vectors: Result<Vec<_>> = drawn.plain.iter().map(|p| judge.vector(p)).collect();
        Ok(Some(similarity(&vectors?, &self.references)?.mean))
    }
}

/// Pictures of a candidate, and how many candidates are drawn: those that are asked for, and the
/// neighbors of the best where there is room.
fn counts(run: f64, draw: usize) -> (usize, usize) {
    let pictures = (run * SHARE / picture()) as usize;
    match pictures / (draw + 2) {
        each @ 3.. => (each.min(MOST), draw + 2),
        _ => ((pictures / draw.max(1)).clamp(1, MOST), draw),
    }
}

/// Pictures that the pick of a run draws at most, and the forwards of each.
pub(super) fn pictures(run: f64, draw: usize) -> (usize, usize) {
    let (each, candidates) = counts(run, draw);
    (each * candidates, STEPS as usize * FORWARDS as usize)
}

/// Evaluations of a picture.
fn picture() -> f64 {
    f64::from(STEPS) * FORWARDS / 3.0
}

/// The judge's vectors of the training pictures that are still there and that it knows, of 32 at most.
#[must_use]
pub fn references(judge: &dyn ImageEncoder, plan: &TrainPlan) -> Vec<Vec<f32>> {
    let learned = plan.pictures.iter().enumerate().filter(|(place, _)| !plan.is_regular(*place));
    let vector = |path: &std::path::Path| {
        let rgb = files::read(path, !plan.kohya_numbers).ok()?.rgb;
        let picture = RgbImage::from_raw(rgb.width as u32, rgb.height as u32, rgb.data)?;
        let vector = judge.vector(&picture).ok()?;
        judge.knows(&picture, &vector).ok()?.then_some(vector)
    };
    learned.take(REFERENCES).filter_map(|(_, picture)| vector(&picture.path)).collect()
}
