//! Token ids against the slow CLIP tokenizer's (golden topic `text`).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and says what ran")]
use serde_json::Value;
use wayword_diffusion::tokenizer::{BOS, EOS, POSITIONS, Tokenizer};
use wayword_testing::{Report, topic};

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn with_marks(tokenizer: &Tokenizer, prompt: &str) -> Vec<u32> {
    let mut ids = vec![BOS];
    ids.extend(tokenizer.encode(prompt));
    ids.push(EOS);
    ids
}

/// The part `key` of the topic's ids, or `None` where the tree has no such file.
fn part(key: &str) -> Option<Vec<Value>> {
    let topic = topic("text")?;
    let Some(json) = topic.json("tokens.json", |j| j.get("prompts").is_some()) else {
        println!("ran 0, skipped 1: no file tokens.json");
        return None;
    };
    json.get(key).and_then(Value::as_array).cloned()
}

#[test]
fn golden_text_ids_prompts() {
    let Some(prompts) = part("prompts") else { return };
    let mut report = Report::new("golden_text_ids_prompts");
    let tokenizer = Tokenizer::new();
    for case in &prompts {
        let prompt = text(case, "prompt");
        assert_eq!(with_marks(&tokenizer, prompt), ids(&case["ids"]), "{prompt:?}");
        if let Some(cut) = case.get("ids_77") {
            assert_eq!(tokenizer.chunks(prompt, 1), [ids(cut)], "{prompt:?}");
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_text_ids_added_tokens() {
    let Some(groups) = part("added_tokens") else { return };
    let mut report = Report::new("golden_text_ids_added_tokens");
    for group in &groups {
        let mut tokenizer = Tokenizer::new();
        let added = group["added"].as_array().unwrap();
        let new: Vec<u32> =
            added.iter().map(|w| tokenizer.add(w.as_str().unwrap()).unwrap()).collect();
        assert_eq!(new, ids(&group["ids_of_added"]));
        for case in group["cases"].as_array().unwrap() {
            let prompt = text(case, "prompt");
            assert_eq!(with_marks(&tokenizer, prompt), ids(&case["ids"]), "{prompt:?}");
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_text_ids_accepted() {
    let Some(cases) = part("token_string_accepted") else { return };
    let mut report = Report::new("golden_text_ids_accepted");
    for case in &cases {
        let word = text(case, "token_string");
        let accepted = Tokenizer::new().add(word).is_ok();
        assert_eq!(accepted, case["accepted"].as_bool().unwrap(), "{word:?}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_text_ids_max_token_length() {
    let Some(cases) = part("max_token_length") else { return };
    let mut report = Report::new("golden_text_ids_max_token_length");
    let tokenizer = Tokenizer::new();
    for case in &cases {
        let chunks = case["max_token_length"].as_u64().map_or(1, |n| n as usize / (POSITIONS - 2));
        let batch = case["ids"].as_array().unwrap();
        // Either [batch][chunk][77] or [batch][77].
        let first = &batch[0];
        let expected: Vec<Vec<u32>> = if first[0].is_array() {
            first.as_array().unwrap().iter().map(ids).collect()
        } else {
            batch.iter().map(ids).collect()
        };
        assert_eq!(tokenizer.chunks(text(case, "prompt"), chunks), expected);
        report.ran();
    }
    report.finish();
}
