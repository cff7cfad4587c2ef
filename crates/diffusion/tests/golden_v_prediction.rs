//! A base that predicts velocity: whole runs equal diffusers', golden `v-prediction`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use serde_json::Value;
use wayword_diffusion::generate::{Drawing, GroupConditioning};
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{Base, BaseOptions, DrawPlan, DrawSettings, Prediction};
use wayword_interface::{Quiet, Stop};
use wayword_testing::{Report, max_abs, topic};

#[test]
fn golden_v_prediction_runs() {
    let Some(topic) = topic("v-prediction") else { return };
    let mut report = Report::new("golden_v_prediction_runs");
    let head = topic.json("cases.json", |v| v["cases"][0].get("sampler").is_some());
    let tensors = common::tensor_files(&topic, ".latents").into_iter().next();
    let (Some(head), Some(tensors)) = (head, tensors) else {
        println!("ran 0, skipped 1: no file of cases");
        return;
    };
    let options = BaseOptions {
        prediction: Some(Prediction::V),
        ..BaseOptions::new(common::tiny_file(), &common::device())
    };
    let base = Base::load(&options, &Quiet).unwrap();
    for case in head["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let Some(want) = tensors.get(&format!("{id}.latents")) else {
            report.skip("no latents");
            continue;
        };
        let plan = DrawPlan::new(&base, settings(&base, case)).unwrap();
        let drawing = Drawing::new(&base, &plan, &Quiet).unwrap();
        let stop = Stop::default();
        let guard = drawing.activate(0, &Quiet, &stop).unwrap().unwrap();
        let texts = GroupConditioning::encode(&guard, &plan, 0..1).unwrap();
        let got = drawing.sample(guard, &texts, &Quiet, &stop).unwrap().unwrap();
        let want = want.f32();
        let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
        let limit = if plan.settings().sampler.info().second_order { 2e-3 } else { 1e-3 };
        let difference = max_abs(&got.latents.concat(), &want) / f64::from(scale);
        report.within(id, "latents", difference, limit);
        report.ran();
    }
    report.finish();
}

fn settings(base: &Base, case: &Value) -> DrawSettings {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let count = |key: &str| case[key].as_u64().unwrap();
    let (info, schedule) = resolve(&text("sampler"), Some(&text("schedule")), false).unwrap();
    DrawSettings {
        negatives: vec![text("negative")],
        width: count("width") as u32,
        height: count("height") as u32,
        steps: count("steps") as u32,
        cfg: case["cfg"].as_f64().unwrap(),
        seed: count("seed"),
        sampler: info.kind,
        schedule,
        ..DrawSettings::new(base, text("prompt"))
    }
}
