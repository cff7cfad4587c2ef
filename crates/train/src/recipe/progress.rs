//! What changes in a run, and the files that remember it.
use super::micro::MicroBatch;
use crate::checkpoint::{SaveActions, Saver};
use crate::event::{Event, Events, StepReport};
use crate::optim::{FrozenRows, Optimizer, Statistics};
use crate::plan::TrainPlan;
use crate::resume::{Place, State};
use crate::run_folder::RunFolder;
use crate::run_folder::log::LogWriter;
use crate::run_folder::rows::RowsWriter;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wayword_diffusion::{Base, Warning};

/// What changes in a run, and the files that remember it.
pub(super) struct Progress {
    pub(super) place: Place,
    pub(super) rows: Vec<f32>,
    pub(super) optimizer: Optimizer,
    pub(super) log: LogWriter,
    history: RowsWriter,
    state: PathBuf,
    pub(super) saved: Instant,
}

impl Progress {
    /// The saved state of the run, or its first.
    pub(super) fn begin(
        base: &Base,
        plan: &TrainPlan,
        run: &RunFolder,
        fixed: &[MicroBatch],
        events: &dyn Events,
    ) -> Result<Self> {
        let statistics = match plan.kohya_numbers {
            true => {
                Statistics::WholeTable(Arc::new(Table(base.text.table(), base.info.token_width)))
            }
            false => Statistics::NewRows,
        };
        let mut optimizer = plan.optimizer_new(statistics)?;
        let (state, history) = (run.file("state.safetensors"), run.file("rows.bin"));
        let log = run.file("log.jsonl");
        if state.exists() {
            let saved = State::load(&state)?;
            optimizer.restore(&saved.optimizer).map_err(|e| Error::run(&state, e.to_string()))?;
            return Ok(Self {
                history: RowsWriter::resume(&history, saved.place.rows_length)?,
                log: LogWriter::open(&log, saved.place.log_length)?,
                place: saved.place,
                rows: saved.rows,
                optimizer,
                state,
                saved: Instant::now(),
            });
        }
        let mut rows = Vec::new();
        for word in &plan.words {
            rows.extend(word.start(base)?);
        }
        let mut begun = Self {
            history: RowsWriter::create(&history, plan.vectors(), base.info.token_width)?,
            log: LogWriter::open(&log, 0)?,
            place: Place { fixed_before: super::measure(base, &rows, fixed)?, ..Place::default() },
            rows,
            optimizer,
            state,
            saved: Instant::now(),
        };
        let loss = begun.place.fixed_before;
        events.event(Event::Measured { step: 0, loss });
        begun.history.push(0, loss as f32, &begun.rows)?;
        begun.log.push(&serde_json::json!({ "fixed_loss": loss, "step": 0 }))?;
        begun.save_state()?;
        Ok(begun)
    }

    /// What is saved and drawn with: the average where the optimiser keeps one.
    pub(super) fn learned(&self, plan: &TrainPlan) -> Vec<f32> {
        let averaged = (!plan.kohya_numbers).then(|| self.optimizer.averaged(&self.rows)).flatten();
        averaged.unwrap_or_else(|| self.rows.clone())
    }

    pub(super) fn record(&mut self, report: &StepReport) -> Result<()> {
        self.history.push(report.step as u32, report.loss as f32, &self.rows)?;
        self.log.push(report)
    }

    pub(super) fn save(
        &mut self,
        saver: &Saver,
        plan: &TrainPlan,
        width: usize,
        actions: SaveActions,
        events: &dyn Events,
    ) -> Result<()> {
        if let Some(name) = &actions.write {
            let path = saver.write(name, &self.learned(plan), width)?;
            events.event(Event::Saved { path, step: self.place.step });
            self.save_state()?;
        }
        if let Some(Err(error)) = actions.remove.as_ref().map(|name| saver.remove(name)) {
            events.event(Event::Warned(Warning::new(format!("an old file stays: {error}"))));
        }
        Ok(())
    }

    /// Saves the state; what it points to is on disk before.
    pub(super) fn save_state(&mut self) -> Result<()> {
        self.history.sync()?;
        self.log.sync()?;
        self.place.rows_length = self.history.length();
        self.place.log_length = self.log.length();
        let (rows, optimizer) = (self.rows.clone(), self.optimizer.state());
        State { place: self.place, rows, optimizer }.save(&self.state)?;
        self.saved = Instant::now();
        Ok(())
    }
}

/// The vocabulary's rows, for optimisers that look at the whole table.
struct Table(Vec<f32>, usize);

impl FrozenRows for Table {
    fn rows(&self) -> usize {
        self.0.len() / self.1
    }

    fn copy(&self, id: u32, out: &mut [f32]) {
        let start = id as usize * self.1;
        out.copy_from_slice(&self.0[start..start + self.1]);
    }
}
