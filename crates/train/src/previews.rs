//! Previews: pictures of prompts, drawn on the way with the embedding as it is. Never unasked.
//!
//! They lie in the run's folder, `samples/NAME_000200_00_SEED.png`, with all their settings inside.
//! What is drawn stands in the plan, so a run that goes on draws what an undisturbed one would.
mod prompts;

use crate::event::Event;
use crate::plan::{TrainOptions, TrainPlan};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{AdapterGuard, Base, BaseInfo, DrawPlan, DrawSettings, Embeddings, draw};
use wayword_formats::png_text::{PngText, encode_rgb8};
use wayword_formats::{Fault, atomic};
use wayword_interface::{Diagnostic, Events, Stop, Warning};

/// The folder of previews in the run's.
pub const FOLDER: &str = "samples";

/// When previews are drawn, and of what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Previews {
    /// Every so many steps; 0 never.
    pub every_steps: usize,
    /// Every so many epochs; 0 never.
    pub every_epochs: usize,
    /// Before the first step.
    pub at_first: bool,
    /// What is drawn each time.
    pub prompts: Vec<PreviewPrompt>,
}

/// A picture to draw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PreviewPrompt {
    /// The prompt.
    pub prompt: String,
    /// What is not wanted.
    pub negative: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its seed, the same each time.
    pub seed: u64,
    /// Sampler steps.
    pub steps: u32,
    /// How strongly the prompt guides.
    pub cfg: f64,
    /// The sampler's name.
    pub sampler: String,
}

impl Previews {
    /// What options ask for; `None` where they ask for nothing.
    ///
    /// # Errors
    /// If the prompts cannot be read or hold something unknown.
    pub fn decide(
        options: &TrainOptions,
        base: &BaseInfo,
        (token, seed): (&str, u64),
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Self>> {
        let (every_steps, every_epochs) = (options.sample_every, options.sample_every_epochs);
        if every_steps == 0 && every_epochs == 0 && !options.sample_at_first {
            if options.sample_prompts.is_some() {
                warnings.push(
                    Warning::new(
                        "{train.sample_prompts} draws nothing: no {train.sample_every} is given",
                    )
                    .with_hint("add {train.sample_every} N"),
                );
            }
            return Ok(None);
        }
        if !(1..=1000).contains(&options.sample_steps) {
            let found = options.sample_steps.to_string();
            return Err(Error::option("train.sample_steps", "a number from 1 to 1000", found));
        }
        if !options.sample_cfg.is_finite() {
            let found = options.sample_cfg.to_string();
            return Err(Error::option("train.sample_cfg", "a number", found));
        }
        let sampler = match options.sample_sampler.as_deref() {
            Some(name) => prompts::sampler("{train.sample_sampler}", name)?,
            None => String::new(),
        };
        let plain = PreviewPrompt {
            prompt: String::new(),
            negative: String::new(),
            width: base.resolution.0,
            height: base.resolution.1,
            seed,
            steps: options.sample_steps,
            cfg: options.sample_cfg,
            sampler,
        };
        let prompts = match options.sample_prompts.as_deref() {
            Some(given) => prompts::read(given, &plain)?,
            None => vec![PreviewPrompt { prompt: format!("photo of {token}"), ..plain }],
        };
        Ok(Some(Self { every_steps, every_epochs, at_first: options.sample_at_first, prompts }))
    }

    /// Whether previews follow step `step` (0: before the first), with which `epoch` ends.
    #[must_use]
    pub fn is_due(&self, step: usize, epoch: Option<usize>) -> bool {
        let every = |n: usize, every: usize| every > 0 && n > 0 && n.is_multiple_of(every);
        (step == 0 && self.at_first)
            || every(step, self.every_steps)
            || epoch.is_some_and(|epoch| every(epoch, self.every_epochs))
    }

    /// How often they are drawn in so many steps and epochs.
    #[must_use]
    pub fn times(&self, steps: usize, epochs: usize) -> usize {
        let every = |n: usize, every: usize| n.checked_div(every).unwrap_or(0);
        usize::from(self.at_first)
            + every(steps, self.every_steps)
            + every(epochs, self.every_epochs)
    }

    /// The file of a preview, by its place among the prompts.
    #[must_use]
    pub fn path(&self, run: &Path, name: &str, step: usize, place: usize) -> PathBuf {
        let seed = self.prompts.get(place).map_or(0, |prompt| prompt.seed);
        run.join(FOLDER).join(format!("{name}_{step:06}_{place:02}_{seed}.png"))
    }

    /// Checks every prompt against the base, before anything is trained.
    ///
    /// # Errors
    /// If a prompt cannot be drawn.
    pub fn check(&self, base: &Base, plan: &TrainPlan) -> Result<()> {
        let embeddings = Arc::new(Embeddings::new(base));
        for (place, prompt) in self.prompts.iter().enumerate() {
            let checked = settings(base, plan, prompt, &embeddings)
                .and_then(|settings| Ok(DrawPlan::new(base, settings)?));
            if let Err(error) = checked {
                let what = format!("preview {}, \"{}\" cannot be drawn", place + 1, prompt.prompt);
                return Err(Diagnostic::from(error).in_context(what).into());
            }
        }
        Ok(())
    }

    /// Draws what is not there yet of the previews after `step`. Stops between pictures when asked.
    ///
    /// # Errors
    /// If the device fails or a file cannot be written.
    pub fn draw(
        &self,
        (model, plan): (&AdapterGuard<'_>, &TrainPlan),
        (run, step, vectors): (&Path, usize, &[f32]),
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<()> {
        let base = model.base();
        let mut embeddings = None;
        for (place, prompt) in self.prompts.iter().enumerate() {
            let path = self.path(run, &plan.name, step, place);
            if path.exists() {
                continue;
            }
            let embeddings = match &embeddings {
                Some(embeddings) => Arc::clone(embeddings),
                None => Arc::clone(embeddings.insert(Arc::new(learned(base, plan, vectors)?))),
            };
            let mut settings = settings(base, plan, prompt, &embeddings)?;
            settings.adapters = model.networks().to_vec();
            let forward = |event: wayword_diffusion::Event| {
                if matches!(event, wayword_diffusion::Event::Step { .. }) {
                    events.event(Event::Draw(event));
                }
            };
            let drawn = draw(model, &DrawPlan::new(base, settings)?, &forward, stop)?;
            let Some(picture) = drawn.first() else { return Ok(()) };
            let text = PngText { key: "parameters".into(), text: picture.infotext.clone() };
            let png = encode_rgb8(picture.width, picture.height, &picture.rgb, &[text])
                .map_err(|fault| fault.at(&path))?;
            let written = std::fs::create_dir_all(run.join(FOLDER))
                .and_then(|()| atomic::write_bytes(&path, &png));
            written.map_err(|e| Fault::Io(e).at(&path))?;
            events.event(Event::Previewed { path, step });
        }
        Ok(())
    }
}

/// The embeddings as prompts call them: by their names, and by what stands for them in captions.
pub(crate) fn learned(base: &Base, plan: &TrainPlan, vectors: &[f32]) -> Result<Embeddings> {
    let mut embeddings = Embeddings::new(base);
    let mut rest = vectors;
    for embedding in &plan.embeddings {
        let part = rest.split_off(..embedding.vectors * base.info.token_width).unwrap_or_default();
        embeddings.add(&embedding.name, part.to_vec(), None)?;
        if embedding.token != embedding.name {
            embeddings.add(&embedding.token, part.to_vec(), None)?;
        }
    }
    Ok(embeddings)
}

fn settings(
    base: &Base,
    plan: &TrainPlan,
    prompt: &PreviewPrompt,
    embeddings: &Arc<Embeddings>,
) -> Result<DrawSettings> {
    let known = resolve(&prompt.sampler, None, false);
    let (sampler, schedule) = known.map_err(Diagnostic::from)?;
    let mut settings = DrawSettings::new(base, prompt.prompt.clone());
    settings.negatives = vec![prompt.negative.clone()];
    (settings.width, settings.height) = (prompt.width, prompt.height);
    (settings.steps, settings.cfg, settings.seed) = (prompt.steps, prompt.cfg, prompt.seed);
    (settings.sampler, settings.schedule) = (sampler.kind, schedule);
    settings.clip_skip = plan.clip_skip;
    settings.embeddings = Some(Arc::clone(embeddings));
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_due_when_they_were_asked_for() {
        let due = |previews: &Previews| -> Vec<usize> {
            (0..=12).filter(|s| previews.is_due(*s, s.is_multiple_of(4).then_some(s / 4))).collect()
        };
        assert_eq!(due(&Previews::default()), [0; 0]);
        let previews = Previews { every_steps: 5, at_first: true, ..Previews::default() };
        assert_eq!(due(&previews), [0, 5, 10]);
        let previews = Previews { every_epochs: 2, ..Previews::default() };
        assert_eq!(due(&previews), [8]);
    }
}
