//! Folder names, captions and caption files against kohya's.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wayword_prompt::caption::{CaptionOptions, Moment, Replacement, caption, read_caption_file};
use wayword_prompt::folder_name::FolderName;
use wayword_prompt::random::RandomSource;
use wayword_testing::{Report, topic};

/// A small generator of uniform numbers (Marsaglia's xorshift64*).
struct Xorshift(u64);

impl RandomSource for Xorshift {
    fn next_f64(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn cases<'a>(file: &'a Value, key: &str) -> Vec<&'a Value> {
    file["cases"].as_array().unwrap().iter().filter(|c| c.get(key).is_some()).collect()
}

fn has(key: &'static str) -> impl Fn(&Value) -> bool {
    move |v| v["cases"].as_array().is_some_and(|c| c.iter().all(|c| c.get(key).is_some()))
}

#[test]
fn golden_dataset_folder_names() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_folder_names");
    let Some(file) = topic.json("folder_names.json", has("folder")) else {
        return println!("ran 0, skipped 1: no file of folder names");
    };
    for case in cases(&file, "folder") {
        let name = case["folder"].as_str().unwrap();
        let expected = (
            case["accepted"].as_bool().unwrap(),
            case["num_repeats"].as_u64(),
            case["class_tokens"].as_str().map(str::to_owned),
        );
        let found = match FolderName::parse(name) {
            FolderName::Accepted { repeats, class } => (true, Some(repeats), Some(class)),
            FolderName::NoRepeats | FolderName::NotPositive => (false, None, None),
        };
        assert_eq!(found, expected, "{name:?}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_dataset_caption_files() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_caption_files");
    let Some(file) = topic.json("caption_files.json", has("file_text")) else {
        return println!("ran 0, skipped 1: no file of caption files");
    };
    for case in cases(&file, "file_text") {
        let text = case["file_text"].as_str().unwrap();
        let wildcards = case["enable_wildcard"].as_bool().unwrap_or(false);
        match (case["caption"].as_str(), read_caption_file(text.as_bytes(), wildcards)) {
            (Some(expected), found) => assert_eq!(found.as_deref(), Ok(expected), "{text:?}"),
            (None, found) => assert!(found.is_err(), "{text:?}: {found:?}"),
        }
        report.ran();
    }
    report.finish();
}

/// The options of a case, by the names of kohya's data-set TOML; an unknown one skips the case.
fn options(given: &Value) -> Result<CaptionOptions, String> {
    let mut o = CaptionOptions::default();
    let text = |v: &Value| v.as_str().map(str::to_owned);
    for (key, v) in given.as_object().into_iter().flatten() {
        match key.as_str() {
            "caption_prefix" => o.prefix = text(v),
            "caption_suffix" => o.suffix = text(v),
            "caption_dropout_rate" => o.dropout_rate = v.as_f64().unwrap(),
            "caption_dropout_every_n_epochs" => {
                o.dropout_every_n_epochs = v.as_u64().unwrap().try_into().unwrap();
            }
            "caption_tag_dropout_rate" => o.tag_dropout_rate = v.as_f64().unwrap(),
            "enable_wildcard" => o.wildcards = v.as_bool().unwrap(),
            "shuffle_caption" => o.shuffle = v.as_bool().unwrap(),
            "keep_tokens" => o.keep_tokens = v.as_u64().unwrap().try_into().unwrap(),
            "keep_tokens_separator" => o.keep_tokens_separator = text(v),
            "caption_separator" => o.separator = text(v).unwrap(),
            "secondary_separator" => o.secondary_separator = text(v),
            "token_warmup_step" => o.warmup_steps = v.as_f64().unwrap(),
            "token_warmup_min" => o.warmup_min = v.as_u64().unwrap().try_into().unwrap(),
            other => return Err(format!("option {other}")),
        }
    }
    Ok(o)
}

fn replacements(given: &Value) -> Vec<Replacement> {
    let one = |pair: &Value| match (pair[0].as_str().unwrap(), &pair[1]) {
        ("", Value::Array(list)) => {
            Replacement::Whole(list.iter().map(|t| t.as_str().unwrap().into()).collect())
        }
        ("", to) => Replacement::Whole(vec![to.as_str().unwrap().into()]),
        (from, to) => Replacement::Part { from: from.into(), to: to.as_str().unwrap().into() },
    };
    given.as_array().into_iter().flatten().map(one).collect()
}

#[test]
fn golden_dataset_captions() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_captions");
    let Some(file) = topic.json("captions.json", has("options")) else {
        return println!("ran 0, skipped 1: no file of captions");
    };
    for case in cases(&file, "caption") {
        let options = match options(&case["options"]) {
            Ok(options) => options,
            Err(unknown) => {
                report.skip(unknown);
                continue;
            }
        };
        let moment = Moment {
            step: case["step"].as_u64().unwrap_or(0),
            epoch: case["epoch"].as_u64().unwrap_or(1),
            steps: case["max_train_steps"].as_u64().unwrap_or(0),
        };
        let replacements = replacements(&case["replacements"]);
        let text = case["caption"].as_str().unwrap();
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        let runs = case["runs"].as_u64().unwrap_or(1).max(1) * 8;
        let mut seen = BTreeMap::<String, u64>::new();
        for _ in 0..runs {
            let result = caption(text, &options, moment, &replacements, &mut random);
            *seen.entry(result).or_default() += 1;
        }
        let found: BTreeSet<&str> = seen.keys().map(String::as_str).collect();
        if let Some(one) = case["result"].as_str() {
            assert_eq!(found, BTreeSet::from([one]), "{case}");
        } else if let Some(list) = case["possible_results"].as_array() {
            let expected: BTreeSet<&str> = list.iter().map(|t| t.as_str().unwrap()).collect();
            assert_eq!(found, expected, "{case}");
        } else if let Some(list) = case["every_result_is_permutation_of"].as_array() {
            let mut expected: Vec<&str> = list.iter().map(|t| t.as_str().unwrap()).collect();
            expected.sort_unstable();
            assert!(found.len() > 1, "{case}: never shuffled");
            for result in found {
                let mut tags: Vec<&str> = result.split(", ").collect();
                tags.sort_unstable();
                assert_eq!(tags, expected, "{case}: {result:?}");
            }
        } else {
            report.skip("no result that this test knows");
            continue;
        }
        report.ran();
    }
    report.finish();
}
