//! Whole jobs of the web UI: latents, pixels and infotexts equal golden `pipeline`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::generate::{Texts, finish, groups, sample};
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, Quiet, Stop};
use wayword_formats::infotext::Infotext;
use wayword_prompt::{Emphasis, Quirks};
use wayword_tensor::random::NoiseKind;
use wayword_testing::{Report, Topic, max_abs, topic};

/// What a job asks for that is not drawn from a prompt alone, or that is not known.
fn unsupported(job: &Value) -> Option<String> {
    const KNOWN: [&str; 13] = [
        "prompt",
        "neg",
        "steps",
        "w",
        "h",
        "seed",
        "cfg",
        "sampler",
        "scheduler",
        "batch_size",
        "n_iter",
        "options",
        "kw",
    ];
    const OPTIONS: [&str; 4] =
        ["CLIP_stop_at_last_layers", "emphasis", "randn_source", "eta_noise_seed_delta"];
    const KW: [&str; 4] =
        ["subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h"];
    let keys = |v: &Value| -> Vec<String> {
        v.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
    };
    for (known, found) in [
        (&KNOWN[..], keys(job)),
        (&OPTIONS[..], keys(&job["options"])),
        (&KW[..], keys(&job["kw"])),
    ] {
        if let Some(other) = found.iter().find(|k| !known.contains(&k.as_str())) {
            return Some(format!("needs the option {other}"));
        }
    }
    let texts = texts(&job["prompt"]);
    texts
        .iter()
        .any(|t| !wayword_prompt::nets::extract(t).1.is_empty())
        .then(|| "needs LoRA".into())
}

/// One text, or one for each picture.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(|t| t.as_str().unwrap().to_owned()).collect(),
        Value::String(one) => vec![one.clone()],
        _ => vec![String::new()],
    }
}

fn settings(base: &Base, head: &Value, case: &Value) -> DrawSettings {
    let (job, defaults) = (&case["job"], &head["defaults"]);
    let get = |key: &str, long: &str| match &job[key] {
        Value::Null => defaults[long].clone(),
        own => own.clone(),
    };
    let number = |v: &Value| v.as_f64().unwrap();
    let count = |key: &str| job[key].as_u64().unwrap_or(1) as usize;
    let (kw, options) = (&job["kw"], &job["options"]);
    let sampler = get("sampler", "sampler");
    let schedule = get("scheduler", "scheduler");
    let (info, schedule) =
        resolve(sampler.as_str().unwrap(), schedule.as_str(), true).expect("quirks resolve all");
    let source = match &options["randn_source"] {
        Value::Null => &defaults["randn_source"],
        own => own,
    };
    let strength = kw["subseed_strength"].as_f64().filter(|s| *s != 0.0);
    let from = |key: &str| kw[key].as_u64().map(|n| n as u32);
    DrawSettings {
        prompts: texts(&job["prompt"]),
        negatives: texts(&get("neg", "negative")),
        width: number(&get("w", "width")) as u32,
        height: number(&get("h", "height")) as u32,
        steps: number(&get("steps", "steps")) as u32,
        cfg: number(&get("cfg", "cfg")),
        sampler: info.kind,
        schedule,
        seed: number(&get("seed", "seed")) as u64,
        count: count("batch_size") * count("n_iter"),
        batch: count("batch_size"),
        clip_skip: options["CLIP_stop_at_last_layers"].as_u64().unwrap_or(1) as usize,
        emphasis: options["emphasis"]
            .as_str()
            .map_or(Emphasis::Original, |name| Emphasis::named(name).unwrap()),
        quirks: Quirks::A1111,
        noise: if source == "NV" { NoiseKind::Nv } else { NoiseKind::Cpu },
        variation: strength.map(|s| (kw["subseed"].as_u64().unwrap_or(0), s)),
        seed_resize: from("seed_resize_from_w").zip(from("seed_resize_from_h")),
        later_seed_delta: options["eta_noise_seed_delta"].as_i64().unwrap_or(0),
        ..DrawSettings::new(base, "")
    }
}

/// The infotext without the program's version.
fn without_version(text: &str) -> Infotext {
    let mut parsed = Infotext::parse(text);
    parsed.pairs.retain(|(key, _)| key != "Version");
    parsed
}

#[test]
fn golden_pipeline_text_to_image() {
    let Some(topic) = topic("pipeline") else { return };
    let mut report = Report::new("golden_pipeline_text_to_image");
    let head = topic.json("jobs.json", |v| v["cases"][0].get("job").is_some());
    let tensors = common::tensor_files(&topic, ".decoded_latents0").into_iter().next();
    let (Some(head), Some(tensors)) = (head, tensors) else {
        println!("ran 0, skipped 1: no file of jobs");
        return;
    };
    // The peer knew the model by another name than the file has here.
    let folder = tempfile::tempdir().unwrap();
    let called = head["model"].as_str().and_then(|m| m.split('"').nth(1)).unwrap_or("tiny");
    let file: PathBuf = folder.path().join(format!("{called}.safetensors"));
    std::fs::copy(common::tiny_file(), &file).unwrap();
    let base = common::load(&file, None);
    let words = words(&topic, &base);
    for case in head["cases"].as_array().unwrap() {
        let id = format!("j{}", case["id"]);
        if let Some(reason) = unsupported(&case["job"]) {
            report.skip(reason);
            continue;
        }
        let settings =
            DrawSettings { embeddings: Some(Arc::clone(&words)), ..settings(&base, &head, case) };
        let plan = DrawPlan::new(&base, settings).unwrap_or_else(|e| panic!("{id}: {e}"));
        for (k, group) in groups(&plan).into_iter().enumerate() {
            let texts = Texts::encode(&base, &plan, group.clone()).unwrap();
            let got = sample(&base, &plan, &texts, &Quiet, &Stop::default()).unwrap().unwrap();
            if let Some(want) = tensors.get(&format!("{id}.decoded_latents{k}")) {
                let want = want.f32();
                let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
                // Stochastic samplers and those of two evaluations a step may need twice as much.
                let info = plan.settings().sampler.info();
                let limit = if info.brownian || info.second_order { 2e-3 } else { 1e-3 };
                let difference = max_abs(&got.concat(), &want) / f64::from(scale);
                report.within(&id, "latents", difference, limit);
            }
            for (i, latent) in group.zip(&got) {
                let picture = finish(&base, &plan, &texts, i, latent).unwrap();
                let want = case["infotexts"][i].as_str().unwrap();
                assert_eq!(without_version(&picture.infotext), without_version(want), "{id}");
                let Some(want) = tensors.get(&format!("{id}.image{i}")) else { continue };
                pixels(&id, &picture.rgb, &want.bytes, &mut report);
            }
        }
        report.ran();
    }
    report.finish();
}

/// At least 99 of 100 bytes within 1, all within 4.
fn pixels(id: &str, got: &[u8], want: &[u8], report: &mut Report) {
    assert_eq!(got.len(), want.len(), "{id}");
    let differences: Vec<u8> = got.iter().zip(want).map(|(a, b)| a.abs_diff(*b)).collect();
    let most = differences.iter().max().copied().unwrap_or(0);
    let beyond = differences.iter().filter(|d| **d > 1).count() as f64 / got.len() as f64;
    report.within(id, "bytes, largest", f64::from(most), 4.0);
    report.within(id, "bytes, share beyond 1", beyond, 0.01);
}

/// The words of the first folder of embeddings beside the topic.
fn words(topic: &Topic, base: &Base) -> Arc<Embeddings> {
    let folder = topic.file("../conditioning/embeddings");
    let folders: Vec<PathBuf> = folder.iter().map(|f: &PathBuf| Path::new(f).to_owned()).collect();
    Arc::new(Embeddings::load(base, &folders, &Quiet).unwrap())
}
