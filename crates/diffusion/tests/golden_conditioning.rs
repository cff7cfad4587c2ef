//! Windows and states of prompts against A1111's (golden topic `conditioning`).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and says what ran")]
mod common;

use serde_json::Value;
use std::collections::BTreeMap;
use wayword_diffusion::conditioning::{Chunk, ChunkOptions, EmbeddingMatch, Fix, chunk, encode};
use wayword_diffusion::tokenizer::{EOS, POSITIONS, Tokenizer};
use wayword_diffusion::{Base, Embeddings};
use wayword_interface::Quiet;
use wayword_prompt::schedule::Pass;
use wayword_prompt::{Emphasis, Language, PromptPlan, Quirks};
use wayword_testing::{Report, Topic, max_abs, topic};

/// The learned words as the JSON file registers them: ids, name, vectors.
struct Words(Vec<(Vec<u32>, String, usize)>);

impl Words {
    fn read(json: &Value) -> Self {
        let buckets = json["registration_order_by_first_token"].as_object().unwrap();
        let entry = |e: &Value| {
            let ids = e[0].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32);
            (ids.collect(), e[1].as_str().unwrap().to_owned(), e[2].as_u64().unwrap() as usize)
        };
        Self(buckets.values().flat_map(|b| b.as_array().unwrap().iter().map(entry)).collect())
    }

    fn find(&self, rest: &[u32]) -> Option<EmbeddingMatch> {
        let word = self.0.iter().position(|(ids, ..)| rest.starts_with(ids))?;
        Some(EmbeddingMatch { word, ids: self.0[word].0.len(), count: self.0[word].2 })
    }
}

fn cases(test: &str) -> Option<(Topic, Value)> {
    let topic = topic("conditioning")?;
    let json = topic.json("cases.json", |j| j.get("registration_order_by_first_token").is_some());
    if json.is_none() {
        println!("{test}: ran 0, skipped 1: no file cases.json");
    }
    json.map(|json| (topic, json))
}

/// The windows that the file lists for one entry of a schedule.
fn listed(entry: &Value, words: &Words) -> Vec<Chunk> {
    let chunk = |value: &Value| {
        let tokens = value["tokens"].as_array().unwrap().iter();
        let mut tokens: Vec<u32> = tokens.map(|v| v.as_u64().unwrap() as u32).collect();
        tokens.resize(POSITIONS, EOS);
        let mut multipliers = vec![1.0; POSITIONS];
        for pair in value["nondefault_multipliers"].as_array().unwrap() {
            multipliers[pair[0].as_u64().unwrap() as usize] = pair[1].as_f64().unwrap() as f32;
        }
        let fix = |pair: &Value| {
            let word = words.0.iter().position(|w| pair[1] == w.1.as_str()).unwrap();
            Fix { offset: pair[0].as_u64().unwrap() as usize, word, count: words.0[word].2 }
        };
        let fixes = value["fixes"].as_array().unwrap().iter().map(fix).collect();
        Chunk { tokens, multipliers, fixes }
    };
    entry["chunks"].as_array().unwrap().iter().map(chunk).collect()
}

#[test]
fn golden_conditioning_chunks() {
    let Some((_, json)) = cases("golden_conditioning_chunks") else { return };
    let mut report = Report::new("golden_conditioning_chunks");
    let (tokenizer, words) = (Tokenizer::new(), Words::read(&json));
    let steps = json["schedule_steps"].as_u64().unwrap() as u32;
    for case in json["cases"].as_array().unwrap() {
        let prompt = case["prompt"].as_str().unwrap();
        for variant in case["variants"].as_array().unwrap() {
            let emphasis = Emphasis::named(variant["emphasis"].as_str().unwrap()).unwrap();
            let language = Language { quirks: Quirks::A1111, emphasis };
            let plan = PromptPlan::positive(prompt, Pass::first(steps), language).unwrap();
            let parts = variant["parts"].as_array().unwrap();
            assert_eq!(plan.parts.len(), parts.len(), "{prompt:?}");
            for (part, expected) in plan.parts.iter().zip(parts) {
                assert_eq!(Some(part.weight), expected["weight"].as_f64(), "{prompt:?}");
                let schedule = expected["schedule"].as_array().unwrap();
                assert_eq!(part.entries.len(), schedule.len(), "{prompt:?}");
                for (entry, expected) in part.entries.iter().zip(schedule) {
                    assert_eq!(Some(entry.until), expected["end"].as_i64(), "{prompt:?}");
                    let options = ChunkOptions {
                        comma_backtrack: variant["comma_backtrack"].as_u64().unwrap() as usize,
                        quirks: Quirks::A1111,
                    };
                    let find = |rest: &[u32]| words.find(rest);
                    let mut ours = chunk(&entry.items, &tokenizer, find, options);
                    let count = expected["token_count"].as_u64().unwrap() as usize;
                    assert_eq!(ours.token_count, count, "{prompt:?} {}", entry.text);
                    // The file has the windows that the batch was filled up with, too.
                    let listed = listed(expected, &words);
                    ours.chunks.resize_with(listed.len().max(ours.chunks.len()), Chunk::empty);
                    assert_eq!(ours.chunks, listed, "{prompt:?} {}", entry.text);
                    report.ran();
                }
            }
        }
    }
    report.finish();
}

#[test]
fn golden_conditioning_states() {
    let Some((topic, json)) = cases("golden_conditioning_states") else { return };
    let Some(tensors) = topic.tensors("cond.safetensors") else {
        println!("golden_conditioning_states: ran 0, skipped 1: no file cond.safetensors");
        return;
    };
    let mut report = Report::new("golden_conditioning_states");
    let words = Words::read(&json);
    let base: Base = common::tiny();
    let mut folders: Vec<_> = std::fs::read_dir(&topic.dir)
        .unwrap()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let mut loaded = Embeddings::new(&base);
    loaded.load(&folders, &Quiet).unwrap();
    let vectors: BTreeMap<&str, &[f32]> =
        loaded.loaded().iter().map(|w| (w.name.as_str(), &*w.vectors)).collect();
    let model = base.activate(&[]).unwrap();
    for case in json["cases"].as_array().unwrap() {
        for variant in case["variants"].as_array().unwrap() {
            let emphasis = Emphasis::named(variant["emphasis"].as_str().unwrap()).unwrap();
            let clip_skip = variant["clip_skip"].as_u64().unwrap() as usize;
            for part in variant["parts"].as_array().unwrap() {
                let schedule = part["schedule"].as_array().unwrap();
                let texts: Vec<Vec<Chunk>> = schedule.iter().map(|e| listed(e, &words)).collect();
                let used = texts.iter().flatten().flat_map(|c| &c.fixes);
                if used.clone().any(|f| !vectors.contains_key(words.0[f.word].1.as_str())) {
                    report.skip("the tree lacks an embedding's file");
                    continue;
                }
                let rows = |word: usize| vectors[words.0[word].1.as_str()];
                let encoded =
                    encode(model.text(), base.device(), texts, rows, clip_skip, emphasis).unwrap();
                for (entry, ours) in schedule.iter().zip(&encoded.states) {
                    let name = entry["tensor"].as_str().unwrap();
                    let Some(expected) = tensors.get(name) else {
                        report.skip("a tensor that the file lacks");
                        continue;
                    };
                    let expected = expected.f32();
                    let most = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                    // Where weights nearly cancel, the mean that is restored is ill-conditioned.
                    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
                    let negative = entry["chunks"].as_array().unwrap().iter().any(|c| {
                        let m = c["nondefault_multipliers"].as_array().unwrap();
                        m.iter().any(|pair| pair[1].as_f64().unwrap() < 0.0)
                    });
                    let cancels = negative && emphasis == Emphasis::Original && mean.abs() < most;
                    let limit = f64::from(most) * if cancels { 1e-4 } else { 2e-5 };
                    report.within(name, "states", max_abs(ours, &expected), limit);
                    report.ran();
                }
            }
        }
    }
    report.finish();
}
