//! Optimizers over the trainable rows, by the names and arguments of kohya's `optimizer_type`.
//!
//! kohya trains the whole embedding table and puts all but the new vectors back after each step. For
//! rules that work number by number this changes nothing; those that sum over the table (Adafactor,
//! Prodigy, D-Adaptation) also see the rows of other words. [`Statistics`] says which is wanted.
#![expect(clippy::needless_range_loop, reason = "formulas over several arrays read best by index")]

mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod args;
mod dadapt;
mod eight_bit;
mod error;
mod lion;
mod nadam;
mod names;
mod prodigy;
mod radam;
mod rmsprop;
mod rule;
mod schedule_free;
mod sgd;
mod state;

pub use args::{Args, Literal};
pub use error::OptimError;
pub use names::OPTIMIZERS;
pub use state::{StateArray, StateData};
pub use wayword_interface::options::nearest;

use rule::{LatentView, Rule};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rows of the base's vocabulary, which are never trained.
pub trait FrozenRows: Send + Sync {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// Copies row `id` into `out`, whose length is the rows' width.
    fn copy(&self, id: u32, out: &mut [f32]);
}

/// What sums over rows cover.
#[derive(Clone, Default)]
pub enum Statistics {
    /// The new vectors: nothing depends on the embeddings around them.
    #[default]
    NewRows,
    /// The whole table, as in kohya's trainer.
    WholeTable(Arc<dyn FrozenRows>),
}

/// Gradients of frozen rows by id, each as wide as a row.
pub type OtherGradients = BTreeMap<u32, Vec<f32>>;

/// An optimizer with its state.
pub struct Optimizer {
    name: String,
    rule: Box<dyn Rule>,
    note: Option<String>,
    dim: usize,
    new_rows: usize,
    statistics: Statistics,
    /// Frozen rows that have received gradient, in the order of their places in the state.
    touched: Vec<u32>,
    /// Sum of squares over all frozen rows; counted once when a rule needs it.
    frozen_squares: f64,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Optimizer {
    /// The optimizer `name` (empty: AdamW; case does not matter for kohya's own names) with
    /// `key=value` arguments, over `new_rows` rows of `dim` numbers.
    ///
    /// # Errors
    /// For unknown names, unknown arguments and values out of range.
    pub fn new(
        name: &str,
        args: &[String],
        learning_rate: f64,
        (new_rows, dim): (usize, usize),
        statistics: Statistics,
    ) -> Result<Self, OptimError> {
        let names::Made { name, rule, note } = names::make(name, args, learning_rate)?;
        let mut made = Self {
            name,
            rule,
            note,
            dim,
            new_rows,
            statistics,
            touched: Vec::new(),
            frozen_squares: 0.0,
        };
        if made.rule.whole_table() {
            made.measure_frozen_rows();
        } else {
            made.statistics = Statistics::NewRows;
        }
        Ok(made)
    }

    fn measure_frozen_rows(&mut self) {
        let Statistics::WholeTable(frozen) = &self.statistics else { return };
        let rows = u32::try_from(frozen.rows()).unwrap_or(u32::MAX);
        let mut row = vec![0.0; self.dim];
        for id in 0..rows {
            frozen.copy(id, &mut row);
            self.frozen_squares += row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        }
        if self.rule.decays_gradients() {
            // The decay gives every row a gradient.
            self.touched = (0..rows).collect();
        }
    }

    /// Its name as written in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was taken otherwise than written, such as a paged optimizer.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Whether it makes its own learning rates, so that no schedule applies (Adafactor's
    /// `relative_step`).
    #[must_use]
    pub fn is_relative(&self) -> bool {
        self.rule.is_relative()
    }

    /// Whether no learning-rate schedule but `constant` makes sense (schedule-free optimizers).
    #[must_use]
    pub fn is_schedule_free(&self) -> bool {
        self.rule.is_schedule_free()
    }

    /// One update. `rows` and `gradient` are `[new vectors, dim]`; `others` may be empty; `rate` is
    /// the schedule's rate of this update, or the learning rate where the rule makes its own.
    ///
    /// # Panics
    /// If the lengths differ from those given to [`Optimizer::new`].
    pub fn step(&mut self, rows: &mut [f32], gradient: &[f32], others: &OtherGradients, rate: f64) {
        let new = self.new_rows * self.dim;
        assert!(rows.len() == new && gradient.len() == new, "rows and gradient are [rows, dim]");
        let Statistics::WholeTable(frozen) = &self.statistics else {
            self.rule.step(LatentView {
                p: rows,
                g: &mut gradient.to_vec(),
                dim: self.dim,
                numbers: &(0..self.new_rows).collect::<Vec<_>>(),
                rate,
                rest_rows: 0,
                rest_squares: 0.0,
            });
            return;
        };
        for id in others.keys() {
            if !self.touched.contains(id) {
                self.touched.push(*id);
            }
        }
        let dim = self.dim;
        let mut p = vec![0.0; new + self.touched.len() * dim];
        let mut g = vec![0.0; p.len()];
        p[..new].copy_from_slice(rows);
        g[..new].copy_from_slice(gradient);
        let mut squares = 0.0;
        for (id, i) in self.touched.iter().zip((new..).step_by(dim)) {
            frozen.copy(*id, &mut p[i..i + dim]);
            squares += p[i..i + dim].iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            if let Some(row) = others.get(id) {
                g[i..i + dim].copy_from_slice(row);
            }
        }
        let first = frozen.rows();
        let new = first..first + self.new_rows;
        let numbers: Vec<_> = new.chain(self.touched.iter().map(|id| *id as usize)).collect();
        self.rule.step(LatentView {
            p: &mut p,
            g: &mut g,
            dim,
            numbers: &numbers,
            rate,
            rest_rows: first - self.touched.len(),
            rest_squares: (self.frozen_squares - squares).max(0.0),
        });
        rows.copy_from_slice(&p[..rows.len()]);
    }

    /// The estimate `d` of Prodigy and D-Adaptation.
    #[must_use]
    pub fn d(&self) -> Option<f64> {
        self.rule.d()
    }

    /// The rate that Adafactor used last, where it makes its own.
    #[must_use]
    pub fn own_rate(&self) -> Option<f64> {
        self.rule.own_rate()
    }

    /// The averaged rows of a schedule-free optimizer, which are what it has learned; `None` for
    /// all others.
    #[must_use]
    pub fn averaged(&self, rows: &[f32]) -> Option<Vec<f32>> {
        self.rule.averaged(rows)
    }

    /// Sets the first beta or the momentum, for schedules that move it.
    pub fn set_momentum(&mut self, momentum: f64) {
        self.rule.set_momentum(momentum);
    }

    /// The whole state, to go on from bit for bit.
    pub fn state(&mut self) -> Vec<StateArray> {
        let mut arrays = state::save(self.rule.fields());
        arrays.push(StateArray {
            name: "touched".into(),
            data: StateData::U32(self.touched.clone()),
        });
        arrays
    }

    /// Takes a state back. The optimizer must have been made with the same name and arguments.
    ///
    /// # Errors
    /// If an array is missing or of another kind or length.
    pub fn restore(&mut self, arrays: &[StateArray]) -> Result<(), OptimError> {
        let bad = |what| OptimError::State { optimizer: self.name.clone(), what };
        state::restore(self.rule.fields(), arrays).map_err(bad)?;
        let touched = arrays.iter().find(|a| a.name == "touched").map(|a| &a.data);
        match touched {
            Some(StateData::U32(ids)) => self.touched.clone_from(ids),
            _ => {
                let what = "array `touched` is missing".into();
                return Err(OptimError::State { optimizer: self.name.clone(), what });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
