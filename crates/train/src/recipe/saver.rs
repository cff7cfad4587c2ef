//! How a run's files are written, and what their metadata say.
use crate::checkpoint::{self, Saver};
use crate::noise_options::STEPS;
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
        timesteps: timesteps(plan),
        clip_skip: (plan.clip_skip > 1).then_some(plan.clip_skip as u32),
    };
    let mut metadata = spec.metadata();
    metadata.extend(crate::card::metadata(plan));
    // Where kohya's trainer of LoRAs has it; its trainer of words has no place for one.
    metadata.extend(texts.comment.map(|comment| ("ss_training_comment".to_owned(), comment)));
    Saver { metadata, ..saver.clone() }
}

/// The range of noise levels where it is not the whole.
fn timesteps(plan: &TrainPlan) -> (Option<u32>, Option<u32>) {
    let (low, high) = plan.timesteps;
    ((low > 0).then_some(low as u32), (high < STEPS).then_some(high as u32))
}
