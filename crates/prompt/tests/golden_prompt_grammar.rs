//! The prompt language against A1111's own parsers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::{Map, Value, json};
use wayword_prompt::attention::attention;
use wayword_prompt::plan::Language;
use wayword_prompt::schedule::{Pass, entry_at_call, parse};
use wayword_prompt::{Attention, Emphasis, PromptPlan, Quirks, and, extra_networks};
use wayword_testing::{Report, topic};

const A1111: Quirks = Quirks::A1111;

/// The cases of the file, or `None` after a line where the tree has none.
fn cases(key: &'static str) -> Option<Vec<Value>> {
    let topic = topic("prompt-grammar")?;
    let has = |v: &Value| v["cases"][0].get(key).is_some();
    let Some(file) = topic.json("cases.json", has) else {
        println!("ran 0, skipped 1: no file of cases");
        return None;
    };
    let mut list = file["cases"].as_array().unwrap().clone();
    list.retain(|case| case.get(key).is_some());
    Some(list)
}

fn prompt(case: &Value) -> &str {
    case["prompt"].as_str().unwrap()
}

/// Asserts equal texts and weights within one unit in the last place.
fn assert_items(case: &Value, found: &Attention, expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{case}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0, expected[0].as_str().unwrap(), "{case}");
        let weight = expected[1].as_f64().unwrap();
        let ulp = weight.abs() * f64::EPSILON;
        assert!((found.1 - weight).abs() <= ulp, "{case}: {} for {weight}", found.1);
    }
}

#[test]
fn golden_prompt_grammar_attention() {
    let Some(cases) = cases("attention") else { return };
    let mut report = Report::new("golden_prompt_grammar_attention");
    for case in &cases {
        let found = attention(prompt(case), A1111);
        if case["attention"].get("error").is_some() {
            assert!(found.is_err(), "{case}: {found:?}");
            assert!(attention(prompt(case), Quirks::Sane).is_err(), "{case}");
        } else {
            assert_items(case, &found.unwrap(), &case["attention"]);
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_prompt_grammar_and() {
    let Some(cases) = cases("and") else { return };
    let mut report = Report::new("golden_prompt_grammar_and");
    for case in &cases {
        let found: Vec<Value> =
            and::split(prompt(case)).into_iter().map(|p| json!([p.text, p.weight])).collect();
        assert_eq!(Value::from(found), case["and"], "{case}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_prompt_grammar_nets() {
    let Some(cases) = cases("extra_networks") else { return };
    let mut report = Report::new("golden_prompt_grammar_nets");
    for case in &cases {
        let (text, tags) = extra_networks::extract(prompt(case));
        let expected = &case["extra_networks"];
        assert_eq!(text, expected["text"].as_str().unwrap(), "{case}");
        // In order of first use, by kind.
        let mut found: Vec<(String, Vec<Value>)> = Vec::new();
        for tag in &tags {
            let named: Map<String, Value> =
                tag.named().map(|(key, value)| (key.into(), value.into())).collect();
            let positional: Vec<&str> = tag.positional().collect();
            let one = json!({"items": tag.items, "positional": positional, "named": named});
            match found.iter_mut().find(|(kind, _)| *kind == tag.kind) {
                Some((_, list)) => list.push(one),
                None => found.push((tag.kind.clone(), vec![one])),
            }
        }
        assert_eq!(json!(found), expected["nets"], "{case}");
        report.ran();
    }
    report.finish();
}

/// The pass that a key such as `steps10`, `old_steps10` or `hires_base10_hires20` names.
fn pass(key: &str) -> Option<Pass> {
    if let Some(both) = key.strip_prefix("hires_base") {
        let (first, hires) = both.split_once("_hires")?;
        return Some(Pass::hires(first.parse().ok()?, hires.parse().ok()?));
    }
    if let Some(steps) = key.strip_prefix("old_steps") {
        return Some(Pass { old: true, ..Pass::first(steps.parse().ok()?) });
    }
    Some(Pass::first(key.strip_prefix("steps")?.parse().ok()?))
}

/// All outcomes that the peer had for a key, the first first.
fn outcomes<'a>(case: &'a Value, key: &str) -> Vec<&'a Value> {
    let others = case["other_outcomes"].as_array().into_iter().flatten();
    std::iter::once(case).chain(others).filter_map(|outcome| outcome.get(key)).collect()
}

/// Whether the peer's result changes from run to run.
fn by_chance(case: &Value) -> bool {
    case["nondeterministic_in_peer"] == true
}

#[test]
fn golden_prompt_grammar_schedules() {
    let Some(cases) = cases("schedules") else { return };
    let mut report = Report::new("golden_prompt_grammar_schedules");
    for case in &cases {
        let keys: Vec<&String> = case["schedules"].as_object().unwrap().keys().collect();
        let tree = parse(prompt(case)).unwrap();
        let mut found = Map::new();
        for key in keys {
            let Some(pass) = pass(key) else {
                report.skip(format!("no pass called {key}"));
                continue;
            };
            let entries = tree.unroll(pass, A1111).unwrap();
            let list: Vec<Value> = entries.into_iter().map(|e| json!([e.until, e.text])).collect();
            found.insert(key.clone(), list.into());
        }
        let fits = |outcome: &&Value| found.iter().all(|(key, list)| &outcome[key] == list);
        let expected = outcomes(case, "schedules");
        if by_chance(case) && !expected.iter().any(fits) {
            report.skip("the peer's choice depends on chance");
            continue;
        }
        assert!(expected.iter().any(fits), "{}: {found:?}, not {expected:?}", prompt(case));
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_prompt_grammar_pipeline() {
    let key = |case: &Value| {
        let keys = case.as_object().unwrap().keys();
        keys.into_iter().find(|key| key.starts_with("pipeline_steps")).cloned()
    };
    let Some(cases) = cases("prompt") else { return };
    let mut report = Report::new("golden_prompt_grammar_pipeline");
    for case in &cases {
        let Some(key) = key(case) else {
            report.skip("no pipeline");
            continue;
        };
        let steps = key["pipeline_steps".len()..].parse().unwrap();
        let language = Language { quirks: A1111, emphasis: Emphasis::Original };
        let plan = PromptPlan::positive(prompt(case), Pass::first(steps), language);
        let mut last = None;
        for expected in outcomes(case, &key) {
            last = Some(match (&plan, expected.get("error")) {
                (Err(_), Some(_)) => Ok(()),
                (Ok(plan), None) => same_plan(plan, expected),
                (plan, _) => Err(format!("{plan:?}")),
            });
            if matches!(last, Some(Ok(()))) {
                break;
            }
        }
        if by_chance(case) && matches!(last, Some(Err(_))) {
            report.skip("the peer's choice depends on chance");
            continue;
        }
        last.unwrap().unwrap_or_else(|why| panic!("{case}: {why}"));
        report.ran();
    }
    report.finish();
}

fn same_plan(plan: &PromptPlan, expected: &Value) -> Result<(), String> {
    let parts = expected.as_array().ok_or("no list")?;
    let same = |a: f64, b: &Value| (a - b.as_f64().unwrap()).abs() <= a.abs() * f64::EPSILON;
    if parts.len() != plan.parts.len() {
        return Err(format!("{} parts", plan.parts.len()));
    }
    for (part, expected) in plan.parts.iter().zip(parts) {
        let schedule = expected["schedule"].as_array().unwrap();
        if !same(part.weight, &expected["weight"]) || schedule.len() != part.entries.len() {
            return Err(format!("{part:?}"));
        }
        for (entry, expected) in part.entries.iter().zip(schedule) {
            if expected[2].get("error").is_some() {
                return Err("the peer fails in an item".into());
            }
            let items = expected[2].as_array().unwrap();
            let all = items.len() == entry.items.len()
                && items.iter().zip(&entry.items).all(|(e, f)| e[0] == *f.0 && same(f.1, &e[1]));
            if expected[0] != entry.until || expected[1] != *entry.text || !all {
                return Err(format!("{entry:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn golden_prompt_grammar_selection() {
    let Some(topic) = topic("prompt-grammar") else { return };
    let mut report = Report::new("golden_prompt_grammar_selection");
    let has = |v: &Value| v[0].get("entry_used_at_model_call_0_based").is_some();
    let Some(file) = topic.json("selection.json", has) else {
        return println!("ran 0, skipped 1: no file of selections");
    };
    let list = file.as_array().or_else(|| file["cases"].as_array()).unwrap();
    for case in list {
        let steps: u32 = case["steps"].as_u64().unwrap().try_into().unwrap();
        let entries = parse(prompt(case)).unwrap().unroll(Pass::first(steps), A1111).unwrap();
        let found: Vec<Value> = entries.iter().map(|e| json!([e.until, e.text])).collect();
        assert_eq!(Value::from(found), case["schedule"], "{case}");
        let used = case["entry_used_at_model_call_0_based"].as_array().unwrap();
        for (call, used) in (0i64..).zip(used) {
            let index = entry_at_call(entries.iter().map(|e| e.until), call);
            assert_eq!(index as u64, used.as_u64().unwrap(), "{case}: call {call}");
        }
        report.ran();
    }
    report.finish();
}
