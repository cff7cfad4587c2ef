//! What is kept of the starts while they run, so that a killed run does no finished part again.
use super::starts::Start;
use crate::error::AtFile;
use crate::optim::{Optimizer, StateArray};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use wayword_formats::atomic;

/// The finished parts, and all short runs as they are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The round, from 0, and the short runs of it that are done.
    pub(super) round: usize,
    pub(super) done: usize,
    pub(super) report: serde_json::Value,
    runs: Vec<SavedStart>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedStart {
    number: usize,
    origin: String,
    vectors: Vec<f32>,
    mean: Vec<f32>,
    steps: usize,
    loss: Option<f64>,
    optimizer: Vec<StateArray>,
}

impl Saved {
    /// Replaces the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(
        path: &Path,
        (round, done): (usize, usize),
        report: &serde_json::Value,
        runs: &mut [Start],
    ) -> Result<()> {
        let saved_start = |start: &mut Start| SavedStart {
            number: start.number,
            origin: start.origin.clone(),
            vectors: start.vectors.clone(),
            mean: start.mean.clone(),
            steps: start.steps,
            loss: start.loss,
            optimizer: start.optimizer.state(),
        };
        let runs = runs.iter_mut().map(saved_start).collect();
        let saved = Self { round, done, report: report.clone(), runs };
        let text = serde_json::to_vec(&saved).map_err(std::io::Error::other).at(path)?;
        atomic::write_bytes(path, &text).at(path)
    }

    /// What was kept; `None` where nothing was.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(path).at(path)?;
        let parsed = serde_json::from_slice(&text);
        parsed.map(Some).map_err(|e| {
            Error::run(path, "cannot be read")
                .with_hint("start again with {train.overwrite}")
                .with_source(e)
        })
    }

    /// The short runs; `optimizer` makes one in its first state.
    ///
    /// # Errors
    /// If an optimizer refuses its state.
    pub(super) fn runs(
        self,
        path: &Path,
        optimizer: impl Fn() -> Result<Optimizer>,
    ) -> Result<Vec<Start>> {
        let restored = |saved: SavedStart| {
            let mut optimizer = optimizer()?;
            optimizer
                .restore(&saved.optimizer)
                .map_err(|e| Error::run(path, "does not fit the optimizer").with_source(e))?;
            Ok(Start {
                number: saved.number,
                origin: saved.origin,
                vectors: saved.vectors,
                optimizer,
                steps: saved.steps,
                mean: saved.mean,
                loss: saved.loss,
            })
        };
        self.runs.into_iter().map(restored).collect()
    }
}
