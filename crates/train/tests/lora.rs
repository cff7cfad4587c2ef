//! A word learned on top of a LoRA: recorded, resumed, refused when the file is gone.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{demo, device, load, options, plan};
use std::path::Path;
use wayword_diffusion::Base;
use wayword_interface::{Quiet, Stop};
use wayword_train::run_folder::vectors;
use wayword_train::training_loop::{ResumeOptions, RunOptions};
use wayword_train::{Event, TrainOptions, TrainPlan, lora, training_loop};

fn base() -> Base {
    load(&demo().join("wayword-mini.safetensors"), &device())
}

fn with(out: &Path, wanted: &str, folder: &Path) -> (TrainOptions, TrainPlan) {
    let mut options = options(out);
    options.steps = Some(4);
    options.lora = vec![wanted.into()];
    options.loras = vec![folder.into()];
    let plan = plan(&options);
    (options, plan)
}

fn last(plan: &TrainPlan) -> Vec<f32> {
    vectors::read(&plan.run().join("rows.bin")).unwrap().steps.pop().unwrap().vectors
}

#[test]
fn a_word_is_learned_on_top_of_a_lora_and_the_run_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("loras");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("pascoe-lora.safetensors");
    std::fs::copy(demo().join("loras/pascoe-lora.safetensors"), &file).unwrap();

    let learn = |name: &str, wanted: &str| {
        let (_, plan) = with(&dir.path().join(name), wanted, &folder);
        training_loop::train(&base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
        last(&plan)
    };
    let worn = learn("worn", "pascoe-lora:0.8");
    assert_ne!(worn, learn("other", "pascoe-lora:0.4"));
    // At weight 0 it is the base itself, bit for bit.
    let mut bare = options(&dir.path().join("bare"));
    bare.steps = Some(4);
    let bare = plan(&bare);
    training_loop::train(&base(), &bare, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    assert_eq!(learn("none", "pascoe-lora:0"), last(&bare));

    // Stopped after two steps: the plan remembers file and weight.
    let (_, planned) = with(&dir.path().join("stopped"), "pascoe-lora:0.8", &folder);
    let stop = Stop::default();
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 2) {
            stop.request();
        }
    };
    training_loop::train(&base(), &planned, RunOptions::default(), &events, &stop).unwrap();
    let text = std::fs::read_to_string(planned.run().join("plan.json")).unwrap();
    let stored: TrainPlan = serde_json::from_str(&text).unwrap();
    assert_eq!(stored.loras, planned.loras);
    training_loop::resume(
        &base(),
        &planned.run(),
        ResumeOptions::default(),
        &Quiet,
        &Stop::default(),
    )
    .unwrap();
    assert_eq!(last(&planned), worn);

    // Another file of the name, and none.
    std::fs::copy(demo().join("loras/mirabo-lora.safetensors"), &file).unwrap();
    let other = lora::open(&stored.loras).unwrap_err();
    assert!(other.to_string().contains("another file"), "{other}");
    std::fs::remove_file(&file).unwrap();
    let gone = lora::open(&stored.loras).unwrap_err();
    assert!(gone.to_string().contains("is not there"), "{gone}");
}

#[test]
fn loras_that_cannot_be_found_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = demo().join("loras");
    let check = |wanted: &str| {
        let mut options = options(dir.path());
        options.lora = vec![wanted.into()];
        options.loras = vec![folder.clone()];
        TrainPlan::check(&options, &common::base().info).unwrap_err()
    };
    let slip = check("pasco-lora:0.8");
    assert!(slip.hint().unwrap().contains("pascoe-lora"), "{slip}");
    assert!(check("pascoe-lora:much").to_string().contains("NAME:WEIGHT"));
}
