//! Which pictures meet in which batch, and what a batch is made of: captions, latents, noise.
//!
//! A micro-step is one batch; they are numbered through the whole run, and everything random in one
//! comes from generators of that number ([`crate::streams`]).
use crate::latents::Latent;
use crate::loss::LossOptions;
use crate::noise_options::{self, Draws, Rounding, STEPS};
use crate::plan::TrainPlan;
use crate::recipe::compose::{Composer, Parts};
use crate::recipe::micro::MicroBatch;
use crate::streams::{Chance, Purpose, Streams};
use crate::words::Lexicon;
use crate::{Error, Result};
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::{Tokenizer, VOCABULARY};
use wayword_prompt::template::Templates;
use wayword_tensor::random::TorchGenerator;

/// Batches of the set by which a run is measured.
const FIXED_BATCHES: usize = 8;

/// Makes the batches of a run.
#[derive(Debug)]
pub struct Batches<'a> {
    plan: &'a TrainPlan,
    latents: &'a [Latent],
    tokenizer: &'a Tokenizer,
    lexicon: Lexicon,
    templates: Option<Templates>,
    streams: Streams,
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
pub struct Numbered {
    /// The number of the micro-step, from 0.
    pub number: u64,
    /// Places in the plan's list of pictures.
    pub pictures: Vec<usize>,
}

impl<'a> Batches<'a> {
    /// The batches of a plan whose pictures were encoded.
    ///
    /// # Errors
    /// If the plan's sentences have a mistake.
    pub fn new(base: &'a Base, plan: &'a TrainPlan, latents: &'a [Latent]) -> Result<Self> {
        let templates = plan.sentences.as_ref().map(|lines| Templates::parse(&lines.join("\n")));
        let templates = templates.transpose().map_err(|e| Error::data(e.to_string()))?;
        let counts = plan.counts();
        let mut batches = Self {
            plan,
            latents,
            tokenizer: &base.tokenizer,
            lexicon: Lexicon::new(&plan.words, VOCABULARY as u32, plan.kohya_numbers),
            templates,
            streams: Streams::new(plan.seed),
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
    pub fn of_step(&mut self, step: usize) -> Vec<Numbered> {
        let epoch = self.epoch_of(step);
        if self.order.0 != epoch {
            self.order = (epoch, self.order_of(epoch));
        }
        let first = step % self.per_epoch.1 * self.plan.accumulate;
        let end = (first + self.plan.accumulate).min(self.per_epoch.0);
        let number = |place: usize| (epoch * self.per_epoch.0 + place) as u64;
        (first..end)
            .map(|place| Numbered { number: number(place), pictures: self.order.1[place].clone() })
            .collect()
    }

    /// The batches of an epoch. Every picture is seen once before any is seen twice.
    fn order_of(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut chance = self.streams.generator(Purpose::Order, epoch as u64);
        let pictures = &self.plan.pictures;
        let mut batches = Vec::new();
        for size in self.plan.buckets().keys() {
            let of_size: Vec<usize> =
                (0..pictures.len()).filter(|i| pictures[*i].bucket == *size).collect();
            let rounds = of_size.iter().map(|i| pictures[*i].repeats).max().unwrap_or(0);
            let mut samples = Vec::new();
            for round in 0..rounds {
                let due = of_size.iter().filter(|i| pictures[**i].repeats > round);
                let due: Vec<usize> = due.copied().collect();
                samples.extend(chance.randperm(due.len()).into_iter().map(|i| due[i]));
            }
            batches.extend(samples.chunks(self.plan.batch).map(<[usize]>::to_vec));
        }
        if self.plan.buckets().len() > 1 {
            let order = chance.randperm(batches.len());
            batches = order.into_iter().map(|i| batches[i].clone()).collect();
        }
        batches
    }

    /// The captions of a batch, as the text encoder will see them.
    #[must_use]
    pub fn captions(&self, batch: &Numbered) -> Vec<String> {
        let mut chance = Chance(self.streams.generator(Purpose::Captions, batch.number));
        let token = self.plan.words.first().map(|word| word.token.as_str()).unwrap_or_default();
        let caption = |place: &usize| {
            let own = &self.plan.pictures[*place].caption;
            match &self.templates {
                Some(templates) => templates.draw(token, own, &mut chance),
                None => own.clone(),
            }
        };
        batch.pictures.iter().map(caption).collect()
    }

    /// All that a micro-step depends on.
    #[must_use]
    pub fn make(&self, batch: &Numbered) -> MicroBatch {
        let mut levels = self.streams.generator(Purpose::Timesteps, batch.number);
        let (low, high) = self.plan.timesteps;
        let timesteps = levels.randint(low as i64, high as i64, batch.pictures.len());
        let mut noise = Drawn(self.streams.generator(Purpose::Noise, batch.number));
        let chance = self.streams.generator(Purpose::Latents, batch.number);
        let mut parts = self.parts(batch, timesteps.iter().map(|t| *t as usize).collect(), chance);
        let shape = [batch.pictures.len(), 4, parts.grid.height, parts.grid.width];
        parts.noise = noise_options::noise(&mut noise, &parts.latents, shape, &self.plan.noise);
        if self.plan.noise.ip_gamma != 0.0 {
            let perturbed = noise_options::perturbed(&mut noise, &parts.noise, &self.plan.noise);
            parts.perturbed = Some(perturbed);
        }
        self.composer.batch(parts)
    }

    /// The set by which a run is measured: the same noise, levels and latents before and after.
    #[must_use]
    pub fn fixed(&self) -> Vec<MicroBatch> {
        let count = self.plan.pictures.len();
        let one = |i: usize| {
            let batch = Numbered { number: i as u64, pictures: vec![i * 7 % count] };
            // Levels spread over the whole range.
            let level = (2 * i + 1) * STEPS / (2 * FIXED_BATCHES);
            let mut noise = self.streams.generator(Purpose::Measure, i as u64);
            let chance = TorchGenerator::new(noise.next_u64());
            let mut parts = self.parts(&batch, vec![level], chance);
            parts.noise = noise.randn(parts.latents.len());
            self.plain.batch(parts)
        };
        (0..FIXED_BATCHES).map(one).collect()
    }

    /// Everything of a batch but its noise.
    fn parts(
        &self,
        batch: &Numbered,
        timesteps: Vec<usize>,
        mut chance: TorchGenerator,
    ) -> Parts<'_> {
        let mut latents = Vec::new();
        for place in &batch.pictures {
            if self.plan.kohya_numbers {
                // Drawn once: the same draw at every use.
                chance = self.streams.generator(Purpose::Latents, u64::MAX - *place as u64);
            }
            latents.extend(self.latents[*place].draw(&mut chance));
        }
        let captions = self.captions(batch);
        let windows = self.plan.windows;
        let ids = |text: &String| self.lexicon.windows(self.tokenizer, text, windows);
        Parts {
            grid: self.latents[batch.pictures[0]].grid,
            latents,
            noise: Vec::new(),
            perturbed: None,
            timesteps,
            ids: captions.iter().flat_map(ids).collect(),
            windows,
            own: vec![1.0; batch.pictures.len()],
            masks: vec![None; batch.pictures.len()],
        }
    }
}

fn composer(plan: &TrainPlan, loss: &LossOptions) -> Composer {
    let wide = plan.noise.is_wide();
    Composer::new(loss, plan.zero_terminal_snr, Rounding::F32, wide, plan.clip_skip)
}

/// A generator as the source of noise.
struct Drawn(TorchGenerator);

impl Draws for Drawn {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        self.0.randn(count)
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.uniform())
    }
}
