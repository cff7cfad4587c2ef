//! Learning rates of every update against kohya's trainer (golden `lr`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::Value;
use wayword_testing::{Report, topic};
use wayword_train::lr::{Length, LrOptions, LrSchedule};
use wayword_train::optim::{Optimizer, OtherGradients, Statistics};

/// Largest relative difference: golden/README.md, "lr".
const LIMIT: f64 = 1e-6;

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// The values that follow an option, up to the next one.
fn values<'a>(words: &'a [&str], option: &str) -> Vec<&'a str> {
    let at = words.iter().position(|w| *w == option);
    let rest = at.map_or(&words[..0], |i| &words[i + 1..]);
    rest.iter().take_while(|w| !w.starts_with("--")).copied().collect()
}

fn strings(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(Into::into).collect()
}

fn optimizer(case: &Value, words: &[&str]) -> Optimizer {
    let args = strings(values(words, "--optimizer_args"));
    let rate = case["learning_rate"].as_f64().unwrap();
    Optimizer::new(case["optimizer"].as_str().unwrap(), &args, rate, (1, 8), Statistics::NewRows)
        .unwrap()
}

fn options(case: &Value, words: &[&str]) -> LrOptions {
    let value = |name: &str| values(words, name).first().copied();
    let length = |name: &str| value(name).map_or(Length::Steps(0), |t| t.parse().unwrap());
    LrOptions {
        learning_rate: case["learning_rate"].as_f64().unwrap(),
        scheduler: value("--lr_scheduler").unwrap_or("constant").into(),
        warmup: length("--lr_warmup_steps"),
        decay: length("--lr_decay_steps"),
        num_cycles: value("--lr_scheduler_num_cycles").map(number),
        power: value("--lr_scheduler_power").map(number),
        min_lr_ratio: value("--lr_scheduler_min_lr_ratio").map(number),
        timescale: value("--lr_scheduler_timescale").map(|t| t.parse().unwrap()),
        torch_class: value("--lr_scheduler_type").map(Into::into),
        args: strings(values(words, "--lr_scheduler_args")),
        steps: case["max_train_steps"].as_u64().unwrap(),
        relative_step: optimizer(case, words).is_relative(),
        kohya_numbers: true,
    }
}

#[test]
fn golden_lr_curves() {
    let Some(topic) = topic("lr") else { return };
    let mut report = Report::new("golden_lr_curves");
    let Some(file) = topic.json("curves.json", |v| v["cases"][0]["lr"].is_array()) else {
        report.skip("no file of curves");
        return report.finish();
    };
    for case in file["cases"].as_array().unwrap() {
        if let Some(text) = case["parse_lr_warmup_steps"].as_str() {
            let expected = case["value"].as_f64();
            match (text.parse::<Length>(), case["type"].as_str()) {
                (Err(_), None) => assert!(case["error"].is_string(), "{case}"),
                (Ok(Length::Steps(n)), Some("int")) => assert_eq!(Some(n as f64), expected),
                (Ok(Length::Part(part)), Some("float")) => {
                    report.within(text, "part", (part - expected.unwrap()).abs(), 1e-12);
                }
                (found, _) => panic!("{case}: {found:?}"),
            }
            report.ran();
            continue;
        }
        let words: Vec<&str> =
            case["options"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let name = words.join(" ");
        let made = LrSchedule::new(&options(case, &words));
        if case["error"].is_string() {
            assert!(made.is_err(), "{name}: {}", case["text"]);
            report.ran();
            continue;
        }
        let schedule = made.unwrap_or_else(|e| panic!("{name}: {e}"));
        // Adafactor's own rates follow the parameters: there a row of ones with gradients of 1.
        let mut rule = optimizer(case, &words);
        let mut row = [1.0; 8];
        for (k, expected) in case["lr"].as_array().unwrap().iter().enumerate() {
            let rate = rule.own_rate().unwrap_or_else(|| schedule.rate(k as u64));
            let expected = expected.as_f64().unwrap();
            let top = case["learning_rate"].as_f64().unwrap();
            // near 0 a cosine's last digits are noise of the first rates' size
            let scale = expected.abs().max(1e-9 * top);
            report.within(&name, "rate", (rate - expected).abs() / scale, LIMIT);
            if schedule.is_relative() {
                rule.step(&mut row, &[1.0; 8], &OtherGradients::new(), rate);
            }
        }
        report.ran();
    }
    report.finish();
}
