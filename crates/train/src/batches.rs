//! Which pictures meet in which batch, and what a batch is made of: captions, latents, noise.
//!
//! A micro-batch is one batch; they are numbered through the whole run, and everything random in one
//! comes from generators of that number ([`crate::rng`]).
use crate::Result;
use crate::embedding::Lexicon;
use crate::latents::{LatentSource, LatentView};
use crate::loss::LossOptions;
use crate::noise_options::{self, NoiseSource, Rounding, STEPS};
use crate::plan::TrainPlan;
use crate::rng::{Purpose, Rng, RngStreams};
use crate::training_loop::compose::{Composer, Parts};
use crate::training_loop::micro_batch::MicroBatch;
use std::borrow::Cow;
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::{Tokenizer, VOCABULARY};
use wayword_interface::Diagnostic;
use wayword_prompt::RandomSource;
use wayword_prompt::caption::{self, CaptionOptions, Moment, Replacement};
use wayword_prompt::template::{Template, Templates};
use wayword_tensor::random::TorchGenerator;

/// Batches of the set by which a run is measured.
pub(crate) const EVALUATION_BATCHES: usize = 8;

/// Makes the batches of a run.
pub struct Batches<'a> {
    plan: &'a TrainPlan,
    base: &'a Base,
    sources: &'a [LatentSource],
    tokenizer: &'a Tokenizer,
    lexicon: Lexicon,
    templates: Option<Templates>,
    /// What is done to the captions of each set.
    captions: Vec<CaptionOptions>,
    /// What stands for the embeddings in a template, for each picture.
    tokens: Vec<String>,
    streams: RngStreams,
    composer: Composer,
    /// The plain square, by which a run is measured.
    plain: Composer,
    /// Batches in an epoch, and updates.
    per_epoch: (usize, usize),
    /// The epoch, from 0, whose order is at hand.
    order: (usize, Vec<Vec<usize>>),
}

/// One batch of a step: its number in the run, and its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// The number of the micro-batch, from 0.
    pub number: u64,
    /// Places in the plan's list of pictures.
    pub pictures: Vec<usize>,
}

impl<'a> Batches<'a> {
    /// The batches of a plan whose pictures were read.
    ///
    /// # Errors
    /// If the plan's sentences have a mistake.
    pub fn new(base: &'a Base, plan: &'a TrainPlan, sources: &'a [LatentSource]) -> Result<Self> {
        let templates = plan.sentences.as_ref().map(|lines| Templates::parse(&lines.join("\n")));
        let templates = templates.transpose().map_err(Diagnostic::from)?;
        let counts = plan.counts();
        let mut batches = Self {
            plan,
            base,
            sources,
            tokenizer: &base.tokenizer,
            lexicon: Lexicon::new(&plan.embeddings, VOCABULARY as u32, plan.kohya_numbers),
            templates,
            captions: plan.sets.iter().map(crate::plan::PictureSet::captions).collect(),
            tokens: plan.tokens(),
            streams: RngStreams::new(plan.seed),
            composer: composer(plan, &plan.loss),
            plain: composer(
                plan,
                &LossOptions { v_prediction: plan.loss.v_prediction, ..LossOptions::default() },
            ),
            per_epoch: (counts.batches_per_epoch as usize, counts.updates_per_epoch as usize),
            order: (0, Vec::new()),
        };
        batches.order.1 = batches.order_of(0);
        Ok(batches)
    }

    /// The epoch of a step, both from 0.
    #[must_use]
    pub fn epoch_of(&self, step: usize) -> usize {
        step / self.per_epoch.1
    }

    /// Whether an epoch ends with a step, from 0.
    #[must_use]
    pub fn ends_epoch(&self, step: usize) -> bool {
        (step + 1).is_multiple_of(self.per_epoch.1)
    }

    /// The batches of a step, counted from 0. The last step of an epoch may have fewer: what is
    /// left over.
    pub fn of_step(&mut self, step: usize) -> Vec<BatchPlan> {
        let epoch = self.epoch_of(step);
        if self.order.0 != epoch {
            self.order = (epoch, self.order_of(epoch));
        }
        let first = step % self.per_epoch.1 * self.plan.accumulate;
        let end = (first + self.plan.accumulate).min(self.per_epoch.0);
        let number = |place: usize| (epoch * self.per_epoch.0 + place) as u64;
        (first..end)
            .map(|place| BatchPlan { number: number(place), pictures: self.order.1[place].clone() })
            .collect()
    }

    /// The batches of an epoch. Every picture is seen once before any is seen twice.
    fn order_of(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = self.streams.generator(Purpose::Order, epoch as u64);
        let pictures = &self.plan.pictures;
        let mut batches = Vec::new();
        let groups = self.plan.groups();
        for ((dataset, _), group) in &groups {
            let rounds = group.iter().map(|i| pictures[*i].repeats).max().unwrap_or(0);
            let mut samples = Vec::new();
            for round in 0..rounds {
                let due = group.iter().filter(|i| pictures[**i].repeats > round);
                let due: Vec<usize> = due.copied().collect();
                samples.extend(rng.randperm(due.len()).into_iter().map(|i| due[i]));
            }
            let batch = self.plan.datasets[*dataset].batch;
            batches.extend(samples.chunks(batch).map(<[usize]>::to_vec));
        }
        if groups.len() > 1 {
            let order = rng.randperm(batches.len());
            batches = order.into_iter().map(|i| batches[i].clone()).collect();
        }
        batches
    }

    /// The captions of a batch, as the text encoder will see them.
    #[must_use]
    pub fn captions(&self, batch: &BatchPlan) -> Vec<String> {
        let mut rng = Rng(self.streams.generator(Purpose::Captions, batch.number));
        let number = batch.number as usize;
        let epoch = (number / self.per_epoch.0) as u64 + 1;
        let (step, steps) = (self.step_of(batch) as u64, self.plan.steps as u64);
        let moment = Moment { step, epoch, steps };
        batch.pictures.iter().map(|place| self.caption(*place, moment, &mut rng)).collect()
    }

    /// The step of a batch, counted from 0.
    fn step_of(&self, batch: &BatchPlan) -> usize {
        let number = batch.number as usize;
        let epoch = number / self.per_epoch.0;
        epoch * self.per_epoch.1 + number % self.per_epoch.0 / self.plan.accumulate
    }

    fn caption(&self, place: usize, moment: Moment, rng: &mut dyn RandomSource) -> String {
        let picture = &self.plan.pictures[place];
        let (text, options) = (&picture.caption, &self.captions[picture.set]);
        let templates = self.templates.as_ref().filter(|_| !self.plan.is_regular(place));
        let Some(templates) = templates else {
            return caption::caption(text, options, moment, &[], rng);
        };
        let list = templates.list();
        let text = if list.iter().any(Template::has_filewords) {
            let undropped =
                CaptionOptions { dropout_rate: 0.0, dropout_every_n_epochs: 0, ..options.clone() };
            caption::caption(text, &undropped, moment, &[], rng)
        } else {
            String::new()
        };
        let token = &self.tokens[place];
        let filled = list.iter().map(|template| template.fill(token, &text)).collect();
        let dropped = CaptionOptions {
            dropout_rate: options.dropout_rate,
            dropout_every_n_epochs: options.dropout_every_n_epochs,
            ..CaptionOptions::default()
        };
        caption::caption("", &dropped, moment, &[Replacement::Whole(filled)], rng)
    }

    /// All that a micro-batch depends on.
    ///
    /// # Errors
    /// If the device fails.
    pub fn make(&self, batch: &BatchPlan) -> Result<MicroBatch> {
        let low = self.plan.high_noise.map_or(0, |first| first.low(self.step_of(batch)));
        self.make_from(batch, low)
    }

    /// The same with timesteps of at least `low`.
    fn make_from(&self, batch: &BatchPlan, low: usize) -> Result<MicroBatch> {
        let timesteps = self.timesteps(batch, low);
        let mut noise = Drawn(self.streams.generator(Purpose::Noise, batch.number));
        let rng = self.streams.generator(Purpose::Latents, batch.number);
        let mut changes = Rng(self.streams.generator(Purpose::Changes, batch.number));
        let view = |place: &usize| self.sources[*place].drawn(self.base, &mut changes);
        let views = batch.pictures.iter().map(view).collect::<Result<Vec<_>>>()?;
        let mut parts = self.parts(batch, &views, timesteps, rng);
        let shape = [batch.pictures.len(), 4, parts.grid.height, parts.grid.width];
        parts.noise = noise_options::noise(&mut noise, &parts.latents, shape, &self.plan.noise);
        if self.plan.noise.ip_gamma != 0.0 {
            let perturbed = noise_options::perturbed(&mut noise, &parts.noise, &self.plan.noise);
            parts.perturbed = Some(perturbed);
        }
        Ok(self.composer.batch(parts))
    }

    /// The timesteps of a batch.
    fn timesteps(&self, batch: &BatchPlan, least: usize) -> Vec<usize> {
        let (low, high) = self.plan.timesteps;
        let low = low.max(least);
        let count = batch.pictures.len();
        let mut levels = self.streams.generator(Purpose::Timesteps, batch.number);
        let drawn = levels.randint(low as i64, high as i64, count);
        drawn.iter().map(|t| *t as usize).collect()
    }

    /// The batch of a step of a short run: one picture, with timesteps of at least `low`.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn of_start(&self, start: usize, step: usize, low: usize) -> Result<MicroBatch> {
        let pictures = self.learned();
        let number = 1 << 40 | (start as u64) << 20;
        let (epoch, place) = (step / pictures.len(), step % pictures.len());
        let mut rng = self.streams.generator(Purpose::Order, number | epoch as u64);
        let picture = pictures[rng.randperm(pictures.len())[place]];
        self.make_from(&BatchPlan { number: number | step as u64, pictures: vec![picture] }, low)
    }

    /// The pictures of the embedding, without those of regularization.
    fn learned(&self) -> Vec<usize> {
        (0..self.plan.pictures.len()).filter(|place| !self.plan.is_regular(*place)).collect()
    }

    /// A set by which starts or steps are compared: the noise is the same each time and the timesteps
    /// are spread from `low` up.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn comparison_set(&self, samples: usize, low: usize) -> Result<Vec<MicroBatch>> {
        self.fixed_set((samples, low), 1 << 41, Purpose::Comparison)
    }

    /// The set by which a run is measured: the same noise, levels and latents before and after.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluation_set(&self) -> Result<Vec<MicroBatch>> {
        self.fixed_set((EVALUATION_BATCHES, 0), 0, Purpose::Evaluation)
    }

    /// Micro-batches of one sample each that are the same at every call, numbered from `first`.
    fn fixed_set(
        &self,
        (samples, low): (usize, usize),
        first: u64,
        purpose: Purpose,
    ) -> Result<Vec<MicroBatch>> {
        let pictures = self.learned();
        let low = if low < self.plan.timesteps.1 { low } else { 0 };
        let fixed_batch = |i: usize| {
            let place = pictures[i * 7 % pictures.len()];
            let batch = BatchPlan { number: first | i as u64, pictures: vec![place] };
            let level = low + (2 * i + 1) * (STEPS - low) / (2 * samples);
            let mut noise = self.streams.generator(purpose, i as u64);
            let rng = TorchGenerator::new(noise.next_u64());
            let views = [self.sources[place].plain(self.base)?];
            let mut parts = self.parts(&batch, &views, vec![level], rng);
            parts.noise = noise.randn(parts.latents.len());
            Ok(self.plain.batch(parts))
        };
        (0..samples).map(fixed_batch).collect()
    }

    /// Everything of a batch but its noise.
    fn parts<'v>(
        &self,
        batch: &BatchPlan,
        views: &'v [Cow<'_, LatentView>],
        timesteps: Vec<usize>,
        mut rng: TorchGenerator,
    ) -> Parts<'v> {
        let mut latents = Vec::new();
        for (place, view) in batch.pictures.iter().zip(views) {
            if self.plan.kohya_numbers && !view.fresh {
                // Drawn once: the same draw at every use.
                let last = if view.mirrored { u64::MAX / 2 } else { u64::MAX };
                rng = self.streams.generator(Purpose::Latents, last - *place as u64);
            }
            latents.extend(view.latent.draw(&mut rng));
        }
        let captions = self.captions(batch);
        let windows = self.plan.windows;
        let ids = |text: &String| self.lexicon.windows(self.tokenizer, text, windows);
        let sample_weight = |place: &usize| {
            if self.plan.is_regular(*place) { self.plan.prior_loss_weight as f32 } else { 1.0 }
        };
        Parts {
            grid: views[0].latent.grid,
            latents,
            noise: Vec::new(),
            perturbed: None,
            timesteps,
            ids: captions.iter().flat_map(ids).collect(),
            windows,
            sample_weights: batch.pictures.iter().map(sample_weight).collect(),
            masks: views.iter().map(|view| view.mask.as_deref()).collect(),
        }
    }
}

fn composer(plan: &TrainPlan, loss: &LossOptions) -> Composer {
    let wide = plan.noise.is_wide();
    let rounding = if plan.kohya_numbers { plan.mixed_precision.rounding() } else { Rounding::F32 };
    Composer::new(loss, plan.zero_terminal_snr, rounding, wide, plan.clip_skip)
}

/// A generator as the source of noise.
struct Drawn(TorchGenerator);

impl NoiseSource for Drawn {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        self.0.randn(count)
    }

    fn next_f64(&mut self) -> f64 {
        f64::from(self.0.uniform())
    }
}
