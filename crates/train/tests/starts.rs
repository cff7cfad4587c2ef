//! The recipe `fast`: what switches it off, and that a run under it ends with the same bytes when it is
//! stopped among its starts and resumed, or repeated.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use common::{base, demo, options, plan};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use wayword_interface::{Quiet, Stop};
use wayword_train::plan::WordOptions;
use wayword_train::recipe::Recipe;
use wayword_train::rerun::Recorded;
use wayword_train::run_folder::curves::Curves;
use wayword_train::training_loop::{self, ResumeOptions, RunOptions};
use wayword_train::{Event, TrainOptions, TrainPlan};

fn fast(out: &Path) -> TrainOptions {
    TrainOptions {
        steps: None,
        recipe: Recipe::Fast,
        budget: Some(70),
        save_every: 10,
        ..options(out)
    }
}

/// The bytes that must be equal: the last file, and every step's vectors.
fn bytes(plan: &TrainPlan) -> (Vec<u8>, Vec<u8>) {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let file = plan.out.join(format!("{}.safetensors", plan.name));
    (read(&file), read(&plan.run().join("rows.bin")))
}

#[test]
fn resume_among_the_starts_and_rerun_end_with_the_same_bytes() {
    let (whole, parted, again) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = plan(&fast(whole.path()));
    let starts = first.starts.clone().unwrap();
    assert_eq!((starts.left_out.as_slice(), starts.budget), (&[2, 7, 12][..], 70));
    let outcome =
        training_loop::train(base(), &first, RunOptions::default(), &Quiet, &Stop::default());
    assert_eq!(outcome.unwrap().step, first.steps);
    let log = std::fs::read_to_string(first.run().join("log.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let words = line["starts"]["words"].as_array().unwrap();
    assert_eq!(words.len(), starts.words + 1, "{line}");
    let curves = Curves::read(&first.run().join("log.jsonl")).unwrap();
    let steps: Vec<usize> = curves.steps.iter().map(|report| report.step).collect();
    assert_eq!(steps, (1..=first.steps).collect::<Vec<_>>());

    // Stopped after each short run.
    let second = plan(&fast(parted.path()));
    let runs: usize = starts.rounds.iter().map(|(count, _)| count).sum();
    for stopped in 0..runs {
        let (stop, seen) = (Stop::default(), AtomicUsize::new(0));
        let events = |event: Event| {
            if matches!(event, Event::Started(_)) {
                seen.fetch_add(1, Ordering::Relaxed);
                stop.request();
            }
        };
        let outcome = if stopped == 0 {
            training_loop::train(base(), &second, RunOptions::default(), &events, &stop)
        } else {
            training_loop::resume(base(), &second.run(), ResumeOptions::default(), &events, &stop)
        };
        assert!(!outcome.unwrap().is_finished());
        assert_eq!(seen.into_inner(), 1, "a short run that was done is done again");
    }
    let resumed = training_loop::resume(
        base(),
        &second.run(),
        ResumeOptions::default(),
        &Quiet,
        &Stop::default(),
    );
    assert!(resumed.unwrap().is_finished());
    assert!(bytes(&first) == bytes(&second));

    // Repeated by what its file says.
    let file = whole.path().join("zarva-ti.safetensors");
    let mut recorded = Recorded::read(&file).unwrap();
    recorded.find_files(&[demo().join("concepts/100_zarva woman")]).unwrap();
    let mut third = recorded.again(again.path());
    assert_eq!(third.starts, first.starts);
    third.started = first.started;
    training_loop::train(base(), &third, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    assert!(bytes(&first).1 == bytes(&third).1);
}

#[test]
fn options_that_say_how_to_start_switch_the_starts_off_and_the_plan_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let plain = || fast(dir.path());
    let word = |name: &str| WordOptions {
        name: name.into(),
        init: Some("woman".into()),
        ..WordOptions::default()
    };
    let against = [
        ("steps", TrainOptions { steps: Some(30), ..plain() }),
        ("epochs", TrainOptions { epochs: Some(2), ..plain() }),
        ("kohya_numbers", TrainOptions { kohya_numbers: true, ..plain() }),
        ("optimizer", TrainOptions { optimizer: "Prodigy".into(), ..plain() }),
        (
            "learning_rate",
            TrainOptions { learning_rate: Some("1e-2:20,1e-3:40".into()), ..plain() },
        ),
        (
            "word",
            TrainOptions {
                name: None,
                words: vec![word("a1-ti"), word("b1-ti")],
                template: wayword_train::plan::TemplateChoice::Object,
                ..plain()
            },
        ),
    ];
    for (option, options) in against {
        let plan = TrainPlan::check(&options, &base().info).unwrap();
        assert!(plan.starts.is_none(), "{option}");
        let said = plan.warnings.iter().any(|w| {
            let text = format!("{w:?}");
            text.contains("one start") && text.contains(option)
        });
        assert!(said, "{option}: {:?}", plan.warnings);
    }
    // What is compatible stays: the seed, one rate, a scheduler. A given init word ends the ranking.
    let seeded = TrainOptions {
        learning_rate: Some("5e-3".into()),
        scheduler: Some("constant".into()),
        init: Some("woman".into()),
        ..plain()
    };
    let plan = TrainPlan::check(&seeded, &base().info).unwrap();
    let starts = plan.starts.unwrap();
    assert_eq!((starts.gradients, starts.words), (0, 0));
    let small = TrainOptions { budget: Some(10), ..plain() };
    assert!(TrainPlan::check(&small, &base().info).is_err());
}

#[test]
fn classic_spends_a_budget_on_steps_alone() {
    let dir = tempfile::tempdir().unwrap();
    let classic =
        TrainOptions { recipe: Recipe::Classic, budget: Some(120), batch: 4, ..fast(dir.path()) };
    let plan = TrainPlan::check(&classic, &base().info).unwrap();
    assert!(plan.starts.is_none());
    assert_eq!(plan.steps, 30);
}
