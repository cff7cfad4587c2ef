//! How a run's files are written, and what their metadata say.
use crate::checkpoint::{self, Saver};
use crate::embedding::PlannedEmbedding;
use crate::plan::TrainPlan;
use std::collections::BTreeMap;
use wayword_formats::modelspec::ModelSpec;

/// How the files are written.
pub(super) fn saver(plan: &TrainPlan) -> Saver {
    Saver {
        out: plan.out.clone(),
        format: plan.save_format,
        precision: plan.save_precision,
        metadata: BTreeMap::new(),
    }
}

/// The same with an embedding's metadata: kohya's.
pub(super) fn saver_of(saver: &Saver, plan: &TrainPlan, embedding: &PlannedEmbedding) -> Saver {
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
    metadata.extend(crate::manifest::metadata(plan));
    // Where kohya's trainer of LoRAs has it; its trainer of embeddings has no place for one.
    metadata.extend(said.comment.map(|comment| ("ss_training_comment".to_owned(), comment)));
    Saver { metadata, ..saver.clone() }
}
