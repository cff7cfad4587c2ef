//! A training that is decided in every point and checked, before anything is done.
//!
//! Plans go down, events come up: nothing below asks for an option any more. The plan is written to
//! the run's folder as `plan.json`, and a run goes on from it.
mod check;
mod crops;
mod embeddings;
mod extend;
mod find;
mod ineffective;
mod known;
mod options;
mod photos;
mod rate;
mod recipe;
mod sets;
mod summary;
mod texts;

pub use extend::Rates;
pub use find::images_exist;
pub(crate) use known::file_name;
pub use options::{CropPlace, MixedPrecision, TemplateChoice, TrainOptions, WordOptions};
pub use photos::{PreparedPhoto, PreparedPhotos};
pub use sets::{PictureSet, PlannedDataset, PlannedFile};
pub use summary::{EffectiveCaption, Estimate, PlanSummary};
pub use texts::FileTexts;

use crate::checkpoint::{SaveFormat, SavePrecision, SaveRules};
use crate::dataset::crop;
use crate::dataset::reads::PictureReads;
use crate::dataset::steps::{self, Counts, Duration};
use crate::embedding::{Lexicon, PlannedEmbedding};
use crate::lora::PlannedLora;
use crate::loss::LossOptions;
use crate::lr::{Length, LrOptions, LrSchedule, RateList};
use crate::noise_options::NoiseOptions;
use crate::optim::{Optimizer, Statistics};
use crate::previews::Previews;
use crate::recipe::{HighNoise, Starts};
use crate::run_folder::RunFolder;
use crate::run_folder::steps::StepChoice;
use crate::stopping::Ended;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_interface::{Diagnostic, Warning};

/// A checked training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// The program's version that made it.
    pub version: String,
    /// The run's start, in seconds since 1970; the date in the embedding's files.
    pub started: u64,
    /// The base that it was checked against.
    pub base: PlannedBase,
    /// LoRAs that the base wears.
    #[serde(default)]
    pub loras: Vec<PlannedLora>,
    /// The embeddings to learn; their vectors follow each other.
    #[serde(rename = "words")]
    pub embeddings: Vec<PlannedEmbedding>,
    /// What the files are called.
    pub name: String,
    /// The folder of the files.
    pub out: PathBuf,
    /// The folders of pictures as they were given.
    pub images: Vec<PathBuf>,
    /// Every picture, folder by folder, sorted by path.
    pub pictures: Vec<PlannedPicture>,
    /// What was read of their files.
    #[serde(skip)]
    pub reads: PictureReads,
    /// How pictures are used, by the folders they came from.
    pub sets: Vec<PictureSet>,
    /// Resolutions and batches; pictures of different ones do not meet in a batch.
    pub datasets: Vec<PlannedDataset>,
    /// What the loss of regularization pictures counts.
    pub prior_loss_weight: f64,
    /// The folder of latents; `None` is the run's own.
    pub latent_cache: Option<PathBuf>,
    /// Latents that kohya's trainer left beside the pictures are used where they fit.
    pub kohya_latents: bool,
    /// Sentences for the embedding, one drawn for each sample; `None`: the pictures' own captions.
    pub sentences: Option<Vec<String>>,
    /// Width and height in pixels.
    pub resolution: (u32, u32),
    /// Pictures in a batch.
    pub batch: usize,
    /// Batches in a step.
    pub accumulate: usize,
    /// Windows of 75 tokens that a caption may fill.
    pub windows: usize,
    /// Updates.
    pub steps: usize,
    /// After how many steps the run was made longer, each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<usize>,
    /// Short runs before them, of which the best goes on; `None`: they begin at the init word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// Those that learn at much noise only; `None`: all draw from the same timesteps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_noise: Option<HighNoise>,
    /// Steps between looks at whether the run may end; `None`: it ends after `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<usize>,
    /// Where the run ended before all that were planned; `steps` are those that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The steps whose vectors the embedding's file has in the end; `None`: the last step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<StepChoice>,
    /// Whether the best step is chosen at the end.
    #[serde(default)]
    pub pick: bool,
    /// When files are written.
    pub save: SaveRules,
    /// Pictures that are drawn on the way.
    #[serde(default)]
    pub previews: Option<Previews>,
    /// The kind of the files.
    pub save_format: SaveFormat,
    /// The numbers in the files.
    pub save_precision: SavePrecision,
    /// What the files say about themselves.
    pub texts: FileTexts,
    /// Learning rate that the scheduler's multipliers multiply.
    pub lr: f64,
    /// Rates and the steps until which they hold, instead of a scheduler.
    pub lr_list: Option<String>,
    /// The scheduler's name.
    pub scheduler: String,
    /// Updates of warm-up.
    pub warmup: u64,
    /// Its other options.
    pub schedule_options: ScheduleOptions,
    /// The optimizer's name.
    pub optimizer: String,
    /// Its `key=value` arguments.
    pub optimizer_args: Vec<String>,
    /// The longest gradient; 0 is no limit.
    pub max_grad_norm: f64,
    /// Which layer of the text encoder, counted from the last; 1 is the last.
    pub clip_skip: usize,
    /// Kind and weights of the loss.
    pub loss: LossOptions,
    /// Kind of the noise.
    pub noise: NoiseOptions,
    /// Timesteps that are drawn: from the first to before the second.
    pub timesteps: (usize, usize),
    /// Whether the last timestep is pure noise.
    pub zero_terminal_snr: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// The numbers of the products, `f32` or `bf16`; empty where no device was asked.
    #[serde(default)]
    pub precision: String,
    /// The kind of processor; another one's last bits may differ.
    #[serde(default)]
    pub device: String,
    /// The precision of kohya's run, for its timesteps; no other numbers depend on it.
    pub mixed_precision: MixedPrecision,
    /// Exactly kohya's numbers where ours are saner.
    pub kohya_numbers: bool,
    /// What the user should know; stops nothing.
    pub warnings: Vec<Warning>,
}

/// What a plan remembers of its base, to know it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedBase {
    /// The file or folder.
    pub path: PathBuf,
    /// Its name without the folders above it.
    #[serde(default)]
    pub name: String,
    /// Its SHA-256; of a diffusers folder, that of the hashes of its parts.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Which original it is, where it is one.
    #[serde(default)]
    pub known: Option<String>,
    /// Another VAE.
    #[serde(default)]
    pub vae: Option<PlannedFile>,
    /// Values of a token's vector.
    pub token_width: usize,
    /// Root mean square of the token table.
    pub token_rms: f32,
}

/// A picture and how it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPicture {
    /// The file.
    pub path: PathBuf,
    /// What it is called from the given folder on.
    #[serde(default)]
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Its width and height.
    pub size: (usize, usize),
    /// The size it is trained at.
    pub bucket: (usize, usize),
    /// The size it is resized to before it is cropped.
    pub resized: (usize, usize),
    /// Left and top of the crop in the resized picture; `None`: the middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<(usize, usize)>,
    /// How often it is seen in an epoch.
    pub repeats: u64,
    /// Its own caption: of its file, else the folder's class words.
    pub caption: String,
    /// Place in the plan's list of sets.
    pub set: usize,
    /// The picture that says how much each place counts.
    pub mask: Option<PlannedFile>,
    /// Latents that kohya's trainer left beside it, where they are used.
    #[serde(default)]
    pub latents: Option<PlannedFile>,
}

impl PlannedPicture {
    /// Left and top of the crop in the resized picture.
    #[must_use]
    pub fn corner(&self) -> (usize, usize) {
        self.crop.unwrap_or_else(|| crop::middle(self.resized, self.bucket))
    }

    /// One of tests: a file, its size, and how it is brought to the training's.
    #[cfg(test)]
    pub(crate) fn of_test(
        path: &Path,
        size: (usize, usize),
        fit: crate::dataset::bucket::BucketAssignment,
    ) -> Self {
        Self {
            path: path.into(),
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: String::new(),
            size,
            bucket: fit.bucket,
            resized: fit.resized,
            crop: None,
            repeats: 1,
            caption: String::new(),
            set: 0,
            mask: None,
            latents: None,
        }
    }
}

/// Options of a scheduler beside its name and warm-up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleOptions {
    /// A class of `torch.optim.lr_scheduler`, instead of the scheduler.
    pub torch_class: Option<String>,
    /// Its `key=value` arguments.
    pub args: Vec<String>,
    /// Cycles of a cosine.
    pub num_cycles: Option<f64>,
    /// Exponent of `polynomial`.
    pub power: Option<f64>,
    /// The lowest multiplier.
    pub min_lr_ratio: Option<f64>,
    /// Time scale of `inverse_sqrt`.
    pub timescale: Option<u64>,
    /// Updates over which `warmup_stable_decay` falls.
    pub decay: u64,
}

impl TrainPlan {
    /// The run's folder.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        RunFolder::place(&self.out, &self.name)
    }

    /// Opens the folder of a run that was begun. The plan's `out` is where that lies now: it may have
    /// been moved since.
    pub(crate) fn open(run: &Path) -> Result<(RunFolder, Self)> {
        let (folder, mut plan) = RunFolder::open::<Self>(run)?;
        if let Some(out) = std::path::absolute(run).ok().as_deref().and_then(Path::parent) {
            plan.out = out.into();
        }
        Ok((folder, plan))
    }

    /// The norm of a vector of the vocabulary, as the root of the mean square.
    pub(crate) fn vocabulary_norm(&self) -> f64 {
        f64::from(self.base.token_rms) * (self.base.token_width as f64).sqrt()
    }

    /// All vectors of all embeddings.
    #[must_use]
    pub fn vectors(&self) -> usize {
        self.embeddings.iter().map(|embedding| embedding.vectors).sum()
    }

    /// The vectors that all embeddings start with, `[vectors, width]`.
    ///
    /// # Errors
    /// As [`PlannedEmbedding::start`].
    pub fn first_vectors(&self, base: &Base) -> Result<Vec<f32>> {
        let mut vectors = Vec::new();
        for embedding in &self.embeddings {
            vectors.extend(embedding.start(base)?);
        }
        Ok(vectors)
    }

    /// Samples of each size, repeats included.
    #[must_use]
    pub fn buckets(&self) -> BTreeMap<(usize, usize), u64> {
        let mut buckets = BTreeMap::new();
        for picture in &self.pictures {
            *buckets.entry(picture.bucket).or_default() += picture.repeats;
        }
        buckets
    }

    /// Pictures that can meet in a batch: of one data set and size. Places in the list of pictures.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<(usize, (usize, usize)), Vec<usize>> {
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, picture) in self.pictures.iter().enumerate() {
            let dataset = self.sets[picture.set].dataset;
            groups.entry((dataset, picture.bucket)).or_default().push(place);
        }
        groups
    }

    /// Whether a picture, by its place, is one of regularization.
    #[must_use]
    pub fn is_regular(&self, place: usize) -> bool {
        self.sets[self.pictures[place].set].regular
    }

    /// What stands for the embeddings in a template: all tokens.
    #[must_use]
    pub fn token(&self) -> String {
        self.embeddings
            .iter()
            .map(|embedding| embedding.token.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The same for each picture.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let token = |places: Vec<usize>| -> String {
            let tokens = places.iter().map(|place| self.embeddings[*place].token.as_str());
            tokens.collect::<Vec<_>>().join(" ")
        };
        self.embeddings_of_pictures().into_iter().map(token).collect()
    }

    /// Which embeddings each picture teaches, by their places: all. Where the pictures' own captions, or the
    /// class words of folders such as kohya's `10_evagreen dog`, name every one of several embeddings, a
    /// picture has those that its own names.
    #[must_use]
    pub fn embeddings_of_pictures(&self) -> Vec<Vec<usize>> {
        let lexicon =
            |embedding| Lexicon::new(std::slice::from_ref(embedding), 0, self.kohya_numbers);
        let lexicons: Vec<Lexicon> = self.embeddings.iter().map(lexicon).collect();
        let every_embedding = 0..self.embeddings.len();
        let named = |picture: &PlannedPicture| -> Vec<usize> {
            every_embedding
                .clone()
                .filter(|embedding| lexicons[*embedding].holds_any(&picture.caption))
                .collect()
        };
        let named: Vec<Vec<usize>> = self.pictures.iter().map(named).collect();
        let learned = |embedding| {
            (0..named.len()).any(|i| named[i].contains(&embedding) && !self.is_regular(i))
        };
        let divided = every_embedding.clone().all(learned);
        let taught = |named: Vec<usize>| {
            if divided && !named.is_empty() { named } else { every_embedding.clone().collect() }
        };
        named.into_iter().map(taught).collect()
    }

    /// Batches, updates and epochs.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counted = self.count(Duration::Steps(self.steps as u64));
        counted.expect("a checked plan has pictures")
    }

    fn count(&self, duration: Duration) -> Option<Counts> {
        let batches = self.groups().into_iter().map(|((dataset, _), places)| {
            let samples: u64 = places.iter().map(|i| self.pictures[*i].repeats).sum();
            samples.div_ceil(self.datasets[dataset].batch as u64)
        });
        steps::count(batches, 1, self.accumulate as u64, duration)
    }

    /// The learning rates of a run that was not made longer.
    ///
    /// # Errors
    /// If the scheduler or its options are refused.
    pub fn schedule(&self) -> Result<LrSchedule> {
        self.schedule_over(self.steps)
    }

    fn schedule_over(&self, steps: usize) -> Result<LrSchedule> {
        if let Some(text) = &self.lr_list {
            let list: RateList = text.parse().map_err(|e| refused("train.learning_rate", e))?;
            return Ok(LrSchedule::from_list(list, steps as u64));
        }
        let options = LrOptions {
            scheduler: self.scheduler.clone(),
            warmup: Length::Steps(self.warmup),
            kohya_numbers: self.kohya_numbers,
            relative_step: self.optimizer_new(Statistics::NewRows, 0)?.is_relative(),
            decay: Length::Steps(self.schedule_options.decay),
            num_cycles: self.schedule_options.num_cycles,
            power: self.schedule_options.power,
            min_lr_ratio: self.schedule_options.min_lr_ratio,
            timescale: self.schedule_options.timescale,
            torch_class: self.schedule_options.torch_class.clone(),
            args: self.schedule_options.args.clone(),
            ..LrOptions::constant(self.lr, steps as u64)
        };
        LrSchedule::new(&options).map_err(|e| refused("train.scheduler", e))
    }

    /// The optimizer of an embedding, by its place, in its first state.
    ///
    /// # Errors
    /// If its name or arguments are refused.
    pub fn optimizer_new(&self, statistics: Statistics, embedding: usize) -> Result<Optimizer> {
        let vectors = self.embeddings.get(embedding).map_or(1, |embedding| embedding.vectors);
        let shape = (vectors, self.base.token_width);
        let lr =
            self.embeddings.get(embedding).and_then(|embedding| embedding.lr).unwrap_or(self.lr);
        Optimizer::new(&self.optimizer, &self.optimizer_args, lr, shape, statistics)
            .map_err(|e| refused("train.optimizer", e))
    }
}

/// An error of the optimizers or schedules, which is about a field such as `train.optimizer`.
fn refused(field: &str, error: impl Into<Diagnostic>) -> Error {
    error.into().with_field(field).into()
}
