//! The usual learning rate, and rates far from it.
use super::TrainPlan;
use super::check::warn;
use wayword_interface::Warning;

/// Root mean square of Stable Diffusion 1.5's token table, by which learning rates are scaled.
pub(super) const TOKEN_RMS: f64 = 0.0144;

/// The learning rate for that table.
pub(super) const LEARNING_RATE: f64 = 1e-3;

impl TrainPlan {
    /// A rate far from what is usual for the base: nothing is learned, or everything is lost.
    #[must_use]
    pub fn unusual_rate(&self) -> Option<Warning> {
        let own_scale = self.optimizer == "Prodigy" || self.optimizer.starts_with("DAdapt");
        let usual = LEARNING_RATE * f64::from(self.base.token_rms) / TOKEN_RMS;
        let ratio = self.lr / usual;
        if own_scale || (1.0 / 30.0..=30.0).contains(&ratio) {
            return None;
        }
        let how = if ratio > 1.0 { "larger" } else { "smaller" };
        let text = format!(
            "{} is {:.0} times {how} than usual for this base",
            self.lr,
            ratio.max(1.0 / ratio)
        );
        let hint = format!("use a {{train.learning_rate}} near {usual:.1e}, or leave it out");
        Some(warn(&text, Some(&hint)).with_field("train.learning_rate"))
    }
}
