//! The recipe `fast`: what it does, what other options leave of it, and that a run under it ends with the
//! same bytes when it is stopped and resumed, or repeated.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use common::{base, demo, options, plan};
use std::path::Path;
use wayword_interface::{Quiet, Stop};
use wayword_train::recipe::{HighNoise, Recipe};
use wayword_train::rerun::Recorded;
use wayword_train::stopping::EndReason;
use wayword_train::training_loop::{self, ResumeOptions, RunOptions};
use wayword_train::{Event, TrainOptions, TrainPlan};

fn fast(out: &Path) -> TrainOptions {
    TrainOptions { steps: None, budget: Some(50), save_every: 10, ..options(out) }
}

/// The bytes that must be equal: the last file, and every step's vectors.
fn bytes(plan: &TrainPlan) -> (Vec<u8>, Vec<u8>) {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let file = plan.out.join(format!("{}.safetensors", plan.name));
    (read(&file), read(&plan.run().join("rows.bin")))
}

#[test]
fn a_stopped_run_and_a_rerun_end_with_the_same_bytes() {
    let (whole, parted, again) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = plan(&fast(whole.path()));
    assert_eq!((first.steps, first.high_noise), (50, Some(HighNoise { low: 400, steps: 35 })));
    training_loop::train(base(), &first, RunOptions::default(), &Quiet, &Stop::default()).unwrap();

    // Stopped among the steps at much noise, and behind them.
    let second = plan(&fast(parted.path()));
    for end in [7, 40, 50] {
        let stop = Stop::default();
        let events = |event: Event| {
            if matches!(event, Event::Step(report) if report.step == end) {
                stop.request();
            }
        };
        let outcome = if end == 7 {
            training_loop::train(base(), &second, RunOptions::default(), &events, &stop)
        } else {
            let options = ResumeOptions::default();
            training_loop::resume(base(), &second.run(), options, &events, &stop)
        };
        assert_eq!(outcome.unwrap().is_finished(), end == 50);
    }
    assert!(bytes(&first) == bytes(&second));

    // Repeated by what its file says.
    let file = whole.path().join("zarva-ti.safetensors");
    let mut recorded = Recorded::read(&file).unwrap();
    recorded.find_files(&[demo().join("concepts/100_zarva woman")]).unwrap();
    let mut third = recorded.again(again.path());
    assert_eq!(third.high_noise, first.high_noise);
    third.started = first.started;
    training_loop::train(base(), &third, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    assert!(bytes(&first).1 == bytes(&third).1);
}

#[test]
fn options_switch_off_what_they_contradict() {
    let dir = tempfile::tempdir().unwrap();
    let plain = || fast(dir.path());
    let check = |options: TrainOptions| TrainPlan::check(&options, &base().info).unwrap();
    let (usual, given) = (check(plain()), Some("5e-3".to_owned()));
    let classic = check(TrainOptions { recipe: Recipe::Classic, ..plain() });
    assert!((usual.lr / classic.lr - 2.0).abs() < 1e-12);
    assert!(usual.pick && !classic.pick && classic.high_noise.is_none());

    let long = check(TrainOptions { steps: Some(30), budget: None, ..plain() });
    assert_eq!((long.steps, long.pick), (30, false), "the last of the given steps is the result");
    assert_eq!(long.high_noise, Some(HighNoise { low: 400, steps: 21 }));
    let rate = check(TrainOptions { learning_rate: given, ..plain() });
    assert!((rate.lr - 5e-3).abs() < 1e-12 && rate.high_noise == usual.high_noise);
    let timesteps = check(TrainOptions { min_timestep: Some(200), ..plain() });
    assert_eq!((timesteps.high_noise, timesteps.timesteps), (None, (200, 1000)));
    let whole = check(TrainOptions { budget: None, ..plain() });
    let starts = whole.starts.unwrap();
    assert_eq!((starts.runs, starts.steps, whole.steps, whole.high_noise), (3, 180, 422, None));
    assert!((starts.rate - 2.0).abs() < 1e-12 && (whole.lr - classic.lr).abs() < 1e-12);
    let optimizer = check(TrainOptions { optimizer: "Prodigy".into(), ..plain() });
    assert!((optimizer.lr - 1.0).abs() < 1e-12);
    let kohya = check(TrainOptions { kohya_numbers: true, ..plain() });
    assert!(kohya.high_noise.is_none() && (kohya.lr - classic.lr).abs() < 1e-12);
    let last = check(TrainOptions { no_pick: true, ..plain() });
    assert!(!last.pick && last.high_noise.is_some());
    for long in [
        TrainOptions { steps: Some(30), ..plain() },
        TrainOptions { epochs: Some(2), ..plain() },
        TrainOptions { learning_rate: Some("1e-2:20,1e-3:40".into()), ..plain() },
    ] {
        let field = long.given_length().unwrap();
        let warnings = format!("{:?}", check(long).warnings);
        assert!(warnings.contains("without effect") && warnings.contains(field), "{warnings}");
    }
    for wrong in [
        TrainOptions { budget: Some(10), ..plain() },
        TrainOptions { pick: true, no_pick: true, ..plain() },
    ] {
        assert!(TrainPlan::check(&wrong, &base().info).is_err());
    }
}

#[test]
fn a_run_whose_loss_stands_still_ends_and_does_so_again() {
    let (whole, parted, again) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // All is learned in a short run: what follows hardly moves.
    let of = |out: &Path| {
        let mut plan = plan(&TrainOptions { budget: Some(800), ..fast(out) });
        let starts = plan.starts.as_mut().unwrap();
        (starts.runs, starts.steps, starts.samples) = (1, 60, 4);
        starts.rate = 1.2e7;
        (plan.stopping, plan.steps, plan.lr) = (Some(4), 60, 1e-9);
        plan
    };
    let first = of(whole.path());
    let warned = std::sync::Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Warned(warning) = event {
            warned.lock().unwrap().push(warning.to_string());
        }
    };
    let outcome =
        training_loop::train(base(), &first, RunOptions::default(), &events, &Stop::default());
    let outcome = outcome.unwrap();
    let ended = outcome.verdict.ended.unwrap();
    assert_eq!((ended.planned, ended.why), (60, EndReason::NothingLearned));
    assert!(outcome.is_finished() && (16..60).contains(&ended.after), "{ended:?}");
    let told = format!("the run ends after step {} of 60: nothing more is learned", ended.after);
    assert!(warned.lock().unwrap().iter().any(|text| text.contains(&told)), "{warned:?}");

    let second = of(parted.path());
    let (stop, options) = (Stop::default(), ResumeOptions::default());
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 10) {
            stop.request();
        }
    };
    training_loop::train(base(), &second, RunOptions::default(), &events, &stop).unwrap();
    training_loop::resume(base(), &second.run(), options, &Quiet, &Stop::default()).unwrap();
    assert!(bytes(&first) == bytes(&second), "a stopped run ends at the same step");

    // The last file knows that the run ended, and where its rate was going.
    let file = whole.path().join("zarva-ti.safetensors");
    let mut recorded = Recorded::read(&file).unwrap();
    recorded.find_files(&[demo().join("concepts/100_zarva woman")]).unwrap();
    let mut third = recorded.again(again.path());
    assert_eq!((third.steps, third.ended), (ended.after, Some(ended)));
    third.started = first.started;
    training_loop::train(base(), &third, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    assert!(bytes(&first) == bytes(&third), "a repeated run has the same bytes");
}

#[test]
fn long_runs_look_whether_they_may_end_and_pay_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let of = |options: TrainOptions| TrainPlan::check(&options, &base().info).unwrap();
    let budget = |budget| TrainOptions { budget: Some(budget), ..fast(dir.path()) };
    assert_eq!(of(budget(1000)).stopping, None, "a short run ends where it was planned to");
    let long = of(budget(3000));
    let looks = (long.steps / 100) as f64 * 6.0;
    let all = long.starts.unwrap().cost() + long.steps as f64 + looks;
    assert!(long.stopping == Some(100) && (2990.0..=3000.0).contains(&all), "{all}");
    let given = of(TrainOptions { budget: None, steps: Some(3000), ..fast(dir.path()) });
    assert_eq!((given.stopping, given.steps), (None, 3000), "given steps are made");
    let classic = of(TrainOptions { recipe: Recipe::Classic, ..budget(3000) });
    assert_eq!(classic.stopping, None);
}

#[test]
fn a_budget_counts_samples() {
    let dir = tempfile::tempdir().unwrap();
    for recipe in [Recipe::Fast, Recipe::Classic] {
        let options = TrainOptions { recipe, budget: Some(120), batch: 4, ..fast(dir.path()) };
        assert_eq!(TrainPlan::check(&options, &base().info).unwrap().steps, 30);
    }
    let usual = TrainOptions { budget: None, batch: 4, ..fast(dir.path()) };
    let plan = TrainPlan::check(&usual, &base().info).unwrap();
    let all = plan.starts.unwrap().cost() + (plan.steps * 4) as f64;
    assert!((996.0..=1000.0).contains(&all), "{all}");
}
