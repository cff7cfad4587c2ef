//! What a training tells while it runs.
use crate::plan::PlanSummary;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wayword_interface::Warning;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The base is being loaded, or a preview drawn.
    Draw(wayword_diffusion::Event),
    /// What will be done, before anything is.
    Planned(Box<PlanSummary>),
    /// An image was turned into latents.
    Encoded {
        /// Images done.
        done: usize,
        /// All images.
        of: usize,
    },
    /// The evaluation loss was computed.
    Evaluated {
        /// After how many steps.
        step: usize,
        /// The mean loss.
        loss: f64,
    },
    /// A short run of those that are compared before the first step is done.
    Started(StartReport),
    /// An update was made.
    Step(StepReport),
    /// A file of the embedding was written.
    Saved {
        /// The file.
        path: PathBuf,
        /// After how many steps.
        step: usize,
    },
    /// A preview was drawn.
    Previewed {
        /// The image.
        path: PathBuf,
        /// After how many steps.
        step: usize,
    },
    /// The run's page was written.
    Reported {
        /// The page.
        path: PathBuf,
    },
    /// Something that the user should know, but that stops nothing.
    Warned(Warning),
    /// The run was asked to stop; its state is saved.
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps planned.
        of: usize,
        /// The run's folder, for `--resume`.
        run: PathBuf,
    },
    /// All steps are done.
    Finished(Outcome),
}

/// One update.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// Steps planned.
    pub of: usize,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs planned.
    pub epochs: usize,
    /// Mean loss of the step's batches.
    pub loss: f64,
    /// Mean loss of this epoch's batches so far.
    pub mean_loss: f64,
    /// Learning rate of the update.
    pub rate: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Mean norm of the embedding's vectors.
    #[serde(rename = "row_norm")]
    pub vector_norm: f64,
    /// The same over that of the vocabulary's vectors.
    #[serde(rename = "row_norm_to_vocabulary")]
    pub vector_norm_to_vocabulary: f64,
    /// Seconds that the step took.
    pub seconds: f64,
    /// Seconds to the end, from the mean of the steps of this process.
    pub remaining: f64,
}

/// A short run of those that are compared before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StartReport {
    /// Short runs that are done.
    pub start: usize,
    /// All short runs.
    pub of: usize,
    /// Its loss on the set by which they are compared.
    pub loss: f64,
    /// How much other words of a prompt still guide as they do with the init word: 1 is alike.
    #[serde(default)]
    pub fidelity: f64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outcome {
    /// Steps done.
    pub step: usize,
    /// Steps planned; more than `step` where the run was asked to stop.
    pub of: usize,
    /// The embedding's last file; `None` where the run was asked to stop.
    pub path: Option<PathBuf>,
    /// The run's folder.
    pub run: PathBuf,
    /// The evaluation loss (fixed noise) before the first step.
    #[serde(rename = "fixed_before")]
    pub evaluation_before: f64,
    /// The same after the last step.
    #[serde(rename = "fixed_after")]
    pub evaluation_after: Option<f64>,
    /// Mean norm of the embedding's vectors.
    #[serde(rename = "row_norm")]
    pub vector_norm: f64,
    /// Seconds of training, of all processes that worked on the run.
    pub seconds: f64,
    /// What the evaluation losses say.
    #[serde(default)]
    pub verdict: Verdict,
}

impl Outcome {
    /// Whether all steps are done.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.path.is_some()
    }
}
