//! One base under two jobs on two threads: each ends with the bytes that it has alone.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{demo, device, load, options, plan};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Loras, Memory, draw};
use wayword_interface::{Quiet, Stop};
use wayword_train::training_loop::{self, RunOptions};
use wayword_train::{Event, TrainPlan};

fn base() -> Base {
    load(&demo().join("wayword-mini.safetensors"), &device())
}

fn picture(base: &Base) -> Vec<u8> {
    let loras = Loras::open(&[demo().join("loras")], &Quiet).unwrap();
    let settings = DrawSettings {
        steps: 6,
        cfg: 4.0,
        seed: 3,
        loras: Some(Arc::new(loras)),
        ..DrawSettings::new(base, "photo of a woman <lora:pascoe-lora:0.9>")
    };
    let plan = DrawPlan::new(base, settings).unwrap();
    draw(base, &plan, &Quiet, &Stop::default()).unwrap().remove(0).rgb
}

fn trained(base: &Base, plan: &TrainPlan, events: impl Fn(Event) + Sync) -> Vec<u8> {
    let options = RunOptions { memory: Memory::Keep, overwrite: false };
    let outcome = training_loop::train(base, plan, options, &events, &Stop::default()).unwrap();
    std::fs::read(outcome.path.unwrap()).unwrap()
}

fn planned(out: &Path) -> TrainPlan {
    plan(&options(out))
}

/// A picture with a LoRA on the base of a running training used to change the training's weights.
#[test]
fn a_lora_of_one_job_does_not_change_another() {
    let dir = tempfile::tempdir().unwrap();
    let alone = (trained(&base(), &planned(&dir.path().join("alone")), |_| {}), picture(&base()));
    let base = base();
    // The drawing asks for the model in the middle of the training, and the other way round.
    let together = planned(&dir.path().join("together"));
    let running = AtomicBool::new(false);
    let both = thread::scope(|scope| {
        let training = scope.spawn(|| {
            trained(&base, &together, |event| {
                if matches!(event, Event::Step(_)) {
                    running.store(true, Ordering::SeqCst);
                }
            })
        });
        while !running.load(Ordering::SeqCst) && !training.is_finished() {
            thread::yield_now();
        }
        let drawn = picture(&base);
        (training.join().unwrap(), drawn)
    });
    assert!(both == alone, "a training and a drawing on one base differ from each alone");
    let after = planned(&dir.path().join("after"));
    assert!(trained(&base, &after, |_| {}) == alone.0, "the weights were not restored");
}
