//! A run's numbers, step by step, as its log has them.
use crate::Result;
use crate::error::AtFile as _;
use crate::event::StepReport;
use crate::stopping::Evaluation;
use serde_json::Value;
use std::path::Path;

/// What was measured in a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// Every step, in order.
    pub steps: Vec<StepReport>,
    /// Steps done and the evaluation loss.
    pub fixed: Vec<(usize, f64)>,
    /// Steps done and the fidelity, where it was measured with the loss.
    pub fidelity: Vec<(usize, f64)>,
}

impl Curves {
    /// Reads `log.jsonl`; lines that are something else, or not whole, are left out.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).at(path)?;
        let mut curves = Self::default();
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            let step = value["step"].as_u64().map(|step| step as usize);
            match (value["fixed_loss"].as_f64(), step) {
                (Some(loss), Some(step)) => {
                    curves.fixed.push((step, loss));
                    curves.fidelity.extend(value["fidelity"].as_f64().map(|f| (step, f)));
                }
                // The line of the starts is no step.
                (_, None) => {}
                _ => curves.steps.extend(serde_json::from_value(value)),
            }
        }
        Ok(curves)
    }

    /// The evaluations, in order.
    #[must_use]
    pub fn evaluations(&self) -> Vec<Evaluation> {
        let fidelity = |step| self.fidelity.iter().find(|(s, _)| *s == step).map(|(_, f)| *f);
        let evaluation = |(step, loss): &(usize, f64)| Evaluation {
            step: *step,
            loss: *loss,
            fidelity: fidelity(*step),
        };
        self.fixed.iter().map(evaluation).collect()
    }
}

/// A step's numbers under the names by which TensorBoard shows them; `loss` and `lr` are kohya's.
#[must_use]
pub fn tags(report: &StepReport) -> [(&'static str, f64); 6] {
    [
        ("loss", report.loss),
        ("loss_epoch_mean", report.mean_loss),
        ("lr", report.rate),
        ("gradient_norm", report.gradient_norm),
        ("row_norm", report.vector_norm),
        ("row_norm_to_vocabulary", report.vector_norm_to_vocabulary),
    ]
}

/// The tag of the evaluation loss.
pub const FIXED: &str = "loss_fixed_noise";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_and_a_torn_line_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        let report = StepReport { step: 1, loss: 0.5, ..StepReport::default() };
        let step = serde_json::to_string(&report).unwrap();
        let text = format!(
            "{{\"starts\":{{}}}}\n{{\"fixed_loss\":0.25,\"step\":0}}\n{step}\n{{\"step\":2,\"lo"
        );
        std::fs::write(&path, text).unwrap();
        let want = Curves { steps: vec![report], fixed: vec![(0, 0.25)], ..Curves::default() };
        assert_eq!(Curves::read(&path).unwrap(), want);
    }
}
