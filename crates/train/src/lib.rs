//! Textual inversion: data set, trainable rows, the loop, checkpoints, judges.
#![forbid(unsafe_code)]

pub mod batches;
pub mod card;
pub mod checkpoint;
pub mod config;
pub mod dataset;
pub mod error;
pub mod estimate;
pub mod event;
pub mod judge;
pub mod kohya;
pub mod latents;
pub mod lora;
pub mod loss;
pub mod lr;
pub mod noise_options;
pub mod optim;
pub mod plan;
pub mod preflight;
pub mod previews;
pub mod recipe;
pub mod report;
pub mod rerun;
pub mod resume;
pub mod rows;
pub mod run_folder;
pub mod streams;
pub mod words;

pub use error::{Error, Result};
pub use event::{Event, Outcome, StepReport};
pub use plan::{PlanSummary, TrainOptions, TrainPlan};
pub use words::{Init, Word};
