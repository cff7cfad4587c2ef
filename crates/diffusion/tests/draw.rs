//! Drawing as a job: what a plan refuses, stopping, batches, and pictures that are not numbers.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::sync::Mutex;
use wayword_diffusion::sigmas::SamplerKind;
use wayword_diffusion::{
    Base, DrawPlan, DrawSettings, Embeddings, Error, Event, Quiet, Stop, draw,
};
use wayword_formats::{Array, SafeTensors, safetensors};

fn settings(base: &Base) -> DrawSettings {
    DrawSettings { width: 64, height: 64, steps: 2, ..DrawSettings::new(base, "a cat") }
}

#[test]
fn plans_refuse_what_cannot_be() {
    let base = common::tiny();
    let good = || settings(&base);
    let words = Embeddings::for_width(768, &base.tokenizer);
    for (settings, word) in [
        (DrawSettings { width: 100, ..good() }, "size: 100,64"),
        (DrawSettings { steps: 0, ..good() }, "steps"),
        (DrawSettings { count: 0, ..good() }, "count"),
        (DrawSettings { cfg: f64::NAN, ..good() }, "cfg"),
        (DrawSettings { clip_skip: 5, ..good() }, "clip-skip: 5 is not 1 to 4"),
        (DrawSettings { prompts: vec!["a".into(); 2], count: 3, ..good() }, "prompt: 2 texts"),
        (DrawSettings { variation: Some((1, 1.5)), ..good() }, "variation"),
        (DrawSettings { prompts: vec!["a <lora:x:1>".into()], ..good() }, "LoRA"),
        (DrawSettings { prompts: vec!["a <foo:x>".into()], ..good() }, "foo"),
        (DrawSettings { embeddings: Some(words.into()), ..good() }, "expected rows of 64"),
    ] {
        let error = DrawPlan::new(&base, settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error:?} does not name {word:?}");
    }
}

#[test]
fn a_picture_does_not_depend_on_its_group() {
    let base = common::tiny();
    let run = |count, batch, seed| {
        let sampler = SamplerKind::EulerA;
        let settings = DrawSettings { count, batch, seed, sampler, ..settings(&base) };
        draw(&base, &DrawPlan::new(&base, settings).unwrap(), &Quiet, &Stop::default()).unwrap()
    };
    let (together, apart, alone) = (run(3, 3, 7), run(3, 2, 7), run(1, 1, 9));
    for i in 0..3 {
        let furthest = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest(&together[i].rgb, &apart[i].rgb).unwrap() <= 1);
        assert_eq!(together[i].infotext, apart[i].infotext);
    }
    assert_eq!(alone[0].seed, together[2].seed);
    assert_eq!(alone[0].infotext, together[2].infotext);
}

#[test]
fn stopping_gives_what_is_done() {
    let base = common::tiny();
    let plan = DrawPlan::new(&base, DrawSettings { count: 3, ..settings(&base) }).unwrap();
    let stop = Stop::default();
    let seen = Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Picture { index, .. } = &event {
            seen.lock().unwrap().push(*index);
            stop.ask();
        }
    };
    let pictures = draw(&base, &plan, &events, &stop).unwrap();
    assert_eq!(pictures.len(), 1);
    assert_eq!(*seen.lock().unwrap(), [0]);
}

#[test]
fn a_broken_vae_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = SafeTensors::open(&common::tiny_file()).unwrap();
    let broken = "first_stage_model.decoder.conv_out.bias";
    let tensors: Vec<(String, Array)> = file
        .names()
        .map(|name| match name == broken {
            true => (name.to_owned(), Array::from_f32(vec![3], &[0.0, f32::NAN, 0.0]).unwrap()),
            false => (name.to_owned(), file.get(name).unwrap()),
        })
        .collect();
    let path = dir.path().join("broken.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    let base = common::load(&path, None);
    let plan = DrawPlan::new(&base, settings(&base)).unwrap();
    let error = draw(&base, &plan, &Quiet, &Stop::default()).unwrap_err();
    assert!(matches!(error, Error::NotANumber { .. }), "{error}");
    assert!(error.to_string().contains("VAE"), "{error}");
}
