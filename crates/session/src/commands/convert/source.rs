//! What is converted: an embedding's file, or what a run keeps of its steps.
use super::is_hash;
use crate::Failure;
use crate::request::Convert as Options;
use wayword_formats::Embedding;
use wayword_formats::embedding::{self, Layout};
use wayword_train::manifest;
use wayword_train::plan::TrainPlan;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::run_folder::{self, kept::KeptVectors};
use wayword_train::training_loop::saver;
use wayword_train::vectors;

/// The embedding, at the strength that was asked for.
///
/// # Errors
/// If IN is neither an embedding nor a run, or a step is not kept.
pub(super) fn read(options: &Options) -> Result<Embedding, Failure> {
    let mut word = if options.input.is_dir() {
        of_run(options)?
    } else if options.step.is_some() {
        let text = format!("{} is a file: {{convert.step}} needs a run", options.input.display());
        return Err(Failure::user(text).hint("give the folder NAME.run beside it"));
    } else {
        embedding::read(&options.input)?
    };
    if let Some(strength) = options.strength.filter(|strength| *strength != 1.0) {
        vectors::scale(&mut word.vectors, strength);
        // No run makes these values, and they have other hashes.
        word.metadata.retain(|key, _| key != manifest::KEY && !is_hash(key));
    }
    Ok(word)
}

/// An embedding of a run: the only one, else the one that is called as the result.
fn of_run(options: &Options) -> Result<Embedding, Failure> {
    let run = &options.input;
    let run_vectors = KeptVectors::open(run)?;
    let choice = options.step.unwrap_or(StepChoice::One(run_vectors.last()));
    let plan: TrainPlan = run_folder::read_plan(run)?;
    let stem = options.output.file_stem().map(|s| s.to_string_lossy().into_owned());
    let wanted = options.token.clone().or(stem).unwrap_or_default();
    let found = match plan.embeddings.as_slice() {
        [only] => Some(only),
        several => several.iter().find(|embedding| embedding.name == wanted),
    };
    let Some(found) = found else {
        let names: Vec<&str> = run_vectors.names().collect();
        let text = format!("{}: a run of several embeddings", run.display());
        return Err(Failure::user(text)
            .hint(format!("say which by {{convert.token}}: {}", names.join(", "))));
    };
    let vectors = run_vectors.of(&found.name, choice)?;
    let chosen = Some(choice).filter(|choice| *choice != StepChoice::One(plan.steps));
    Ok(Embedding {
        count: vectors.len() / run_vectors.width(),
        width: run_vectors.width(),
        vectors,
        layout: Layout::Kohya,
        dtype: plan.save_precision.dtype(),
        key: None,
        name: Some(found.name.clone()),
        step: None,
        sd_checkpoint: None,
        sd_checkpoint_name: None,
        metadata: saver::metadata(&plan, found, chosen),
    })
}
