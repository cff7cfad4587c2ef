//! Picks on the bundled model: scores, pictures, files, and runs that repeat a pick.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo, options, plan};
use std::path::{Path, PathBuf};
use wayword_formats::embedding;
use wayword_interface::{Quiet, Stop};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions};
use wayword_train::pick::{self, By, Pick, PickOptions};
use wayword_train::rerun::Recorded;
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::training_loop::{self, RunOptions};
use wayword_train::{Init, TrainPlan};

const NONE: PickOptions<'_> =
    PickOptions { by: By::Balance, draw: 0, cfg: 4.0, judge: None, write: false };

/// A short run; gives its folder NAME.run.
fn trained(out: &Path, steps: usize) -> PathBuf {
    let mut options = options(out);
    (options.steps, options.save_every) = (Some(steps), 0);
    let plan = plan(&options);
    train(&plan);
    plan.run()
}

fn train(plan: &TrainPlan) {
    training_loop::train(base(), plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
}

fn picked(run: &Path, options: PickOptions<'_>) -> (Pick, Vec<pick::DrawnSteps>) {
    pick::pick(base(), run, options, &Quiet, &Stop::default()).unwrap().unwrap()
}

#[test]
fn steps_are_scored_drawn_and_judged() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path(), 400);
    let before = std::fs::read(dir.path().join("zarva-ti.safetensors")).unwrap();
    let (scores, drawn) = picked(&run, NONE);
    assert!(drawn.is_empty() && scores.written.is_empty());
    let start = &scores.start;
    assert!((start.fidelity - 1.0).abs() < 1e-6, "the start guides as itself: {start:?}");
    for candidate in &scores.candidates {
        assert!(
            candidate.loss.is_finite() && candidate.fidelity < 1.0 && candidate.drift > 0.0,
            "{candidate:?}"
        );
    }
    let last = scores.of(StepChoice::One(400)).unwrap();
    assert!(last.loss < start.loss, "the run learned: {scores:?}");
    let judge =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    let judge: Option<&dyn ImageEncoder> = Some(&judge);
    let (judged, drawn) = picked(&run, PickOptions { draw: 2, judge, ..NONE });
    // The neighbors of the best are drawn for the sheet, and not judged.
    assert!(drawn.len() >= 2, "{}", drawn.len());
    let similar = judged.candidates.iter().filter_map(|c| c.similarity).collect::<Vec<_>>();
    assert!(judged.judged && similar.len() == 2 && similar.iter().all(|s| *s > 0.5), "{similar:?}");
    assert!(judged.of(judged.chosen).unwrap().similarity.is_some(), "of those that were drawn");
    let after = std::fs::read(dir.path().join("zarva-ti.safetensors")).unwrap();
    assert!(before == after, "a pick that is not written changes no file");
}

#[test]
fn a_pick_is_written_once_keeps_the_last_and_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path(), 60);
    let (file, last) =
        (dir.path().join("zarva-ti.safetensors"), dir.path().join("zarva-ti-last.safetensors"));
    let of_loop = std::fs::read(&file).unwrap();
    let first = picked(&run, PickOptions { by: By::Fidelity, write: true, ..NONE }).0;
    assert_eq!(std::fs::read(&last).unwrap(), of_loop);
    let chosen = KeptVectors::open(&run).unwrap().of("zarva-ti", first.chosen).unwrap();
    assert_eq!(embedding::read(&file).unwrap().vectors, chosen);
    let bytes = std::fs::read(&file).unwrap();
    // A second pick never replaces the last file, nor does a run that goes on.
    picked(&run, PickOptions { by: By::Similarity, write: true, ..NONE });
    assert_eq!(std::fs::read(&last).unwrap(), of_loop);
    picked(&run, PickOptions { by: By::Fidelity, write: true, ..NONE });
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    training_loop::resume(
        base(),
        &run,
        training_loop::ResumeOptions::default(),
        &Quiet,
        &Stop::default(),
    )
    .unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(std::fs::read(&last).unwrap(), of_loop);
    // The files say what they are: each is made again.
    for (from, want) in [(&file, &bytes), (&last, &of_loop)] {
        let again = tempfile::tempdir().unwrap();
        let mut plan = Recorded::read(from).unwrap().again(again.path());
        plan.started = 1_700_000_000;
        train(&plan);
        let made = std::fs::read(again.path().join("zarva-ti.safetensors")).unwrap();
        assert!(&made == want, "{}", from.display());
    }
}

#[test]
fn a_run_that_is_made_longer_ends_with_its_last_step_until_it_is_picked_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path(), 30);
    let (file, last) =
        (dir.path().join("zarva-ti.safetensors"), dir.path().join("zarva-ti-last.safetensors"));
    let write = PickOptions { by: By::Fidelity, write: true, ..NONE };
    let first = picked(&run, write).0.chosen;
    assert!(last.is_file() && first != StepChoice::One(30), "{first}");
    let warned = std::sync::atomic::AtomicBool::new(false);
    let events = |event: wayword_train::Event| {
        if let wayword_train::Event::Warned(warning) = &event {
            let told = warning.to_string().contains(&format!("step {first} had been picked"));
            warned.fetch_or(told, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let longer = training_loop::ResumeOptions { extend: Some(10), ..Default::default() };
    training_loop::resume(base(), &run, longer, &events, &Stop::default()).unwrap();
    assert!(warned.into_inner(), "that the pick is given up is told");
    let kept = KeptVectors::open(&run).unwrap();
    let vectors_of = |step| kept.of("zarva-ti", StepChoice::One(step)).unwrap();
    assert_eq!(embedding::read(&file).unwrap().vectors, vectors_of(40));
    assert!(!last.exists(), "the last step is that of the embedding's own file");
    picked(&run, write);
    assert_eq!(embedding::read(&last).unwrap().vectors, vectors_of(40), "of the longer run");
}

#[test]
fn an_unfinished_run_is_shown_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.steps = Some(40);
    let plan = plan(&options);
    let stop = Stop::default();
    let events = |event: wayword_train::Event| {
        if matches!(&event, wayword_train::Event::Step(report) if report.step == 20) {
            stop.request();
        }
    };
    training_loop::train(base(), &plan, RunOptions::default(), &events, &stop).unwrap();
    let (shown, _) = picked(&plan.run(), NONE);
    assert!(shown.candidates.iter().all(|c| c.steps.ends().1 <= 20));
    let write = PickOptions { write: true, ..NONE };
    let refused = pick::pick(base(), &plan.run(), write, &Quiet, &Stop::default()).unwrap_err();
    assert!(refused.to_string().contains("20 of 40"), "{refused}");
    let none = pick::pick(base(), dir.path(), NONE, &Quiet, &Stop::default()).unwrap_err();
    assert!(none.to_string().contains("no run found"), "{none}");
}

#[test]
fn a_run_starts_at_a_step_of_another_and_is_repeated_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path(), 20);
    let (next, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut options = options(next.path());
    (options.name, options.steps) = (Some("next-ti".into()), Some(5));
    (options.from, options.step) = (Some(run.clone()), Some(StepChoice::Mean(10, 15)));
    let plan = plan(&options);
    let Init::Vectors { of, values } = &plan.embeddings[0].init else { panic!("{plan:?}") };
    assert_eq!(of, "zarva-ti, step 10..15");
    let kept = KeptVectors::open(&run).unwrap();
    assert_eq!(values, &kept.of("zarva-ti", StepChoice::Mean(10, 15)).unwrap());
    train(&plan);
    let made = KeptVectors::open(&plan.run()).unwrap();
    assert_eq!(&made.of("next-ti", StepChoice::One(0)).unwrap(), values);
    std::fs::remove_dir_all(&run).unwrap();
    let file = next.path().join("next-ti.safetensors");
    let mut repeated = Recorded::read(&file).unwrap().again(again.path());
    repeated.started = plan.started;
    train(&repeated);
    let bytes = |folder: &Path| std::fs::read(folder.join("next-ti.safetensors")).unwrap();
    assert!(bytes(next.path()) == bytes(again.path()));
}
