//! Embeddings as they were after a step of a training, instead of those of a file.
use crate::Failure;
use std::path::Path;
use wayword_diffusion::Embeddings;
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::vectors;

/// Adds a run's embeddings under their names; those of the same names in folders give way.
///
/// # Errors
/// If it is no run's folder, a step is not kept, or the base has vectors of another width.
pub(super) fn add(
    words: &mut Embeddings,
    run: &Path,
    step: Option<StepChoice>,
    strength: Option<f64>,
) -> Result<(), Failure> {
    let kept = KeptVectors::open(run)?;
    let choice = step.unwrap_or(StepChoice::One(kept.last()));
    let mut all = kept.all(choice)?;
    vectors::scale(&mut all, strength.unwrap_or(1.0));
    for (name, vectors) in kept.by_name(&all) {
        words.add(&name, vectors, None)?;
    }
    Ok(())
}
