//! Textual inversion: data set, trainable vectors, training loop, checkpoints, image encoders.
#![forbid(unsafe_code)]

pub mod batches;
pub mod checkpoint;
pub mod config;
pub mod dataset;
pub mod embedding;
pub mod error;
pub mod estimate;
pub mod event;
mod fidelity;
pub mod image_encoder;
pub mod kohya;
pub mod latents;
pub mod lora;
pub mod loss;
pub mod lr;
pub mod manifest;
pub mod noise_options;
pub mod optim;
pub mod pick;
pub mod plan;
pub mod preflight;
pub mod previews;
pub mod recipe;
pub mod report;
pub mod request;
pub mod rerun;
pub mod rng;
pub mod run_folder;
pub mod state;
pub mod stopping;
pub mod training_loop;
pub mod vectors;
pub mod verdict;

pub use embedding::{Init, PlannedEmbedding};
pub use error::{Error, Result};
pub use event::{Event, Outcome, StepReport};
pub use plan::{PlanSummary, TrainOptions, TrainPlan};
