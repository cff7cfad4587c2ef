//! What a recipe makes of a plan, and what other options leave of it.
use super::check::warn;
use super::{TrainOptions, TrainPlan};
use crate::recipe::{BUDGET, HighNoise, LEAST_BUDGET, RATE, Recipe, Starts};
use crate::{Error, Result, stopping};

/// Whether the recipe is `fast`: kohya's trainer knows no other than `classic`, and what goes on from
/// an embedding has found its subject.
fn is_fast(options: &TrainOptions) -> bool {
    options.recipe == Recipe::Fast && !options.kohya_numbers && options.from.is_none()
}

impl TrainOptions {
    /// The option that says how long the run is, where one does.
    #[must_use]
    pub fn given_length(&self) -> Option<&'static str> {
        let list = self.learning_rate.as_ref().is_some_and(|rate| rate.contains([':', ',']));
        let given = [
            (self.steps.is_some(), "train.steps"),
            (self.epochs.is_some(), "train.epochs"),
            (list, "train.learning_rate"),
        ];
        given.into_iter().find_map(|(given, field)| given.then_some(field))
    }
}

impl TrainPlan {
    /// The steps that the budget allows, where nothing else says how long the run is, and the short
    /// runs that come before them.
    pub(super) fn decide_budget(&mut self, options: &TrainOptions) -> Result<()> {
        if options.pick && options.no_pick {
            let expected = "one of {train.pick} and {train.no_pick}";
            return Err(Error::option("train.no_pick", expected, "both"));
        }
        if let Some(field) = options.given_length() {
            if options.budget.is_some() {
                let text = format!("without effect: {{{field}}} says how long the run is");
                self.warnings.push(warn(&text, None).with_field("train.budget"));
            }
            return Ok(());
        }
        let usual = is_fast(options).then_some(BUDGET);
        let Some(budget) = options.budget.or(usual) else { return Ok(()) };
        if !(LEAST_BUDGET..=10_000_000).contains(&budget) {
            let expected = format!("{LEAST_BUDGET} to 10000000");
            return Err(Error::option("train.budget", expected, budget.to_string()));
        }
        if self.has_plain_steps(options) && self.embeddings.len() == 1 {
            let rate = if options.learning_rate.is_some() { 1.0 } else { RATE };
            self.starts = Starts::of(budget, rate);
        }
        let before = self.starts.as_ref().map_or(0.0, Starts::cost);
        let (left, step) = (budget as f64 - before, (self.batch * self.accumulate) as f64);
        self.steps = ((left / step) as usize).max(1);
        if is_fast(options) && self.steps >= stopping::LEAST {
            self.stopping = Some(stopping::EVERY);
            self.steps = (left / (step + stopping::cost() / stopping::EVERY as f64)) as usize;
        }
        Ok(())
    }

    /// Whether the recipe may say which timesteps are drawn and at which rate: timesteps that were
    /// given stay, and `fast` was measured with AdamW alone.
    fn has_plain_steps(&self, options: &TrainOptions) -> bool {
        let optimizer = options.optimizer.trim();
        let timesteps = options.min_timestep.is_some() || options.max_timestep.is_some();
        is_fast(options) && !timesteps && optimizer.eq_ignore_ascii_case("adamw")
    }

    /// What `fast` does without short runs, and that it ends with a pick. A rate that was given stays,
    /// and of a run whose length was given the last step stays the embedding.
    pub(super) fn decide_recipe(&mut self, options: &TrainOptions) {
        if is_fast(options) {
            self.pick |= !options.no_pick && options.given_length().is_none();
        }
        if self.has_plain_steps(options) && self.starts.is_none() {
            self.high_noise = Some(HighNoise::of(self.steps));
            if options.learning_rate.is_none() {
                self.lr *= RATE;
            }
        }
    }
}
