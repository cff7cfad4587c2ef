//! What happens in a job, told in one type for all kinds of jobs.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wayword_diffusion as diffusion;
use wayword_formats::png_text::encode_rgb8;
use wayword_interface::{Stop, Warning};
use wayword_train::event::{self as train, StartReport, StepReport};
use wayword_train::pick::Pick;
use wayword_train::plan::PlanSummary;

/// One thing that happened. In JSON an object whose `event` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A sentence for people.
    Note {
        /// The sentence.
        text: String,
    },
    /// Work begins whose length nobody knows.
    Phase {
        /// What it is: `reading images`, `measuring a step`.
        phase: String,
    },
    /// Something that the user should know, but that stops nothing.
    Warned(Warning),
    /// A file is being read.
    Loading {
        /// What it is: `base model`, `VAE`, `embeddings`.
        what: String,
        /// The file or folder.
        path: PathBuf,
    },
    /// A base is ready.
    Loaded {
        /// Tensors that are used.
        tensors: usize,
        /// Tensors that nobody took.
        unused: Vec<String>,
        /// Tensors that are left out on purpose.
        left_out: Vec<String>,
    },
    /// What a drawing will take, before its first step.
    Forecast {
        /// All images.
        pictures: usize,
        /// Seconds, once the base is loaded.
        seconds: f64,
        /// Bytes that are held at most, the base's weights included.
        memory: usize,
    },
    /// One sampler step of one group of images is done.
    DrawStep {
        /// Steps done of this group.
        step: usize,
        /// Steps of this group.
        of: usize,
        /// Images before this group.
        first: usize,
        /// All images.
        pictures: usize,
    },
    /// A drawing in progress, where previews were asked for.
    DrawPreview {
        /// The image's place, from 0.
        index: usize,
        /// Sampler steps done.
        step: usize,
        /// A small PNG file in base64; empty in a replay once a newer one of this image has come.
        png: String,
    },
    /// The job waits until others that use the base with other adapters are done.
    Waiting,
    /// An image is done.
    Picture {
        /// Its place, from 0.
        index: usize,
        /// All images.
        of: usize,
        /// Its seed.
        seed: u64,
    },
    /// All images are done.
    Drawn {
        /// Images made.
        pictures: usize,
        /// Seconds it took.
        seconds: f64,
    },
    /// A file was written.
    Saved {
        /// The file.
        path: PathBuf,
        /// After how many steps, for a training's files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
        /// Whether it is a part of a larger result, as a grid's cell.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        part: bool,
    },
    /// What a training will do, before anything is done.
    Plan(Box<PlanSummary>),
    /// An image was turned into latents.
    Encoded {
        /// Images done.
        done: usize,
        /// All images.
        of: usize,
    },
    /// The evaluation loss was computed.
    Measured {
        /// After how many steps.
        step: usize,
        /// The mean evaluation loss (fixed noise).
        fixed_noise_loss: f64,
    },
    /// A short run of those that are compared before a training's first step is done.
    Started(StartReport),
    /// A training step was made.
    Step(StepReport),
    /// A preview was drawn.
    Preview {
        /// The image.
        path: PathBuf,
        /// After how many steps.
        step: usize,
    },
    /// A preview was compared with the training images, where there is an image encoder.
    Similarity {
        /// The preview.
        path: PathBuf,
        /// After how many steps it was drawn.
        step: usize,
        /// The mean similarity to the training images; 1 is the same.
        similarity: f64,
    },
    /// A run's page was written.
    Report {
        /// The page.
        path: PathBuf,
    },
    /// The best step of a run was chosen.
    Picked(Box<Pick>),
    /// A training was asked to stop; its state is saved.
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps planned.
        of: usize,
        /// The run's folder, by which it goes on.
        run: PathBuf,
    },
    /// All steps of a training are done.
    Finished(train::Outcome),
}

impl Event {
    /// An event of drawing or loading; `None` for news that no face shows.
    #[must_use]
    pub fn of_drawing(event: diffusion::Event) -> Option<Self> {
        use diffusion::Event as From;
        Some(match event {
            From::Loading { what, path } => Self::Loading { what: what.into(), path },
            From::Loaded(report) => Self::Loaded {
                tensors: report.tensors,
                unused: report.unused,
                left_out: report.left_out,
            },
            From::Step { step, of, first, pictures } => {
                Self::DrawStep { step, of, first, pictures }
            }
            From::Waiting => Self::Waiting,
            From::Preview { index, step, picture } => {
                let side = |n: usize| u32::try_from(n).ok();
                let (width, height) = (side(picture.width)?, side(picture.height)?);
                let png = encode_rgb8(width, height, &picture.rgb, &[]).ok()?;
                Self::DrawPreview { index, step, png: BASE64.encode(png) }
            }
            From::Picture { index, of, seed } => Self::Picture { index, of, seed },
            From::Saved(path) => Self::Saved { path, step: None, part: false },
            From::Warned(warning) => Self::Warned(warning),
            From::Finished { pictures, seconds } => Self::Drawn { pictures, seconds },
            // The libraries may tell more one day.
            _ => return None,
        })
    }

    /// An event of a training.
    #[must_use]
    pub fn of_training(event: train::Event) -> Option<Self> {
        use train::Event as From;
        Some(match event {
            From::Draw(event) => return Self::of_drawing(event),
            From::Planned(summary) => Self::Plan(summary),
            From::Encoded { done, of } => Self::Encoded { done, of },
            From::Evaluated { step, loss } => Self::Measured { step, fixed_noise_loss: loss },
            From::Started(report) => Self::Started(report),
            From::Step(report) => Self::Step(report),
            From::Saved { path, step } => Self::Saved { path, step: Some(step), part: false },
            From::Previewed { path, step } => Self::Preview { path, step },
            From::Reported { path } => Self::Report { path },
            From::Warned(warning) => Self::Warned(warning),
            From::Stopped { step, of, run } => Self::Stopped { step, of, run },
            From::Finished(outcome) => Self::Finished(outcome),
            // The libraries may tell more one day.
            _ => return None,
        })
    }
}

/// Where a job's work tells what happens, and hears that it is to stop.
pub(crate) struct Progress<'a> {
    pub(crate) tell: &'a (dyn Fn(Event) + Sync),
    pub(crate) stop: &'a Stop,
}

impl Progress<'_> {
    /// A sentence for people.
    pub(crate) fn note(&self, text: &str) {
        (self.tell)(Event::Note { text: text.to_owned() });
    }

    /// Work begins whose length nobody knows.
    pub(crate) fn phase(&self, phase: &str) {
        (self.tell)(Event::Phase { phase: phase.to_owned() });
    }

    /// A warning.
    pub(crate) fn warn(&self, warning: Warning) {
        (self.tell)(Event::Warned(warning));
    }

    /// A file was written, `part` of a larger result or not.
    pub(crate) fn saved(&self, path: PathBuf, part: bool) {
        (self.tell)(Event::Saved { path, step: None, part });
    }

    /// Ends the job's work here if it was asked to stop.
    pub(crate) fn go_on(&self) -> Result<(), crate::Failure> {
        if self.stop.is_requested() {
            return Err(crate::Failure::stopped("before the work was done"));
        }
        Ok(())
    }
}

impl wayword_interface::Events<diffusion::Event> for Progress<'_> {
    fn event(&self, event: diffusion::Event) {
        Event::of_drawing(event).into_iter().for_each(self.tell);
    }
}

impl wayword_interface::Events<train::Event> for Progress<'_> {
    fn event(&self, event: train::Event) {
        Event::of_training(event).into_iter().for_each(self.tell);
    }
}
