//! A run that is made longer: over the steps that are added, the schedule's shape runs anew.
use super::TrainPlan;
use crate::lr::LrSchedule;
use crate::stopping::Ended;
use crate::{Error, Result};

/// The learning rates of a run and of what was added to it.
#[derive(Debug)]
pub struct Rates(Vec<(usize, LrSchedule)>);

impl Rates {
    /// The schedule of a step, counted from 0, and the step within it.
    fn at(&self, step: usize) -> (&LrSchedule, u64) {
        let part = self.0.iter().rev().find(|(first, _)| *first <= step);
        // The first part begins at 0.
        let (first, schedule) = part.unwrap_or(&self.0[0]);
        (schedule, (step - first) as u64)
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn rate(&self, step: usize) -> f64 {
        let (schedule, step) = self.at(step);
        schedule.rate(step)
    }

    /// The momentum of a step, where the schedule has one.
    #[must_use]
    pub fn momentum(&self, step: usize) -> Option<f64> {
        let (schedule, step) = self.at(step);
        schedule.momentum(step)
    }
}

impl TrainPlan {
    /// The learning rates of all steps.
    ///
    /// # Errors
    /// If the scheduler or its options are refused.
    pub fn rates(&self) -> Result<Rates> {
        let begins = std::iter::once(0).chain(self.extensions.iter().copied());
        let ends = self.extensions.iter().copied().chain([self.steps]);
        // Of a run that ended early the rate is on its way to where the end was planned.
        let planned = |end: usize| match self.ended {
            Some(ended) if ended.after == end => ended.planned,
            _ => end,
        };
        let ends = ends.map(planned);
        let part = |(first, end): (usize, usize)| Ok((first, self.schedule_over(end - first)?));
        Ok(Rates(begins.zip(ends).map(part).collect::<Result<_>>()?))
    }

    /// The plan of a run that ends here, before all its steps.
    #[must_use]
    pub(crate) fn end_early(&self, ended: Ended) -> Self {
        Self { steps: ended.after, ended: Some(ended), ..self.clone() }
    }

    /// Whether the run looks at whether it may end: not one that has ended, nor one that was made longer.
    pub(crate) fn may_end_early(&self) -> bool {
        self.stopping.is_some() && self.ended.is_none() && self.extensions.is_empty()
    }

    /// Adds steps at the end of the run.
    ///
    /// # Errors
    /// If a list of rates says how long the run is, or none are added.
    pub fn extend(&mut self, steps: usize) -> Result<()> {
        if self.lr_list.is_some() {
            let found = "a list of rates, which says how long the run is";
            return Err(Error::option("train.extend", "a run with one learning rate", found));
        }
        if steps == 0 {
            return Err(Error::option("train.extend", "a number of steps above 0", "0"));
        }
        self.extensions.push(self.steps);
        self.steps += steps;
        // It was chosen among fewer steps.
        self.chosen = None;
        Ok(())
    }
}
