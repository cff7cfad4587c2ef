//! How a run's files are written, and what their metadata say.
use crate::checkpoint::{self, Saver};
use crate::plan::TrainPlan;
use crate::words::Word;
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

/// The same with a word's metadata: kohya's.
pub(super) fn saver_of(saver: &Saver, plan: &TrainPlan, word: &Word) -> Saver {
    let texts = plan.texts.clone();
    let spec = ModelSpec {
        title: texts.title.unwrap_or_else(|| word.name.clone()),
        author: texts.author,
        description: texts.description,
        license: texts.license,
        tags: texts.tags,
        resolution: plan.resolution,
        date: checkpoint::date(plan.started),
        v_prediction: plan.loss.v_prediction,
        program: format!("wayword/{}", plan.version),
        usage_hint: texts.usage_hint,
        trigger_phrase: texts.trigger_phrase.or_else(|| Some(word.name.clone())),
        thumbnail: texts.thumbnail,
        merged_from: texts.merged_from,
        preprocessor: texts.preprocessor,
        is_negative_embedding: texts.is_negative_embedding,
        timesteps: texts.timesteps,
        clip_skip: texts.clip_skip,
    };
    let mut metadata = spec.metadata();
    metadata.extend(crate::card::metadata(plan));
    // Where kohya's trainer of LoRAs has it; its trainer of words has no place for one.
    metadata.extend(texts.comment.map(|comment| ("ss_training_comment".to_owned(), comment)));
    Saver { metadata, ..saver.clone() }
}
