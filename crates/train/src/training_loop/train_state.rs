//! What changes in a run, and the files that remember it.
use super::micro_batch::MicroBatch;
use super::saver;
use super::starts::Chosen;
use crate::checkpoint::{LAST, SaveActions, Saver};
use crate::event::{Event, StepReport};
use crate::optim::{FrozenRows, Optimizer, StateArray, Statistics};
use crate::plan::TrainPlan;
use crate::run_folder::RunFolder;
use crate::run_folder::curves::{Curves, FIXED, tags};
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::log::LogWriter;
use crate::run_folder::tensorboard::{self, EventFile};
use crate::run_folder::vectors::VectorsWriter;
use crate::state::{Counters, SavedState};
use crate::stopping::Evaluation;
use crate::vectors::VectorGradients;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wayword_diffusion::AdapterGuard;
use wayword_interface::{Diagnostic, Events, Stop, Warning};

/// What changes in a run, and the files that remember it.
pub(super) struct TrainState {
    pub(super) counters: Counters,
    pub(super) vectors: Vec<f32>,
    /// Evaluations so far, the start's first.
    pub(super) looks: Vec<Evaluation>,
    /// One for each embedding.
    optimizers: Vec<Optimizer>,
    pub(super) log: LogWriter,
    history: VectorsWriter,
    charts: EventFile,
    /// The run's start, in seconds since 1970.
    started: f64,
    state: PathBuf,
    pub(super) saved: Instant,
}

impl TrainState {
    /// The saved state of the run, or its first.
    pub(super) fn begin(
        model: &AdapterGuard<'_>,
        plan: &TrainPlan,
        run: &RunFolder,
        evaluation_set: &[MicroBatch],
        start: Option<Chosen>,
        events: &dyn Events<Event>,
    ) -> Result<Self> {
        let base = model.base();
        let statistics = if plan.kohya_numbers {
            Statistics::WholeTable(Arc::new(Table(base.token_table(), base.info.token_width)))
        } else {
            Statistics::NewRows
        };
        let new = |embedding| plan.optimizer_new(statistics.clone(), embedding);
        let mut optimizers = (0..plan.embeddings.len()).map(new).collect::<Result<Vec<_>>>()?;
        let (state, history) = (run.file("state.safetensors"), run.file("rows.bin"));
        let log = run.file("log.jsonl");
        let started = plan.started as f64;
        if state.exists() {
            let saved = SavedState::load(&state)?;
            for (embedding, optimizer) in optimizers.iter_mut().enumerate() {
                let arrays = of_embedding(&saved.optimizer, embedding);
                optimizer
                    .restore(&arrays)
                    .map_err(|e| Error::run(&state, "does not fit the optimizer").with_source(e))?;
            }
            // Cut to the saved place before it is read again.
            let writer = LogWriter::open(&log, saved.counters.log_length)?;
            let curves = Curves::read(&log)?;
            return Ok(Self {
                history: VectorsWriter::resume(&history, saved.counters.vectors_length)?,
                charts: charts(run, started, Some(&curves))?,
                looks: curves.evaluations(),
                started,
                log: writer,
                counters: saved.counters,
                vectors: saved.vectors,
                optimizers,
                state,
                saved: Instant::now(),
            });
        }
        // Step 0 is before everything, also before short runs.
        let first = plan.first_vectors(base)?;
        let found = start.as_ref().map(
            |chosen| serde_json::json!({ "starts": chosen.losses, "fidelity": chosen.fidelities }),
        );
        let vectors = start.map_or_else(|| first.clone(), |chosen| chosen.vectors);
        let mut begun = Self {
            history: VectorsWriter::create(&history, plan.vectors(), base.info.token_width)?,
            charts: charts(run, started, None)?,
            started,
            log: LogWriter::open(&log, 0)?,
            counters: Counters {
                evaluation_before: super::evaluate(model, &first, evaluation_set)?,
                ..Counters::default()
            },
            vectors,
            looks: Vec::new(),
            optimizers,
            state,
            saved: Instant::now(),
        };
        if let Some(found) = found {
            begun.log.push(&found)?;
        }
        let loss = begun.counters.evaluation_before;
        begun.history.push(0, loss as f32, &first)?;
        begun.evaluated(loss, None, events)?;
        begun.save_state()?;
        Ok(begun)
    }

    /// Moves the vectors; `rate` is the schedule's, of which embeddings with a rate of their own have a share.
    pub(super) fn update(
        &mut self,
        plan: &TrainPlan,
        gradients: &VectorGradients,
        rate: f64,
        momentum: Option<f64>,
    ) {
        let width = plan.base.token_width;
        let (mut vectors, mut new) = (&mut self.vectors[..], &gradients.new[..]);
        for (embedding, optimizer) in plan.embeddings.iter().zip(&mut self.optimizers) {
            let own_vectors = vectors
                .split_off_mut(..embedding.vectors * width)
                .expect("vectors of all embeddings");
            let own_new =
                new.split_off(..embedding.vectors * width).expect("a gradient of all vectors");
            if let Some(momentum) = momentum {
                optimizer.set_momentum(momentum);
            }
            let share = embedding.lr.filter(|_| plan.lr > 0.0).map_or(1.0, |lr| lr / plan.lr);
            optimizer.step(own_vectors, own_new, &gradients.others, rate * share);
        }
    }

    /// The rate that the first embedding's optimizer made for itself.
    pub(super) fn own_rate(&self) -> Option<f64> {
        self.optimizers.first().and_then(Optimizer::own_rate)
    }

    /// What is saved and drawn with: the average where the optimizer keeps one.
    pub(super) fn learned(&self, plan: &TrainPlan) -> Vec<f32> {
        let mut learned = Vec::with_capacity(self.vectors.len());
        for (own, optimizer) in self.by_embedding(plan, &self.vectors).zip(&self.optimizers) {
            let averaged = (!plan.kohya_numbers).then(|| optimizer.averaged(own)).flatten();
            learned.extend(averaged.unwrap_or_else(|| own.to_vec()));
        }
        learned
    }

    /// Vectors of each embedding.
    fn by_embedding<'r>(
        &self,
        plan: &TrainPlan,
        vectors: &'r [f32],
    ) -> impl Iterator<Item = &'r [f32]> + use<'r> {
        let mut rest = vectors;
        let sizes: Vec<usize> = plan
            .embeddings
            .iter()
            .map(|embedding| embedding.vectors * plan.base.token_width)
            .collect();
        sizes.into_iter().map_while(move |size| rest.split_off(..size))
    }

    /// Writes every embedding's last file.
    pub(super) fn save_last(
        &self,
        plan: &TrainPlan,
        run: &RunFolder,
        events: &dyn Events<Event>,
    ) -> Result<Option<PathBuf>> {
        let learned = self.learned(plan);
        let tell = |files: Vec<PathBuf>, step| {
            let first = files.first().cloned();
            files.into_iter().for_each(|path| events.event(Event::Saved { path, step }));
            first
        };
        let Some(chosen) = plan.chosen else {
            return Ok(tell(saver::write_all(plan, &learned, "", None)?, plan.steps));
        };
        self.history.sync()?;
        let picked = KeptVectors::open(run.path())?.all(chosen)?;
        tell(saver::write_all(plan, &learned, LAST, None)?, plan.steps);
        Ok(tell(saver::write_all(plan, &picked, "", Some(chosen))?, chosen.middle()))
    }

    pub(super) fn record(&mut self, report: &StepReport) -> Result<()> {
        self.history.push(report.step as u32, report.loss as f32, &self.vectors)?;
        self.charts.points(self.started + self.counters.seconds, report.step, &tags(report))?;
        self.log.push(report)
    }

    /// Records and reports an evaluation loss, and fidelity where it was measured.
    pub(super) fn evaluated(
        &mut self,
        loss: f64,
        fidelity: Option<f64>,
        events: &dyn Events<Event>,
    ) -> Result<()> {
        let step = self.counters.step;
        let look = Evaluation { step, loss, fidelity };
        self.log.push(&look)?;
        self.looks.push(look);
        self.charts.points(self.started + self.counters.seconds, step, &[(FIXED, loss)])?;
        events.event(Event::Evaluated { step, loss });
        Ok(())
    }

    /// Draws the previews that are due here; `epoch` is one that has just ended.
    pub(super) fn preview(
        &self,
        (model, plan, run): (&AdapterGuard<'_>, &TrainPlan, &RunFolder),
        epoch: Option<usize>,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<()> {
        let step = self.counters.step;
        match plan.previews.as_ref().filter(|previews| previews.is_due(step, epoch)) {
            Some(previews) => {
                let learned = self.learned(plan);
                previews.draw((model, plan), (run.path(), step, &learned), events, stop)
            }
            None => Ok(()),
        }
    }

    /// Writes and removes the files that are due; `due` says which by an embedding's name. Whether there
    /// were any.
    pub(super) fn save(
        &mut self,
        saver: &Saver,
        plan: &TrainPlan,
        due: impl Fn(&str) -> SaveActions,
        events: &dyn Events<Event>,
    ) -> Result<bool> {
        let actions: Vec<SaveActions> =
            plan.embeddings.iter().map(|embedding| due(&embedding.name)).collect();
        let any = actions.iter().any(|a| a.write.is_some());
        if any {
            let learned = self.learned(plan);
            let parts = plan.embeddings.iter().zip(self.by_embedding(plan, &learned));
            for ((embedding, own), action) in parts.zip(&actions) {
                let Some(name) = &action.write else { continue };
                let saver = saver::saver_of(saver, plan, embedding);
                let path = saver.write(name, own, plan.base.token_width)?;
                events.event(Event::Saved { path, step: self.counters.step });
            }
        }
        for name in actions.iter().filter_map(|action| action.remove.as_ref()) {
            if let Err(error) = saver.remove(name) {
                let warning = Diagnostic::from(error).in_context("an old file was not removed");
                events.event(Event::Warned(Warning(warning)));
            }
        }
        Ok(any)
    }

    /// Saves the state; what it points to is on disk before.
    pub(super) fn save_state(&mut self) -> Result<()> {
        self.history.sync()?;
        self.log.sync()?;
        self.counters.vectors_length = self.history.length();
        self.counters.log_length = self.log.length();
        let vectors = self.vectors.clone();
        let states = self.optimizers.iter_mut().enumerate();
        let optimizer = states.flat_map(|(embedding, o)| named(o.state(), embedding)).collect();
        SavedState { counters: self.counters, vectors, optimizer }.save(&self.state)?;
        self.saved = Instant::now();
        Ok(())
    }
}

/// TensorBoard's file, with what the log has already.
fn charts(run: &RunFolder, started: f64, curves: Option<&Curves>) -> Result<EventFile> {
    let name = format!("events.out.tfevents.{started:010}.wayword");
    let mut file = EventFile::create(&run.file("tensorboard").join(name), started)?;
    let Some(Curves { steps, fixed, .. }) = curves else { return Ok(file) };
    let (mut records, mut wall, mut fixed) = (Vec::new(), started, fixed.iter().peekable());
    let mut until = |records: &mut Vec<u8>, wall: f64, step: usize| {
        while let Some((at, loss)) = fixed.next_if(|(at, _)| *at < step) {
            records.extend(tensorboard::points(wall, *at, &[(FIXED, *loss)]));
        }
    };
    for report in steps {
        until(&mut records, wall, report.step);
        wall += report.seconds;
        records.extend(tensorboard::points(wall, report.step, &tags(report)));
    }
    until(&mut records, wall, usize::MAX);
    file.append(&records)?;
    Ok(file)
}

/// The state of an embedding's optimizer under names of its own.
fn named(state: Vec<StateArray>, index: usize) -> impl Iterator<Item = StateArray> {
    state.into_iter().map(move |a| StateArray { name: format!("{index}.{}", a.name), ..a })
}

/// The state of an embedding's optimizer out of that of all.
fn of_embedding(arrays: &[StateArray], index: usize) -> Vec<StateArray> {
    let prefix = format!("{index}.");
    let renamed = |a: &StateArray| {
        let name = a.name.strip_prefix(&prefix)?.to_owned();
        Some(StateArray { name, data: a.data.clone() })
    };
    arrays.iter().filter_map(renamed).collect()
}

/// The vocabulary's vectors, for optimizers that look at the whole table.
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
