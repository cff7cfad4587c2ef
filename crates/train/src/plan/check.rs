//! From options to a plan: every default decided, every mistake refused before anything is done.
use super::embeddings::{different, planned, requested};
use super::find::{self, FoundPictures};
use super::ineffective;
use super::rate::{LEARNING_RATE, TOKEN_RMS};
use super::{
    FileTexts, PictureSet, PlannedBase, ScheduleOptions, TemplateChoice, TrainOptions, TrainPlan,
};
use crate::checkpoint::SaveRules;
use crate::dataset::steps::{Duration, epochs_between_saves};
use crate::embedding::PlannedEmbedding;
use crate::lora;
use crate::lr::{Length, RateList};
use crate::optim::Statistics;
use crate::previews::Previews;
use crate::{Error, Result};
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wayword_diffusion::{BaseInfo, Prediction};
use wayword_interface::{Stop, Warning};

/// Steps where nothing is said.
const STEPS: usize = 1000;

impl TrainPlan {
    /// Checks options against a base and decides what they leave open.
    ///
    /// # Errors
    /// If an option cannot be used, there are no pictures, or no caption holds the embedding.
    pub fn check(options: &TrainOptions, base: &BaseInfo) -> Result<Self> {
        Self::check_unless_stopped(options, base, &Stop::default())
    }

    /// The same; ends while it reads pictures where a stop is requested.
    ///
    /// # Errors
    /// As [`TrainPlan::check`], and [`wayword_diffusion::Error::Stopped`].
    pub fn check_unless_stopped(
        options: &TrainOptions,
        base: &BaseInfo,
        stop: &Stop,
    ) -> Result<Self> {
        let mut warnings = Vec::new();
        let asked = requested(options)?;
        let name = &options.checked_name()?;
        positive("{train.batch}", options.batch)?;
        positive("{train.accumulate}", options.accumulate)?;
        let clip_skip = options.clip_skip.unwrap_or(1);
        let most = base.text_layers + 1;
        if !(1..=most).contains(&clip_skip) {
            let expected =
                format!("1 to {most}, as the base's text encoder has {} layers", most - 1);
            return Err(Error::option("train.clip_skip", expected, clip_skip.to_string()));
        }
        let resolution = options.resolution.unwrap_or(base.resolution);
        let found = find::find(options, resolution, &mut warnings, stop)?;
        let sentences = options.template.sentences()?;
        remarks(&found, options, sentences.as_deref(), &mut warnings)?;
        warnings.extend(ineffective::find(options, sentences.as_deref()));
        let mut embeddings = Vec::with_capacity(asked.len());
        for asked in &asked {
            embeddings.push(planned(asked, options, &found, base, &mut warnings)?);
        }
        different(&embeddings)?;
        let seed = options.seed.unwrap_or_else(random_seed);
        let token = embeddings.first().map_or(name.as_str(), |embedding| embedding.token.as_str());
        let previews = Previews::decide(options, base, (token, seed), &mut warnings)?;
        let mut plan = Self {
            version: env!("CARGO_PKG_VERSION").into(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            base: PlannedBase {
                path: absolute(&base.path),
                name: super::known::file_name(&base.path),
                sha256: None,
                known: None,
                vae: None,
                token_width: base.token_width,
                token_rms: base.token_rms,
            },
            embeddings,
            loras: lora::planned(&options.lora, &options.loras)?,
            name: name.clone(),
            out: absolute(&options.out),
            images: options.images.iter().map(|path| absolute(path)).collect(),
            pictures: found.pictures,
            reads: found.reads,
            sentences,
            resolution: found.datasets[0].resolution,
            batch: found.datasets.iter().map(|d| d.batch).max().unwrap_or(options.batch),
            sets: found.sets,
            datasets: found.datasets,
            prior_loss_weight: not_negative(
                "{train.prior_loss_weight}",
                options.prior_loss_weight,
            )?,
            latent_cache: options.latent_cache.as_deref().map(absolute),
            kohya_latents: options.kohya_latents,
            accumulate: options.accumulate,
            windows: windows(options.max_token_length)?,
            steps: options.steps.or_else(|| end_of_rates(options)).unwrap_or(STEPS),
            extensions: Vec::new(),
            starts: None,
            high_noise: None,
            stopping: None,
            ended: None,
            chosen: None,
            pick: options.pick,
            save: SaveRules {
                every_steps: options.save_every,
                every_epochs: options.save_every_epochs,
                keep_steps: options.keep_last_steps,
                keep_epochs: options.keep_last_epochs,
            },
            previews,
            save_format: options.save_format,
            save_precision: options.save_precision,
            texts: FileTexts::of(options)?,
            lr: 0.0,
            lr_list: None,
            scheduler: options.scheduler.clone().unwrap_or_else(|| usual_scheduler(options)),
            warmup: 0,
            schedule_options: ScheduleOptions {
                torch_class: options.lr_scheduler_type.clone(),
                args: options.lr_scheduler_args.clone(),
                num_cycles: options.lr_scheduler_num_cycles,
                power: options.lr_scheduler_power,
                min_lr_ratio: options.lr_scheduler_min_lr_ratio,
                timescale: options.lr_scheduler_timescale,
                decay: 0,
            },
            optimizer: options.optimizer.clone(),
            optimizer_args: optimizer_args(options)?,
            max_grad_norm: not_negative("{train.max_grad_norm}", options.max_grad_norm)?,
            clip_skip,
            loss: options.loss(base.prediction == Prediction::V)?,
            noise: options.noise()?,
            timesteps: options.timesteps()?,
            zero_terminal_snr: options.zero_terminal_snr,
            seed,
            precision: String::new(),
            device: String::new(),
            mixed_precision: options.mixed_precision,
            kohya_numbers: options.kohya_numbers,
            warnings,
        };
        if plan.zero_terminal_snr && !plan.loss.v_prediction {
            let text = "it is meant for bases that predict v";
            let warning = warn(text, Some("leave {train.zero_terminal_snr} out"));
            plan.warnings.push(warning.with_field("train.zero_terminal_snr"));
        }
        plan.place_crops(options, stop)?;
        plan.decide_budget(options)?;
        plan.decide_length(options)?;
        plan.decide_rate(options, base)?;
        plan.decide_recipe(options);
        if let Some(ratio) = options.save_n_epoch_ratio.filter(|ratio| *ratio > 0) {
            plan.save.every_epochs = epochs_between_saves(plan.counts().epochs, ratio) as usize;
        }
        plan.check_captions()?;
        Ok(plan)
    }

    /// Steps and warm-up.
    fn decide_length(&mut self, options: &TrainOptions) -> Result<()> {
        match (options.steps, options.epochs) {
            (Some(_), Some(_)) => {
                return Err(Error::option(
                    "train.epochs",
                    "one of {train.steps} and {train.epochs}",
                    "both",
                ));
            }
            (None, Some(epochs)) => {
                positive("{train.epochs}", epochs)?;
                let counts = self.count(Duration::Epochs(epochs as u64));
                self.steps = counts.map_or(0, |c| c.steps as usize);
            }
            _ => positive("{train.steps}", self.steps)?,
        }
        if self.steps > 10_000_000 {
            return Err(Error::option("train.steps", "at most 10000000", self.steps.to_string()));
        }
        let warmup: Length =
            options.warmup.parse().map_err(|e| super::refused("train.warmup", e))?;
        self.warmup = warmup.of(self.steps as u64);
        let decay: Length = options
            .lr_decay_steps
            .parse()
            .map_err(|e| super::refused("train.lr_decay_steps", e))?;
        self.schedule_options.decay = decay.of(self.steps as u64);
        if self.warmup >= self.steps as u64 && self.warmup > 0 {
            let text = format!("{} steps of warm-up take the whole run", self.warmup);
            let warning = warn(&text, Some("use a shorter {train.warmup}, such as 10%"));
            self.warnings.push(warning.with_field("train.warmup"));
        }
        Ok(())
    }

    /// Learning rate, scheduler, optimizer.
    fn decide_rate(&mut self, options: &TrainOptions, base: &BaseInfo) -> Result<()> {
        let optimizer = self.optimizer_new(Statistics::NewRows, 0)?;
        self.optimizer = optimizer.name().into();
        self.warnings.extend(optimizer.note().map(|note| warn(note, None)));
        let own_scale = self.optimizer == "Prodigy" || self.optimizer.starts_with("DAdapt");
        self.lr = match options.learning_rate.as_deref().map(str::trim) {
            None if own_scale => 1.0,
            None => LEARNING_RATE * f64::from(base.token_rms) / TOKEN_RMS,
            Some(text) if text.contains([':', ',']) => {
                let list: RateList =
                    text.parse().map_err(|e| super::refused("train.learning_rate", e))?;
                self.lr_list = Some(text.into());
                list.rate(0)
            }
            Some(text) => match text.parse::<f64>() {
                Ok(rate) if rate > 0.0 && rate.is_finite() => rate,
                _ => {
                    return Err(Error::option(
                        "train.learning_rate",
                        "a number above 0, as in 5e-4",
                        text,
                    ));
                }
            },
        };
        if own_scale && self.lr <= 0.1 {
            let text = format!(
                "{} multiplies the rate that it finds by {}: it will hardly move",
                self.optimizer, self.lr
            );
            let warning = warn(&text, Some("leave {train.learning_rate} out: 1 is usual"));
            self.warnings.push(warning.with_field("train.learning_rate"));
        }
        if optimizer.is_schedule_free() {
            self.without_schedule(options);
        }
        if self.lr_list.is_some() && (self.scheduler != "constant" || self.warmup > 0) {
            return Err(Error::option(
                "train.learning_rate",
                "one rate where {train.scheduler} or {train.warmup} is given",
                "a list of rates",
            ));
        }
        let schedule = self.schedule()?;
        self.warnings.extend(schedule.notes().iter().map(|note| warn(note, None)));
        if schedule.is_relative() {
            self.scheduler = "adafactor".into();
        }
        if let Some(end) = schedule.end()
            && (end as usize) < self.steps
        {
            self.steps = end as usize;
            let text = format!("the list of rates ends the run after {end} steps");
            self.warnings.push(warn(&text, None).with_field("train.learning_rate"));
        }
        Ok(())
    }

    /// What averages follows no schedule; kohya's trainer puts none upon it either.
    fn without_schedule(&mut self, options: &TrainOptions) {
        let mut ineffective = Vec::new();
        let class = self.schedule_options.torch_class.take();
        let name = class.or_else(|| options.scheduler.clone());
        ineffective.extend(name.filter(|name| !name.eq_ignore_ascii_case("constant")));
        if self.warmup > 0 {
            ineffective.push(format!("the warm-up of {} steps", self.warmup));
        }
        (self.scheduler, self.warmup) = ("constant".into(), 0);
        self.schedule_options.args.clear();
        if !ineffective.is_empty() {
            let text = format!(
                "{} follows no schedule: without {}",
                self.optimizer,
                ineffective.join(" and ")
            );
            let hint = "its own warm-up is {train.optimizer_args} warmup_steps=N";
            self.warnings.push(warn(&text, Some(hint)).with_field("train.optimizer"));
        }
    }

    /// A caption set without an embedding would teach nothing.
    fn check_captions(&mut self) -> Result<()> {
        let empty = |set: &PictureSet| {
            let set_captions = set.captions();
            set_captions.dropout_rate >= 1.0 || set_captions.dropout_every_n_epochs == 1
        };
        if self.sets.iter().filter(|set| !set.regular).all(empty) {
            let what = "every caption is left empty: the word is never read";
            let hint = "lower {train.caption_dropout_rate}, or raise {train.caption_dropout_every_n_epochs}";
            return Err(Error::data(what).with_hint(hint));
        }
        let captions = self.captions();
        let total: u64 = captions.iter().map(|c| c.count).sum();
        for (embedding, PlannedEmbedding { token, .. }) in self.embeddings.iter().enumerate() {
            let without = captions.iter().filter(|c| !c.embeddings[embedding]);
            let missing: u64 = without.map(|c| c.count).sum();
            if missing == total {
                let first = captions.first().map(|c| c.text.clone()).unwrap_or_default();
                let what = format!("no caption holds the word `{token}`; the first is \"{first}\"");
                let hint =
                    format!("write {token} into the captions, or use {{train.template}} object");
                return Err(Error::data(what).with_hint(hint));
            }
        }
        // One caption need not hold all of several embeddings.
        let missing: u64 = captions.iter().filter(|c| !c.has_embedding).map(|c| c.count).sum();
        if missing > 0 {
            let (what, whose) = match self.embeddings.as_slice() {
                [PlannedEmbedding { token, .. }] => {
                    (format!("do not hold the word `{token}`"), token.as_str())
                }
                _ => ("hold none of the words".into(), "one"),
            };
            let text = format!("{missing} of {total} captions {what}");
            let hint = format!("write {whose} into them: they teach nothing");
            self.warnings.push(warn(&text, Some(&hint)));
        }
        let lexicon = crate::embedding::Lexicon::new(&self.embeddings, 0, self.kohya_numbers);
        let regular = (0..self.pictures.len()).filter(|i| self.is_regular(*i));
        let regular: Vec<_> = regular.map(|i| &self.pictures[i].caption).collect();
        if !regular.is_empty() && !regular.iter().any(|caption| lexicon.holds_any(caption)) {
            let text = "regularization images whose captions do not contain the embedding teach it nothing";
            let hint = "leave them out: nothing but the word's vectors changes in this training";
            self.warnings.push(warn(text, Some(hint)));
        }
        Ok(())
    }
}

pub(super) fn warn(text: &str, hint: Option<&str>) -> Warning {
    Warning::new(text).with_hint_if(hint.map(str::to_owned))
}

pub(super) fn required<'a>(value: Option<&'a str>, option: &str, example: &str) -> Result<&'a str> {
    let given = value.map(str::trim).filter(|v| !v.is_empty());
    let missing = || Error::option(option, format!("a value, such as {example}"), "nothing");
    given.ok_or_else(missing)
}

pub(super) fn positive(option: &str, value: usize) -> Result<()> {
    if value > 0 { Ok(()) } else { Err(Error::option(option, "at least 1", "0")) }
}

fn not_negative(option: &str, value: f64) -> Result<f64> {
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::option(option, "a number, 0 or above", value.to_string()))
    }
}

pub(super) fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// A seed that is easy to write down.
fn random_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff
}

fn windows(tokens: usize) -> Result<usize> {
    if tokens > 0 && tokens.is_multiple_of(75) && tokens <= 225 {
        Ok(tokens / 75)
    } else {
        Err(Error::option("train.max_token_length", "75, 150 or 225", tokens.to_string()))
    }
}

/// What is remarkable about the pictures.
fn remarks(
    found: &FoundPictures,
    options: &TrainOptions,
    sentences: Option<&[String]>,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    let count = found.learned;
    let samples: u64 = found.pictures.iter().map(|p| p.repeats).sum();
    if samples > 10_000_000 {
        let what = format!("{samples} images per epoch, repeats included, are more than 10000000");
        return Err(Error::data(what).with_hint("write fewer repeats into the folders' names"));
    }
    if found.enlarged > 0 {
        let (width, height) = found.datasets[0].resolution;
        let size = if found.datasets.len() == 1 && !options.enable_bucket {
            format!("{width} x {height}")
        } else {
            "the size they are trained at".into()
        };
        let text = format!(
            "{} of {count} images are smaller than {size} and are enlarged",
            found.enlarged
        );
        warnings.push(warn(&text, Some("use larger images, or a smaller {train.resolution}")));
    }
    if found.classes.len() > 1 && options.words.len() < 2 {
        let list = found.classes.iter().map(|class| format!("`{class}`"));
        let list = list.collect::<Vec<_>>().join(", ");
        let text =
            format!("the folders are of different subjects, and all become one embedding: {list}");
        let hint =
            "train each folder on its own, or describe several embeddings in [[word]] tables";
        warnings.push(warn(&text, Some(hint)));
    }
    let uncaptioned = count - found.captioned;
    if options.template == TemplateChoice::None && uncaptioned > 0 {
        let text = format!(
            "{uncaptioned} of {count} images have no caption file: the folder's class words serve"
        );
        warnings.push(warn(&text, None));
    }
    // Says that caption files are not used.
    let ignored = sentences.is_some_and(|list| !list.iter().any(|s| s.contains("[filewords]")));
    if found.captioned > 0 && ignored {
        let files = found.captioned;
        let text = format!("{files} caption files are ignored: the template's sentences are used");
        let warning = warn(&text, Some("use {train.template} none to train on them"));
        warnings.push(warning.with_field("train.template"));
    }
    Ok(())
}

fn optimizer_args(options: &TrainOptions) -> Result<Vec<String>> {
    let mut args = options.optimizer_args.clone();
    if let Some(decay) = options.weight_decay {
        not_negative("{train.weight_decay}", decay)?;
        if args.iter().any(|a| a.trim_start().starts_with("weight_decay")) {
            let found = "it in {train.optimizer_args} too";
            return Err(Error::option("train.weight_decay", "one weight decay", found));
        }
        args.push(format!("weight_decay={decay:?}"));
    }
    Ok(args)
}

/// The steps until a list of rates ends, which are the run's where it names none.
fn end_of_rates(options: &TrainOptions) -> Option<usize> {
    let list: RateList =
        options.learning_rate.as_deref().filter(|lr| lr.contains(':'))?.parse().ok()?;
    list.end().map(|end| end as usize)
}

/// The scheduler where none is named. A rate that falls to nought ends near the mean of what a
/// constant one wanders through, and the vectors grow less (docs/quality.md). A list of rates, and
/// optimizers that average or make their own rates, want a constant one.
fn usual_scheduler(options: &TrainOptions) -> String {
    let list = options.learning_rate.as_ref().is_some_and(|lr| lr.contains(':'));
    let optimizer = options.optimizer.to_lowercase();
    let constant = list || optimizer.contains("schedulefree") || optimizer == "adafactor";
    if constant { "constant" } else { "cosine" }.into()
}
