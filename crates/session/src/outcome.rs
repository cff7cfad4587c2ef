//! What a job gives.
use crate::Facts;
use crate::commands::{bench, demo, devices, explain, grid, likeness, prepare};
use serde::Serialize;
use std::path::PathBuf;
use wayword_train::event as train;
use wayword_train::pick::Pick;
use wayword_train::plan::PlanSummary;

/// The result of a job, by the request that it answers.
#[derive(Debug, Serialize)]
#[serde(tag = "command", content = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// A training or a repeated one.
    Train(Trained),
    /// Nothing was done: the embedding's file is there.
    Skipped(PathBuf),
    /// A file of options was written instead of training.
    Config(PathBuf),
    /// What a training would do.
    Check(Box<PlanSummary>),
    /// Which step of a run is best.
    Pick(Box<Pick>),
    /// What became of photos.
    Prepare(Box<prepare::PrepareReport>),
    /// The images' files, in the order of drawing.
    Draw(Vec<PathBuf>),
    /// A grid.
    Grid(grid::GridFiles),
    /// How a prompt is read.
    Explain(Box<explain::Explained>),
    /// What is in a file.
    Inspect(Facts),
    /// The file that was written.
    Convert(Facts),
    /// How alike images are.
    Likeness(likeness::LikenessReport),
    /// What can compute.
    Devices(devices::DeviceList),
    /// What was measured.
    Bench(bench::BenchReport),
    /// What the demo made.
    Demo(Box<demo::DemoReport>),
}

/// A training that went to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trained {
    /// Files, losses, seconds.
    pub outcome: train::Outcome,
    /// The checkpoint, as it was named; `None` where it was found.
    pub base: Option<PathBuf>,
    /// What was picked, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picked: Option<Box<Pick>>,
}
