//! Whole runs on the bundled model: they learn, stop, go on and leave exact files.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo, load, options, plan};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use wayword_interface::{Quiet, Stop};
use wayword_train::run_folder::vectors;
use wayword_train::training_loop::{ResumeOptions, RunOptions};
use wayword_train::{Event, TrainPlan, training_loop};

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Every file of a run that must not depend on interruptions.
fn files(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found.insert("rows.bin".into(), std::fs::read(out.join("zarva-ti.run/rows.bin")).unwrap());
    found
}

#[test]
fn a_run_leaves_its_files_and_lowers_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    (options.steps, options.save_every) = (Some(60), 40);
    options.learning_rate = Some("0.02".into());
    let plan = plan(&options);
    let seen = Mutex::new(Vec::new());
    let events = |event: Event| seen.lock().unwrap().push(event);
    let outcome =
        training_loop::train(base(), &plan, RunOptions::default(), &events, &Stop::default())
            .unwrap();
    assert!(outcome.is_finished());
    let after = outcome.evaluation_after.unwrap();
    println!("fixed loss {} to {after}, {} s", outcome.evaluation_before, outcome.seconds);
    assert!(after < outcome.evaluation_before, "{outcome:?}");
    let names: Vec<String> = files(dir.path()).into_keys().collect();
    let mut want: Vec<String> = plan.summary(None).files;
    want.push("rows.bin".into());
    want.sort();
    assert_eq!(names, want);
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.iter().filter(|e| matches!(e, Event::Step(_))).count(), 60);
    assert_eq!(seen.iter().filter(|e| matches!(e, Event::Saved { .. })).count(), 2);
    let history = vectors::read(&plan.run().join("rows.bin")).unwrap();
    assert_eq!(history.steps.len(), 61);
    let last = wayword_formats::embedding::read(&outcome.path.unwrap()).unwrap();
    assert_eq!(history.steps[60].vectors, last.vectors);
    assert_eq!(last.metadata["modelspec.resolution"], "64x64");
}

#[test]
fn resume_goes_on_bit_for_bit_after_stops_at_any_step() {
    let whole = tempfile::tempdir().unwrap();
    let mut options = options(whole.path());
    (options.batch, options.accumulate, options.vectors) = (2, 2, Some(2));
    (options.steps, options.save_every) = (Some(6), 2);
    (options.optimizer, options.scheduler) = ("AdamW".into(), Some("cosine".into()));
    training_loop::train(base(), &plan(&options), RunOptions::default(), &Quiet, &Stop::default())
        .unwrap();
    for stops in [vec![1, 2, 5], vec![4]] {
        let dir = tempfile::tempdir().unwrap();
        options.out = dir.path().into();
        let plan = plan(&options);
        let mut first = true;
        for end in stops.iter().copied().chain([usize::MAX]) {
            let stop = Stop::default();
            let events = |event: Event| match event {
                Event::Step(report) if report.step == end => stop.request(),
                _ => {}
            };
            let outcome = if std::mem::take(&mut first) {
                training_loop::train(base(), &plan, RunOptions::default(), &events, &stop).unwrap()
            } else {
                training_loop::resume(base(), &plan.run(), ResumeOptions::default(), &events, &stop)
                    .unwrap()
            };
            assert_eq!(outcome.is_finished(), end == usize::MAX);
        }
        assert_eq!(files(dir.path()), files(whole.path()), "{stops:?}");
    }
}

#[test]
fn resume_repeats_what_a_kill_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&options(dir.path()));
    training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let whole = files(dir.path());
    let (run, state) = (plan.run(), plan.run().join("state.safetensors"));
    let again = tempfile::tempdir().unwrap();
    let mut plan = plan.clone();
    plan.out = again.path().into();
    let stop = Stop::default();
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 6) {
            stop.request();
        }
    };
    training_loop::train(base(), &plan, RunOptions::default(), &events, &stop).unwrap();
    // A later record, torn, and a state that is older than it: as after a kill in step 8.
    let rows = plan.run().join("rows.bin");
    let mut bytes = std::fs::read(&rows).unwrap();
    bytes.extend(std::fs::read(run.join("rows.bin")).unwrap()[bytes.len()..].iter().take(700));
    std::fs::write(&rows, bytes).unwrap();
    std::fs::write(plan.run().join("log.jsonl.half"), "x").unwrap();
    let half = [plan.run().join("state.safetensors"), again.path().join("zarva-ti.safetensors")]
        .map(|file| file.with_file_name(format!(".wayword-{}-1-0.tmp", file_name(&file))));
    half.iter().for_each(|half| std::fs::write(half, "x").unwrap());
    training_loop::resume(base(), &plan.run(), ResumeOptions::default(), &Quiet, &Stop::default())
        .unwrap();
    assert_eq!(files(again.path()), whole);
    assert!(state.exists() && half.iter().all(|half| !half.exists()));
}

#[test]
fn a_longer_run_has_the_schedule_anew_and_stops_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let vectors = |run: &Path| std::fs::read(run.join("rows.bin")).unwrap();
    let mut options = options(&dir.path().join("whole"));
    (options.steps, options.scheduler) = (Some(6), Some("cosine".into()));
    let short = plan(&options);
    let mut long = short.clone();
    long.extend(4).unwrap();
    let rates = long.rates().unwrap();
    assert_eq!((rates.rate(0), long.steps), (rates.rate(6), 10));
    assert!(rates.rate(5) < 0.1 * rates.rate(6) && rates.rate(9) < 0.2 * rates.rate(6));
    let (options, never) = (RunOptions::default(), Stop::default());
    training_loop::train(base(), &long, options, &Quiet, &never).unwrap();
    let whole = vectors(&long.run());

    let mut first = short.clone();
    first.out = dir.path().join("parts");
    training_loop::train(base(), &first, options, &Quiet, &never).unwrap();
    let stop = Stop::default();
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 8) {
            stop.request();
        }
    };
    let extend = ResumeOptions { extend: Some(4), ..ResumeOptions::default() };
    let outcome = training_loop::resume(base(), &first.run(), extend, &events, &stop).unwrap();
    assert_eq!((outcome.step, outcome.of), (8, 10));
    let rest = ResumeOptions::default();
    let outcome = training_loop::resume(base(), &first.run(), rest, &Quiet, &never).unwrap();
    assert!(outcome.is_finished() && vectors(&first.run()) == whole);

    let mut listed = short;
    listed.lr_list = Some("1e-3:3, 1e-4".into());
    assert!(listed.extend(4).unwrap_err().to_string().contains("train.extend"));
}

#[test]
fn a_second_start_is_refused_and_overwriting_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.steps = Some(6);
    let long = plan(&options);
    training_loop::train(base(), &long, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let error =
        training_loop::train(base(), &long, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("{train.resume}") && hint.contains("{train.overwrite}"),
        "{error} {hint}"
    );
    options.steps = Some(2);
    training_loop::train(
        base(),
        &plan(&options),
        RunOptions { overwrite: true, ..RunOptions::default() },
        &Quiet,
        &Stop::default(),
    )
    .unwrap();
    let names: Vec<String> = files(dir.path()).into_keys().collect();
    assert_eq!(names, ["rows.bin", "zarva-ti.safetensors"]);
    // A finished run is finished.
    let outcome = training_loop::resume(
        base(),
        &long.run(),
        ResumeOptions::default(),
        &Quiet,
        &Stop::default(),
    )
    .unwrap();
    assert_eq!((outcome.step, outcome.is_finished()), (2, true));
    // A file of the same name that no run made stays.
    std::fs::remove_dir_all(long.run()).unwrap();
    assert!(
        training_loop::train(base(), &long, RunOptions::default(), &Quiet, &Stop::default())
            .is_err()
    );
}

#[test]
fn numbers_that_are_not_finite_stop_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.learning_rate = Some("1e38".into());
    let error = training_loop::train(
        base(),
        &plan(&options),
        RunOptions::default(),
        &Quiet,
        &Stop::default(),
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("step ") && error.hint().unwrap().contains("{train.learning_rate}"),
        "{text}"
    );
}

#[test]
fn a_step_reads_back_only_the_loss_and_the_gradient() {
    let (device, profile) = wayword_tensor::profiling(&common::device());
    let base = load(&demo().join("wayword-mini.safetensors"), &device);
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    (options.steps, options.batch, options.accumulate) = (Some(3), 2, 2);
    let plan: TrainPlan = plan(&options);
    let reads = Mutex::new(Vec::new());
    let events = |event: Event| {
        let now = profile.take_reads();
        if matches!(event, Event::Step(_)) {
            reads.lock().unwrap().push(now);
        }
    };
    training_loop::train(&base, &plan, RunOptions::default(), &events, &Stop::default()).unwrap();
    let gradient = 2 * 77 * base.info.token_width;
    let want = vec![vec![vec![1, gradient]; 2]; 3];
    assert_eq!(reads.into_inner().unwrap(), want);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let mut options = options(dir.path());
    options.out = file.clone();
    let error = training_loop::train(
        base(),
        &plan(&options),
        RunOptions::default(),
        &Quiet,
        &Stop::default(),
    );
    let text = error.unwrap_err().to_string();
    assert!(text.contains("a-file"), "{text}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "not a folder");
}
