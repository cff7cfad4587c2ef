//! How a run's files are written, and what their metadata say.
use crate::Result;
use crate::checkpoint::{self, LAST, Saver};
use crate::embedding::PlannedEmbedding;
use crate::error::AtFile;
use crate::plan::TrainPlan;
use crate::run_folder::steps::StepChoice;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wayword_formats::modelspec::ModelSpec;

/// How the files are written.
pub(crate) fn saver(plan: &TrainPlan) -> Saver {
    Saver {
        out: plan.out.clone(),
        format: plan.save_format,
        precision: plan.save_precision,
        metadata: BTreeMap::new(),
    }
}

/// The same with an embedding's metadata, for the vectors after a step of the loop.
pub(super) fn saver_of(saver: &Saver, plan: &TrainPlan, embedding: &PlannedEmbedding) -> Saver {
    Saver { metadata: metadata(plan, embedding, None), ..saver.clone() }
}

/// Writes the file of every embedding, from the vectors of all; `ending` is added to their names.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn write_all(
    plan: &TrainPlan,
    vectors: &[f32],
    ending: &str,
    chosen: Option<StepChoice>,
) -> Result<Vec<PathBuf>> {
    let (mut rest, mut files) = (vectors, Vec::new());
    for embedding in &plan.embeddings {
        let size = embedding.vectors * plan.base.token_width;
        let part = rest.split_off(..size).unwrap_or_default();
        files.push(write_one(plan, embedding, part, ending, chosen)?);
    }
    Ok(files)
}

/// Writes the file of one embedding.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_one(
    plan: &TrainPlan,
    embedding: &PlannedEmbedding,
    vectors: &[f32],
    ending: &str,
    chosen: Option<StepChoice>,
) -> Result<PathBuf> {
    let saver = Saver { metadata: metadata(plan, embedding, chosen), ..saver(plan) };
    saver.write(&format!("{}{ending}", embedding.name), vectors, plan.base.token_width)
}

/// Removes the files NAME-last, which held the last step while another one was picked.
///
/// # Errors
/// If one cannot be removed.
pub(super) fn remove_spare_files(plan: &TrainPlan) -> Result<()> {
    for embedding in &plan.embeddings {
        let file = saver(plan).path(&format!("{}{LAST}", embedding.name));
        if file.exists() {
            std::fs::remove_file(&file).at(&file)?;
        }
    }
    Ok(())
}

/// What an embedding's file says about itself: kohya's keys and the run's manifest. `chosen` are
/// the steps whose vectors it has, where these are not the last step's.
#[must_use]
pub fn metadata(
    plan: &TrainPlan,
    embedding: &PlannedEmbedding,
    chosen: Option<StepChoice>,
) -> BTreeMap<String, String> {
    let said = plan.texts.clone();
    let mut texts = said.texts;
    let title = texts.remove("title").unwrap_or_else(|| embedding.name.clone());
    texts.entry("trigger_phrase".into()).or_insert_with(|| embedding.name.clone());
    let spec = ModelSpec {
        title,
        resolution: plan.resolution,
        date: checkpoint::date(plan.started),
        v_prediction: plan.loss.v_prediction,
        program: format!("wayword/{}", plan.version),
        texts,
        timesteps: said.timesteps,
        clip_skip: said.clip_skip,
    };
    let mut metadata = spec.metadata();
    metadata.extend(crate::manifest::metadata(plan, chosen));
    // Where kohya's trainer of LoRAs has it; its trainer of embeddings has no place for one.
    metadata.extend(said.comment.map(|comment| ("ss_training_comment".to_owned(), comment)));
    metadata
}
