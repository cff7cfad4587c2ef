//! What changes in a run, and the files that remember it.
use super::micro::MicroBatch;
use crate::checkpoint::{SaveActions, Saver};
use crate::event::{Event, StepReport};
use crate::optim::{FrozenRows, Optimizer, StateArray, Statistics};
use crate::plan::TrainPlan;
use crate::resume::{Place, State};
use crate::rows::RowGradients;
use crate::run_folder::RunFolder;
use crate::run_folder::curves::{Curves, FIXED, tags};
use crate::run_folder::log::LogWriter;
use crate::run_folder::rows::RowsWriter;
use crate::run_folder::tensorboard::{self, EventFile};
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wayword_diffusion::Base;
use wayword_interface::{Events, Stop, Warning};

/// What changes in a run, and the files that remember it.
pub(super) struct Progress {
    pub(super) place: Place,
    pub(super) rows: Vec<f32>,
    /// One for each word.
    optimizers: Vec<Optimizer>,
    pub(super) log: LogWriter,
    history: RowsWriter,
    charts: EventFile,
    /// The run's start, in seconds since 1970.
    started: f64,
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
        events: &dyn Events<Event>,
    ) -> Result<Self> {
        let statistics = match plan.kohya_numbers {
            true => {
                Statistics::WholeTable(Arc::new(Table(base.text.table(), base.info.token_width)))
            }
            false => Statistics::NewRows,
        };
        let new = |word| plan.optimizer_new(statistics.clone(), word);
        let mut optimizers = (0..plan.words.len()).map(new).collect::<Result<Vec<_>>>()?;
        let (state, history) = (run.file("state.safetensors"), run.file("rows.bin"));
        let log = run.file("log.jsonl");
        let started = plan.started as f64;
        if state.exists() {
            let saved = State::load(&state)?;
            for (word, optimizer) in optimizers.iter_mut().enumerate() {
                let own = of_word(&saved.optimizer, word);
                optimizer.restore(&own).map_err(|e| Error::run(&state, e.to_string()))?;
            }
            // Cut to the saved place before it is read again.
            let writer = LogWriter::open(&log, saved.place.log_length)?;
            return Ok(Self {
                history: RowsWriter::resume(&history, saved.place.rows_length)?,
                charts: charts(run, started, Some(&Curves::read(&log)?))?,
                started,
                log: writer,
                place: saved.place,
                rows: saved.rows,
                optimizers,
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
            charts: charts(run, started, None)?,
            started,
            log: LogWriter::open(&log, 0)?,
            place: Place { fixed_before: super::measure(base, &rows, fixed)?, ..Place::default() },
            rows,
            optimizers,
            state,
            saved: Instant::now(),
        };
        let loss = begun.place.fixed_before;
        begun.history.push(0, loss as f32, &begun.rows)?;
        begun.measured(loss, events)?;
        begun.save_state()?;
        Ok(begun)
    }

    /// Moves the rows; `rate` is the schedule's, of which words with a rate of their own have a share.
    pub(super) fn update(
        &mut self,
        plan: &TrainPlan,
        gradients: &RowGradients,
        rate: f64,
        momentum: Option<f64>,
    ) {
        let width = plan.base.token_width;
        let (mut rows, mut new) = (&mut self.rows[..], &gradients.new[..]);
        for (word, optimizer) in plan.words.iter().zip(&mut self.optimizers) {
            let own_rows = rows.split_off_mut(..word.vectors * width).expect("rows of all words");
            let own_new = new.split_off(..word.vectors * width).expect("a gradient of all rows");
            if let Some(momentum) = momentum {
                optimizer.set_momentum(momentum);
            }
            let share = word.lr.filter(|_| plan.lr > 0.0).map_or(1.0, |lr| lr / plan.lr);
            optimizer.step(own_rows, own_new, &gradients.others, rate * share);
        }
    }

    /// The rate that the first word's optimiser made for itself.
    pub(super) fn own_rate(&self) -> Option<f64> {
        self.optimizers.first().and_then(Optimizer::own_rate)
    }

    /// What is saved and drawn with: the average where the optimiser keeps one.
    pub(super) fn learned(&self, plan: &TrainPlan) -> Vec<f32> {
        let mut learned = Vec::with_capacity(self.rows.len());
        for (own, optimizer) in self.by_word(plan, &self.rows).zip(&self.optimizers) {
            let averaged = (!plan.kohya_numbers).then(|| optimizer.averaged(own)).flatten();
            learned.extend(averaged.unwrap_or_else(|| own.to_vec()));
        }
        learned
    }

    /// Rows of each word.
    fn by_word<'r>(
        &self,
        plan: &TrainPlan,
        rows: &'r [f32],
    ) -> impl Iterator<Item = &'r [f32]> + use<'r> {
        let mut rest = rows;
        let sizes: Vec<usize> =
            plan.words.iter().map(|word| word.vectors * plan.base.token_width).collect();
        sizes.into_iter().map_while(move |size| rest.split_off(..size))
    }

    /// Writes every word's last file.
    pub(super) fn save_last(
        &self,
        saver: &Saver,
        plan: &TrainPlan,
        events: &dyn Events<Event>,
    ) -> Result<Option<PathBuf>> {
        let learned = self.learned(plan);
        let mut first = None;
        for (word, own) in plan.words.iter().zip(self.by_word(plan, &learned)) {
            let saver = super::saver::saver_of(saver, plan, word);
            let path = saver.write(&word.name, own, plan.base.token_width)?;
            events.event(Event::Saved { path: path.clone(), step: plan.steps });
            first.get_or_insert(path);
        }
        Ok(first)
    }

    pub(super) fn record(&mut self, report: &StepReport) -> Result<()> {
        self.history.push(report.step as u32, report.loss as f32, &self.rows)?;
        self.charts.points(self.started + self.place.seconds, report.step, &tags(report))?;
        self.log.push(report)
    }

    /// Keeps and tells a loss at fixed noise.
    pub(super) fn measured(&mut self, loss: f64, events: &dyn Events<Event>) -> Result<()> {
        let step = self.place.step;
        self.log.push(&serde_json::json!({ "fixed_loss": loss, "step": step }))?;
        self.charts.points(self.started + self.place.seconds, step, &[(FIXED, loss)])?;
        events.event(Event::Measured { step, loss });
        Ok(())
    }

    /// Draws the previews that are due here; `epoch` is one that has just ended.
    pub(super) fn preview(
        &self,
        (base, plan, run): (&Base, &TrainPlan, &RunFolder),
        epoch: Option<usize>,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<()> {
        let step = self.place.step;
        match plan.previews.as_ref().filter(|previews| previews.is_due(step, epoch)) {
            Some(previews) => {
                let learned = self.learned(plan);
                previews.draw((base, plan), (run.path(), step, &learned), events, stop)
            }
            None => Ok(()),
        }
    }

    /// Writes and removes the files that are due; `due` says which by a word's name. Whether there
    /// were any.
    pub(super) fn save(
        &mut self,
        saver: &Saver,
        plan: &TrainPlan,
        due: impl Fn(&str) -> SaveActions,
        events: &dyn Events<Event>,
    ) -> Result<bool> {
        let actions: Vec<SaveActions> = plan.words.iter().map(|word| due(&word.name)).collect();
        let any = actions.iter().any(|a| a.write.is_some());
        if any {
            let learned = self.learned(plan);
            let parts = plan.words.iter().zip(self.by_word(plan, &learned));
            for ((word, own), action) in parts.zip(&actions) {
                let Some(name) = &action.write else { continue };
                let saver = super::saver::saver_of(saver, plan, word);
                let path = saver.write(name, own, plan.base.token_width)?;
                events.event(Event::Saved { path, step: self.place.step });
            }
        }
        for name in actions.iter().filter_map(|action| action.remove.as_ref()) {
            if let Err(error) = saver.remove(name) {
                let text = format!("an old file stays: {error}");
                events.event(Event::Warned(Warning::new(text)));
            }
        }
        Ok(any)
    }

    /// Saves the state; what it points to is on disk before.
    pub(super) fn save_state(&mut self) -> Result<()> {
        self.history.sync()?;
        self.log.sync()?;
        self.place.rows_length = self.history.length();
        self.place.log_length = self.log.length();
        let rows = self.rows.clone();
        let states = self.optimizers.iter_mut().enumerate();
        let optimizer = states.flat_map(|(word, o)| named(o.state(), word)).collect();
        State { place: self.place, rows, optimizer }.save(&self.state)?;
        self.saved = Instant::now();
        Ok(())
    }
}

/// TensorBoard's file, with what the log has already.
fn charts(run: &RunFolder, started: f64, curves: Option<&Curves>) -> Result<EventFile> {
    let name = format!("events.out.tfevents.{started:010}.wayword");
    let mut file = EventFile::create(&run.file("tensorboard").join(name), started)?;
    let Some(Curves { steps, fixed }) = curves else { return Ok(file) };
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

/// The state of a word's optimiser under names of its own.
fn named(state: Vec<StateArray>, word: usize) -> impl Iterator<Item = StateArray> {
    state.into_iter().map(move |a| StateArray { name: format!("{word}.{}", a.name), ..a })
}

/// The state of a word's optimiser out of that of all.
fn of_word(all: &[StateArray], word: usize) -> Vec<StateArray> {
    let prefix = format!("{word}.");
    let own = |a: &StateArray| {
        let name = a.name.strip_prefix(&prefix)?.to_owned();
        Some(StateArray { name, data: a.data.clone() })
    };
    all.iter().filter_map(own).collect()
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
