//! A plan as it is shown before the first step.
use super::{PreparedPhotos, TrainPlan};
use crate::checkpoint;
use crate::embedding::Lexicon;
use crate::recipe::{HighNoise, Starts};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wayword_diffusion::tokenizer::{Tokenizer, VOCABULARY};
use wayword_interface::Warning;
use wayword_prompt::caption::{self, CaptionOptions, Moment};
use wayword_prompt::template::Template;
use wayword_tensor::random::TorchGenerator;

/// A caption that the text encoder will see, and how often it is among all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EffectiveCaption {
    /// With the token in its place.
    pub text: String,
    /// How many sentences or samples of an epoch have it.
    pub count: u64,
    /// Whether the embedding is in it, after it was cut to its windows.
    #[serde(rename = "has_word")]
    pub has_embedding: bool,
    /// The same for each of the embeddings.
    #[serde(rename = "words")]
    pub embeddings: Vec<bool>,
}

/// What a run will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Estimate {
    /// Seconds of one step.
    pub seconds_per_step: f64,
    /// Seconds of all steps.
    pub seconds: f64,
    /// Seconds until all images are encoded; those whose latents are kept already take none.
    #[serde(default)]
    pub latents: f64,
    /// Seconds of the short runs before the first step.
    #[serde(default)]
    pub starts: f64,
    /// Seconds of all evaluation losses.
    #[serde(default)]
    #[serde(rename = "measures")]
    pub evaluations: f64,
    /// Seconds of all previews.
    #[serde(default)]
    pub previews: f64,
    /// Seconds of choosing the best step at the end.
    #[serde(default)]
    pub pick: f64,
    /// Seconds of everything.
    #[serde(default)]
    pub total: f64,
    /// Bytes held at most by the device.
    pub memory: usize,
}

/// A plan in numbers and words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the plan")]
pub struct PlanSummary {
    pub name: String,
    pub token: String,
    pub vectors: usize,
    /// The LoRAs that the base wears.
    pub loras: Vec<String>,
    pub init: String,
    /// The base's name.
    pub base: String,
    pub base_sha256: Option<String>,
    /// Which original it is, where it is one.
    pub base_known: Option<String>,
    pub pictures: usize,
    /// What became of photos that were prepared for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<PreparedPhotos>,
    /// Images times repeats.
    pub samples: u64,
    /// Sizes that are trained, with the samples of each.
    pub sizes: Vec<((usize, usize), u64)>,
    pub batches_per_epoch: u64,
    pub steps: usize,
    /// Short runs before the first step, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// The first steps, where they learn at much noise only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_noise: Option<HighNoise>,
    /// Whether the best step is chosen at the end.
    #[serde(default)]
    pub pick: bool,
    pub epochs: u64,
    pub batch: usize,
    pub accumulate: usize,
    /// Whether captions are sentences of a template, one drawn for each sample.
    pub template: bool,
    /// All different captions, those without the embedding first, then the most frequent.
    pub captions: Vec<EffectiveCaption>,
    pub lr: f64,
    pub scheduler: String,
    pub optimizer: String,
    pub seed: u64,
    /// Files that will have been written, without their folder.
    pub files: Vec<String>,
    pub estimate: Option<Estimate>,
    pub warnings: Vec<Warning>,
}

impl TrainPlan {
    /// The plan in numbers and words.
    #[must_use]
    pub fn summary(&self, estimate: Option<Estimate>) -> PlanSummary {
        let counts = self.counts();
        let texts = |text_of: &dyn Fn(&crate::embedding::PlannedEmbedding) -> String| {
            self.embeddings.iter().map(text_of).collect::<Vec<_>>().join(", ")
        };
        PlanSummary {
            name: self.name.clone(),
            token: texts(&|embedding| embedding.token.clone()),
            vectors: self.vectors(),
            loras: self.loras.iter().map(ToString::to_string).collect(),
            init: texts(&|embedding| embedding.init.to_string()),
            base: self.base.name.clone(),
            base_sha256: self.base.sha256.clone(),
            base_known: self.base.known.clone(),
            pictures: self.pictures.len(),
            photos: Vec::new(),
            samples: self.pictures.iter().map(|p| p.repeats).sum(),
            sizes: self.buckets().into_iter().collect(),
            batches_per_epoch: counts.batches_per_epoch,
            steps: self.steps,
            starts: self.starts,
            high_noise: self.high_noise,
            pick: self.pick,
            epochs: counts.epochs,
            batch: self.batch,
            accumulate: self.accumulate,
            template: self.sentences.is_some(),
            captions: self.captions(),
            lr: self.lr,
            scheduler: [&self.lr_list, &self.schedule_options.torch_class]
                .into_iter()
                .find_map(Clone::clone)
                .unwrap_or_else(|| self.scheduler.clone()),
            optimizer: self.optimizer.clone(),
            seed: self.seed,
            files: self.files(counts.epochs as usize, counts.updates_per_epoch as usize),
            estimate,
            warnings: self.warnings.clone(),
        }
    }

    /// Every different caption that pictures to learn from can have, before tags are shuffled and
    /// dropped.
    #[must_use]
    pub fn captions(&self) -> Vec<EffectiveCaption> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let learned = (0..self.pictures.len()).filter(|i| !self.is_regular(*i));
        let picture_captions = learned.clone().flat_map(|i| self.own_captions(i));
        match &self.sentences {
            None => picture_captions.for_each(|(c, n)| *counts.entry(c).or_default() += n),
            Some(sentences) => {
                let tokens_by_picture = self.tokens();
                let filled = |i: usize| {
                    let token = tokens_by_picture[i].as_str();
                    self.own_captions(i).into_iter().map(move |(text, _)| (token, text))
                };
                let pairs: Vec<(&str, String)> = learned.flat_map(filled).collect();
                let tokens: BTreeSet<&str> = pairs.iter().map(|(token, _)| *token).collect();
                for template in sentences.iter().filter_map(|line| Template::parse(line).ok()) {
                    let mut add = |text: String| *counts.entry(text).or_default() += 1;
                    if template.has_filewords() {
                        pairs.iter().for_each(|(token, text)| add(template.fill(token, text)));
                    } else {
                        tokens.iter().for_each(|token| add(template.fill(token, "")));
                    }
                }
            }
        }
        let tokenizer = Tokenizer::new();
        let first = VOCABULARY as u32;
        let lexicon = Lexicon::new(&self.embeddings, first, self.kohya_numbers);
        let effective = |(text, count): (String, u64)| {
            let ids = lexicon.windows(&tokenizer, &text, self.windows);
            let mut next = first;
            let mut embeddings = Vec::with_capacity(self.embeddings.len());
            for embedding in &self.embeddings {
                let rows = next..next + embedding.vectors as u32;
                next = rows.end;
                embeddings.push(ids.iter().any(|id| rows.contains(id)));
            }
            EffectiveCaption { has_embedding: embeddings.contains(&true), embeddings, text, count }
        };
        let mut list: Vec<EffectiveCaption> = counts.into_iter().map(effective).collect();
        list.sort_by_key(|c| (c.has_embedding, std::cmp::Reverse(c.count)));
        list
    }

    /// A picture's own captions with what is put before and behind: each line where one is drawn.
    fn own_captions(&self, place: usize) -> Vec<(String, u64)> {
        let picture = &self.pictures[place];
        let set_options = self.sets[picture.set].captions();
        let between = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut text = picture.caption.clone();
        // Before the first and behind the last line, as in kohya's trainer.
        if let Some(prefix) = between(set_options.prefix) {
            text = format!("{prefix} {text}");
        }
        if let Some(suffix) = between(set_options.suffix) {
            text = format!("{text} {suffix}");
        }
        let calm = CaptionOptions {
            wildcards: set_options.wildcards,
            secondary_separator: set_options.secondary_separator,
            separator: set_options.separator,
            ..CaptionOptions::default()
        };
        let moment = Moment { step: 0, epoch: 1, steps: 1 };
        let mut rng = Rng(TorchGenerator::new(0));
        let mut with_repeats =
            |line: &str| (caption::caption(line, &calm, moment, &[], &mut rng), picture.repeats);
        if calm.wildcards {
            text.split('\n').map(&mut with_repeats).collect()
        } else {
            vec![with_repeats(&text)]
        }
    }

    /// The files that are there at the end, oldest first.
    fn files(&self, epochs: usize, updates: usize) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        for embedding in &self.embeddings {
            let name = &embedding.name;
            let mut embedding_files: Vec<String> = Vec::new();
            let mut apply = |actions: checkpoint::SaveActions| {
                embedding_files.extend(actions.write);
                embedding_files.retain(|file| Some(file) != actions.remove.as_ref());
            };
            for step in 1..=self.steps {
                apply(self.save.after_step(name, step));
                if updates > 0 && step.is_multiple_of(updates) {
                    apply(self.save.after_epoch(name, step / updates, epochs));
                }
            }
            embedding_files.push(name.clone());
            files.extend(embedding_files);
        }
        let ending = self.save_format.name();
        files.iter().map(|file| format!("{file}.{ending}")).collect()
    }
}
