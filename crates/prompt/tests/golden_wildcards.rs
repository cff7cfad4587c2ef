//! Wildcards and dynamic prompts against sd-dynamic-prompts.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use wayword_prompt::wildcards::{Mode, Wildcards, expand, read_folder};
use wayword_prompt::{PromptError, Quirks};
use wayword_testing::{Report, Topic, topic};

/// The topic's file of cases and its folder of wildcards.
fn load() -> Option<(Value, Wildcards)> {
    let topic = topic("wildcards")?;
    let file = topic.json("cases.json", |v| v["cases"][0].get("template").is_some());
    let Some((file, folder)) = file.zip(folder(&topic)) else {
        println!("ran 0, skipped 1: no file of cases or no folder of wildcards");
        return None;
    };
    Some((file, read_folder(&folder, Quirks::A1111).unwrap()))
}

/// `wildcards`, else the only folder there is.
fn folder(topic: &Topic) -> Option<PathBuf> {
    let usual = topic.dir.join("wildcards");
    if usual.is_dir() {
        return Some(usual);
    }
    let entries = std::fs::read_dir(&topic.dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).find(|path| path.is_dir())
}

fn cases(file: &Value) -> &Vec<Value> {
    file["cases"].as_array().unwrap()
}

fn template(case: &Value) -> &str {
    case["template"].as_str().unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn random(
    template: &str,
    wildcards: &Wildcards,
    seeds: &[u64],
) -> Result<Vec<String>, PromptError> {
    let mode = Mode::Random { seeds: seeds.to_vec() };
    expand(template, wildcards, &mode, Quirks::A1111).map(|expanded| expanded.prompts)
}

#[test]
fn golden_wildcards_files() {
    let Some((file, wildcards)) = load() else { return };
    let mut report = Report::new("golden_wildcards_files");
    let empty = Map::new();
    let expected = file["wildcards_found"].as_object().unwrap_or(&empty);
    for (name, values) in expected {
        let found = wildcards.values(name);
        let found: Vec<&str> = found.iter().map(|value| value.text.as_str()).collect();
        assert_eq!(found, texts(values), "{name}");
        report.ran();
    }
    let names: Vec<&str> = wildcards.names().collect();
    let expected: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
    report.finish();
}

#[test]
fn golden_wildcards_random() {
    let Some((file, wildcards)) = load() else { return };
    let mut report = Report::new("golden_wildcards_random");
    let seeds: Vec<u64> =
        file["seeds"].as_array().unwrap().iter().map(|s| s.as_u64().unwrap()).collect();
    for case in cases(&file) {
        let single = |seeds: &[u64]| -> Result<Vec<String>, PromptError> {
            let mut list = Vec::new();
            for &seed in seeds {
                list.extend(random(template(case), &wildcards, &[seed])?);
            }
            Ok(list)
        };
        let runs = [
            ("random_one_job", random(template(case), &wildcards, &seeds)),
            ("random_single_jobs", single(&seeds)),
        ];
        for (key, found) in runs {
            let Some(expected) = case.get(key) else {
                report.skip(format!("no {key}"));
                continue;
            };
            if expected.get("error").is_some() {
                assert!(found.is_err(), "{case}: {key}: {found:?}");
            } else {
                let found = found.unwrap_or_else(|error| panic!("{case}: {key}: {error}"));
                assert_eq!(found, texts(expected), "{}: {key}", template(case));
            }
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_wildcards_combinatorial() {
    let Some((file, wildcards)) = load() else { return };
    let mut report = Report::new("golden_wildcards_combinatorial");
    for case in cases(&file) {
        let Some(expected) = case.get("combinatorial") else {
            report.skip("no combinatorial result");
            continue;
        };
        let run = |seed, limit| {
            let mode = Mode::Combinatorial { limit, seed };
            expand(template(case), &wildcards, &mode, Quirks::A1111)
        };
        let cut = case.as_object().unwrap().keys().find_map(|key| {
            key.strip_prefix("combinatorial_cut_at_").and_then(|limit| limit.parse().ok())
        });
        let found = run(0, cut.unwrap_or(1000));
        if expected.get("error").is_some() {
            assert!(found.is_err(), "{case}: {found:?}");
            report.ran();
            continue;
        }
        let found = found.unwrap_or_else(|error| panic!("{case}: {error}"));
        let expected = texts(expected);
        if found.by_chance {
            // The peer's generator had no seed: as many, and none that chance could not give.
            assert_eq!(found.prompts.len(), expected.len(), "{case}");
            let runs = (0..200).flat_map(|seed| run(seed, expected.len()).unwrap().prompts);
            let possible: BTreeSet<String> = runs.collect();
            assert!(expected.iter().all(|text| possible.contains(*text)), "{case}: {possible:?}");
        } else {
            assert_eq!(found.prompts, expected, "{}", template(case));
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_wildcards_frequency() {
    let Some((file, wildcards)) = load() else { return };
    let mut report = Report::new("golden_wildcards_frequency");
    for case in cases(&file) {
        let key =
            case.as_object().unwrap().keys().find(|key| key.starts_with("random_frequency_of_"));
        let Some(expected) = key.and_then(|key| case[key].as_array()) else {
            report.skip("no frequencies");
            continue;
        };
        // The first seed of the peer's job is not known, and some templates keep what it gave.
        let keeps = case["random_one_job"] != case["random_single_jobs"];
        let jobs = if keeps { 200 } else { 1 };
        let worst = |job: u64| {
            let start = 1_000_000 * (job + 1);
            let seeds: Vec<u64> = (start..start + if keeps { 1500 } else { 3000 }).collect();
            let found = random(template(case), &wildcards, &seeds).unwrap();
            let mut counts = BTreeMap::<&str, f64>::new();
            for text in &found {
                *counts.entry(text).or_default() += 1.0 / found.len() as f64;
            }
            let difference = |pair: &Value| {
                let own = counts.get(pair[0].as_str().unwrap()).copied().unwrap_or(0.0);
                (own - pair[1].as_f64().unwrap()).abs()
            };
            expected.iter().map(difference).fold(0.0, f64::max)
        };
        let mut best = f64::INFINITY;
        for job in 0..jobs {
            best = best.min(worst(job));
            if best <= 0.05 {
                break;
            }
        }
        report.within(template(case), "share", best, 0.05);
        report.ran();
    }
    report.finish();
}
