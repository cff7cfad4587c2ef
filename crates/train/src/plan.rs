//! A training that is decided in every point and checked, before anything is done.
//!
//! Plans go down, events come up: nothing below asks for an option any more. The plan is written to
//! the run's folder as `plan.json`, and a run goes on from it.
mod check;
mod options;
mod summary;

pub use options::{TemplateChoice, TrainOptions};
pub use summary::{EffectiveCaption, Estimate, PlanSummary};

use crate::checkpoint::{SaveFormat, SavePrecision, SaveRules};
use crate::dataset::steps::{self, Counts, Duration};
use crate::loss::LossOptions;
use crate::lr::{Length, LrOptions, LrSchedule, RateList};
use crate::noise_options::NoiseOptions;
use crate::optim::{Optimizer, Statistics};
use crate::words::Word;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A checked training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// The program's version that made it.
    pub version: String,
    /// The run's start, in seconds since 1970; the date in the word's files.
    pub started: u64,
    /// The base that it was checked against.
    pub base: PlannedBase,
    /// The words to learn; their rows follow each other.
    pub words: Vec<Word>,
    /// What the files are called.
    pub name: String,
    /// The folder of the files.
    pub out: PathBuf,
    /// The folders of pictures as they were given.
    pub images: Vec<PathBuf>,
    /// Every picture, sorted by path.
    pub pictures: Vec<PlannedPicture>,
    /// Sentences for the word, one drawn for each sample; `None`: the pictures' own captions.
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
    /// When files are written.
    pub save: SaveRules,
    /// The kind of the files.
    pub save_format: SaveFormat,
    /// The numbers in the files.
    pub save_precision: SavePrecision,
    /// Learning rate that the scheduler's multipliers multiply.
    pub lr: f64,
    /// Rates and the steps until which they hold, instead of a scheduler.
    pub lr_list: Option<String>,
    /// The scheduler's name.
    pub scheduler: String,
    /// Updates of warm-up.
    pub warmup: u64,
    /// The optimiser's name.
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
    /// Noise levels that are drawn: from the first to before the second.
    pub timesteps: (usize, usize),
    /// Whether the last noise level is pure noise.
    pub zero_terminal_snr: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Exactly kohya's numbers where ours are saner.
    pub kohya_numbers: bool,
    /// What the user should know; stops nothing.
    pub warnings: Vec<PlanWarning>,
}

/// What a plan remembers of its base, to know it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedBase {
    /// The file or folder.
    pub path: PathBuf,
    /// Values of a token's row.
    pub token_width: usize,
    /// Root mean square of the token table.
    pub token_rms: f32,
}

/// A picture and how it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPicture {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Its width and height.
    pub size: (usize, usize),
    /// The size it is trained at.
    pub bucket: (usize, usize),
    /// The size it is resized to before it is cropped.
    pub resized: (usize, usize),
    /// How often it is seen in an epoch.
    pub repeats: u64,
    /// Its own caption: of its file, else the folder's class words.
    pub caption: String,
}

/// A remark on a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanWarning {
    /// What is the matter.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl TrainPlan {
    /// The run's folder.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        crate::run_folder::RunFolder::place(&self.out, &self.name)
    }

    /// All rows of all words.
    #[must_use]
    pub fn vectors(&self) -> usize {
        self.words.iter().map(|word| word.vectors).sum()
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

    /// Batches, updates and epochs.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let steps = Duration::Steps(self.steps as u64);
        let buckets = self.buckets();
        let counted = steps::count(
            buckets.values().copied(),
            self.batch as u64,
            self.accumulate as u64,
            steps,
        );
        counted.expect("a checked plan has pictures")
    }

    /// The learning rates.
    ///
    /// # Errors
    /// If the scheduler or its options are refused.
    pub fn schedule(&self) -> Result<LrSchedule> {
        if let Some(text) = &self.lr_list {
            let list: RateList = text.parse().map_err(|e| refused("--lr", &e))?;
            return Ok(LrSchedule::from_list(list, self.steps as u64));
        }
        let options = LrOptions {
            scheduler: self.scheduler.clone(),
            warmup: Length::Steps(self.warmup),
            kohya_numbers: self.kohya_numbers,
            relative_step: self.optimizer_new(Statistics::NewRows)?.is_relative(),
            ..LrOptions::constant(self.lr, self.steps as u64)
        };
        LrSchedule::new(&options).map_err(|e| refused("--scheduler", &e))
    }

    /// The optimiser in its first state.
    ///
    /// # Errors
    /// If its name or arguments are refused.
    pub fn optimizer_new(&self, statistics: Statistics) -> Result<Optimizer> {
        let shape = (self.vectors(), self.base.token_width);
        Optimizer::new(&self.optimizer, &self.optimizer_args, self.lr, shape, statistics)
            .map_err(|e| refused("--optimizer", &e))
    }
}

/// An error of the optimisers or schedules, its hint taken apart.
fn refused(option: &str, error: &dyn std::fmt::Display) -> Error {
    let text = error.to_string();
    let (what, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
    let error = Error::data(format!("{option}: {what}"));
    if hint.is_empty() { error } else { error.with_hint(hint) }
}
