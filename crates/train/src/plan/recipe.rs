//! Which recipe a training has, and what of `fast` other options leave.
use super::check::warn;
use super::{TrainOptions, TrainPlan};
use crate::recipe::{BUDGET, LEAST_BUDGET, Recipe, Starts};
use crate::{Error, Result};

impl TrainPlan {
    /// The recipe: what comes before the first step, and how many steps the budget leaves.
    pub(super) fn decide_recipe(&mut self, options: &TrainOptions) -> Result<()> {
        let fast = options.recipe == Recipe::Fast;
        let reason = against(options, self.embeddings.len());
        let asked = fast || options.budget.is_some();
        if let Some((option, why)) = reason.filter(|_| asked) {
            let text = format!("one start, without a budget: {why}");
            let hint = format!("leave {option} out to use {{train.recipe}} fast");
            self.warnings.push(warn(&text, Some(&hint)).with_field("train.recipe"));
        }
        if reason.is_some() {
            return Ok(());
        }
        let budget = options.budget.unwrap_or(BUDGET);
        if !(LEAST_BUDGET..=10_000_000).contains(&budget) {
            let expected = format!("{LEAST_BUDGET} to 10000000");
            return Err(Error::option("train.budget", expected, budget.to_string()));
        }
        let samples = self.batch * self.accumulate;
        if !fast {
            self.steps = (budget / samples).max(1);
            return Ok(());
        }
        let pictures: Vec<usize> =
            (0..self.pictures.len()).filter(|place| !self.is_regular(*place)).collect();
        let init = options.init.is_some()
            || options.from.is_some()
            || options.words.iter().any(|word| word.init.is_some());
        let starts = Starts::of(budget, &pictures, !init);
        self.steps = starts.steps(samples);
        self.starts = Some(starts);
        Ok(())
    }
}

/// The option that leaves no room for several starts, and why.
fn against(options: &TrainOptions, embeddings: usize) -> Option<(&'static str, &'static str)> {
    let optimizer = options.optimizer.trim();
    let own_optimizer = !optimizer.is_empty() && !optimizer.eq_ignore_ascii_case("adamw");
    let list = |rate: &String| rate.contains([':', ',']);
    let reasons = [
        (options.steps.is_some(), "{train.steps}", "{train.steps} is given"),
        (options.epochs.is_some(), "{train.epochs}", "{train.epochs} is given"),
        (
            options.kohya_numbers,
            "{train.kohya_numbers}",
            "kohya's trainer has one start ({train.kohya_numbers})",
        ),
        (
            options.learning_rate.as_ref().is_some_and(list),
            "the list of {train.learning_rate}",
            "a list of rates says how long the training is",
        ),
        (
            own_optimizer,
            "{train.optimizer}",
            "short runs are measured with AdamW only ({train.optimizer})",
        ),
        (
            options.lr_scheduler_type.is_some(),
            "{train.lr_scheduler_type}",
            "{train.lr_scheduler_type} is given",
        ),
        (embeddings > 1, "[[word]]", "several words are learned together"),
    ];
    let found = reasons.into_iter().find(|(given, ..)| *given)?;
    Some((found.1, found.2))
}
