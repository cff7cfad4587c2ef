//! A plan as it is shown before the first step.
use super::{PlanWarning, TrainPlan};
use crate::checkpoint;
use crate::words::Lexicon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wayword_diffusion::tokenizer::{Tokenizer, VOCABULARY};
use wayword_prompt::template::Template;

/// A caption that the text encoder will see, and how often it is among all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveCaption {
    /// With the token in its place.
    pub text: String,
    /// How many sentences or samples of an epoch have it.
    pub count: u64,
    /// Whether the word is in it, after it was cut to its windows.
    pub has_word: bool,
}

/// What a run will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds of one step.
    pub seconds_per_step: f64,
    /// Seconds of all steps.
    pub seconds: f64,
    /// Bytes held at most by the device.
    pub memory: usize,
}

/// A plan in numbers and words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the plan")]
pub struct PlanSummary {
    pub name: String,
    pub token: String,
    pub vectors: usize,
    pub init: String,
    pub pictures: usize,
    /// Pictures times repeats.
    pub samples: u64,
    /// Sizes that are trained, with the samples of each.
    pub sizes: Vec<((usize, usize), u64)>,
    pub batches_per_epoch: u64,
    pub steps: usize,
    pub epochs: u64,
    pub batch: usize,
    pub accumulate: usize,
    /// Whether captions are sentences of a template, one drawn for each sample.
    pub template: bool,
    /// All different captions, those without the word first, then the most frequent.
    pub captions: Vec<EffectiveCaption>,
    pub lr: f64,
    pub scheduler: String,
    pub optimizer: String,
    pub seed: u64,
    /// Files that will have been written, without their folder.
    pub files: Vec<String>,
    pub estimate: Option<Estimate>,
    pub warnings: Vec<PlanWarning>,
}

impl TrainPlan {
    /// The plan in numbers and words.
    #[must_use]
    pub fn summary(&self, estimate: Option<Estimate>) -> PlanSummary {
        let counts = self.counts();
        let texts = |of: &dyn Fn(&crate::words::Word) -> String| {
            self.words.iter().map(of).collect::<Vec<_>>().join(", ")
        };
        PlanSummary {
            name: self.name.clone(),
            token: texts(&|word| word.token.clone()),
            vectors: self.vectors(),
            init: texts(&|word| word.init.to_string()),
            pictures: self.pictures.len(),
            samples: self.pictures.iter().map(|p| p.repeats).sum(),
            sizes: self.buckets().into_iter().collect(),
            batches_per_epoch: counts.batches_per_epoch,
            steps: self.steps,
            epochs: counts.epochs,
            batch: self.batch,
            accumulate: self.accumulate,
            template: self.sentences.is_some(),
            captions: self.captions(),
            lr: self.lr,
            scheduler: self.lr_list.clone().unwrap_or_else(|| self.scheduler.clone()),
            optimizer: self.optimizer.clone(),
            seed: self.seed,
            files: self.files(counts.epochs as usize, counts.updates_per_epoch as usize),
            estimate,
            warnings: self.warnings.clone(),
        }
    }

    /// Every different caption that can occur.
    #[must_use]
    pub fn captions(&self) -> Vec<EffectiveCaption> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let token = self.words.first().map(|word| word.token.as_str()).unwrap_or_default();
        match &self.sentences {
            None => {
                for picture in &self.pictures {
                    *counts.entry(picture.caption.clone()).or_default() += picture.repeats;
                }
            }
            Some(sentences) => {
                for template in sentences.iter().filter_map(|line| Template::parse(line).ok()) {
                    if template.has_filewords() {
                        for picture in &self.pictures {
                            let text = template.fill(token, &picture.caption);
                            *counts.entry(text).or_default() += 1;
                        }
                    } else {
                        *counts.entry(template.fill(token, "")).or_default() += 1;
                    }
                }
            }
        }
        let tokenizer = Tokenizer::new();
        let first = VOCABULARY as u32;
        let lexicon = Lexicon::new(&self.words, first, self.kohya_numbers);
        let effective = |(text, count): (String, u64)| {
            let ids = lexicon.windows(&tokenizer, &text, self.windows);
            EffectiveCaption { has_word: ids.iter().any(|id| *id >= first), text, count }
        };
        let mut list: Vec<EffectiveCaption> = counts.into_iter().map(effective).collect();
        list.sort_by_key(|c| (c.has_word, std::cmp::Reverse(c.count)));
        list
    }

    /// The files that are there at the end, oldest first.
    fn files(&self, epochs: usize, updates: usize) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        let mut apply = |actions: checkpoint::SaveActions| {
            files.extend(actions.write);
            files.retain(|file| Some(file) != actions.remove.as_ref());
        };
        for step in 1..=self.steps {
            apply(self.save.after_step(&self.name, step));
            if updates > 0 && step.is_multiple_of(updates) {
                apply(self.save.after_epoch(&self.name, step / updates, epochs));
            }
        }
        files.push(self.name.clone());
        let ending = self.save_format.ending();
        files.iter().map(|file| format!("{file}.{ending}")).collect()
    }
}
