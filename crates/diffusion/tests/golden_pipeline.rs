//! Whole jobs of the web UI: latents, pixels and infotexts equal golden `pipeline`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::generate::{Drawing, GroupConditioning, encode_picture, groups};
use wayword_diffusion::hires::{HiresSettings, HiresSize, Upscaler};
use wayword_diffusion::img2img::{ImageSettings, MaskFill, MaskSettings, prepare};
use wayword_diffusion::pictures::{Fit, Pixels};
use wayword_diffusion::samplers::SamplerOptions;
use wayword_diffusion::sigmas::{Schedule, resolve};
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, Loras};
use wayword_formats::infotext::Infotext;
use wayword_interface::{Quiet, Stop};
use wayword_prompt::{Emphasis, Quirks};
use wayword_tensor::random::NoiseKind;
use wayword_testing::{HostTensor, Report, Tensors, Topic, max_abs, topic};

/// What a job asks for that is not known.
fn unknown(job: &Value) -> Option<String> {
    const KNOWN: [&str; 16] = [
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
        "init",
        "mask",
        "denoise",
    ];
    const OPTIONS: [&str; 4] =
        ["CLIP_stop_at_last_layers", "emphasis", "randn_source", "eta_noise_seed_delta"];
    const KW: [&str; 23] = [
        "subseed",
        "subseed_strength",
        "seed_resize_from_w",
        "seed_resize_from_h",
        "eta",
        "resize_mode",
        "inpainting_fill",
        "inpaint_full_res",
        "inpaint_full_res_padding",
        "inpainting_mask_invert",
        "mask_blur",
        "enable_hr",
        "hr_scale",
        "hr_upscaler",
        "hr_second_pass_steps",
        "hr_resize_x",
        "hr_resize_y",
        "hr_prompt",
        "hr_negative_prompt",
        "hr_sampler_name",
        "hr_scheduler",
        "denoising_strength",
        "scheduler",
    ];
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
    None
}

/// A golden picture of bytes.
fn picture(tensor: &HostTensor) -> Pixels {
    let (height, width) = (tensor.shape[0], tensor.shape[1]);
    let channels = tensor.shape.get(2).copied().unwrap_or(1);
    Pixels { width, height, channels, data: tensor.bytes.clone() }
}

/// The picture that a job begins with.
fn image(id: &str, job: &Value, tensors: &Tensors) -> Option<ImageSettings> {
    let own = tensors.get(&format!("{id}.init_image"))?;
    let kw = &job["kw"];
    let mask = tensors.get(&format!("{id}.mask_image")).map(|mask| MaskSettings {
        invert: kw["inpainting_mask_invert"].as_u64().unwrap_or(0) != 0,
        blur: kw["mask_blur"].as_f64().unwrap_or(4.0),
        only_masked: kw["inpaint_full_res"].as_bool().unwrap_or(true),
        padding: kw["inpaint_full_res_padding"].as_u64().unwrap_or(0) as u32,
        fill: match kw["inpainting_fill"].as_u64() {
            Some(1) => MaskFill::Original,
            Some(2) => MaskFill::LatentNoise,
            Some(3) => MaskFill::LatentNothing,
            _ => MaskFill::Fill,
        },
        ..MaskSettings::new(picture(mask))
    });
    Some(ImageSettings {
        fit: match kw["resize_mode"].as_u64() {
            Some(1) => Fit::Crop,
            Some(2) => Fit::Fill,
            _ => Fit::Stretch,
        },
        denoise: job["denoise"].as_f64().unwrap_or(0.75),
        mask,
        ..ImageSettings::new(picture(own))
    })
}

/// The second pass that a job asks for.
fn hires(kw: &Value) -> Option<HiresSettings> {
    kw["enable_hr"].as_bool().filter(|on| *on)?;
    let side = |key: &str| kw[key].as_u64().unwrap_or(0) as u32;
    let size = match (side("hr_resize_x"), side("hr_resize_y")) {
        (0, 0) => HiresSize::Scale(kw["hr_scale"].as_f64().unwrap_or(2.0)),
        (x, y) => HiresSize::Pixels(x, y),
    };
    let texts = |key: &str| match kw[key].as_str() {
        None | Some("") => Vec::new(),
        Some(text) => vec![text.to_owned()],
    };
    let sampler = kw["hr_sampler_name"].as_str();
    let schedule = kw["hr_scheduler"].as_str();
    Some(HiresSettings {
        size,
        steps: kw["hr_second_pass_steps"].as_u64().filter(|n| *n > 0).map(|n| n as u32),
        denoise: kw["denoising_strength"].as_f64().unwrap_or(0.75),
        upscaler: Upscaler::from_name(kw["hr_upscaler"].as_str().unwrap_or("Latent")).unwrap(),
        sampler: sampler.map(|name| resolve(name, None, true).unwrap().0.kind),
        schedule: schedule.map(|name| Schedule::from_name(name).unwrap()),
        prompts: texts("hr_prompt"),
        negatives: texts("hr_negative_prompt"),
    })
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
        sampler_options: SamplerOptions { eta: kw["eta"].as_f64(), ..SamplerOptions::default() },
        hires: hires(kw),
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
fn golden_pipeline_jobs() {
    let Some(topic) = topic("pipeline") else { return };
    let mut report = Report::new("golden_pipeline_jobs");
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
    let folders: Vec<PathBuf> = topic.file("../lora/files").into_iter().collect();
    let loras = Arc::new(Loras::open(&folders, &Quiet).unwrap());
    for case in head["cases"].as_array().unwrap() {
        let id = format!("j{}", case["id"]);
        if let Some(reason) = unknown(&case["job"]) {
            report.skip(reason);
            continue;
        }
        let image = image(&id, &case["job"], &tensors);
        if image.is_none() && case["job"].get("init").is_some() {
            report.skip("no file of the picture to begin with");
            continue;
        }
        let settings = DrawSettings {
            embeddings: Some(Arc::clone(&words)),
            loras: Some(Arc::clone(&loras)),
            image,
            ..settings(&base, &head, case)
        };
        if let Some(missing) = missing(case, &loras) {
            report.skip(missing);
            continue;
        }
        let plan = DrawPlan::new(&base, settings).unwrap_or_else(|e| panic!("{id}: {e}"));
        let drawing = Drawing::new(&base, &plan, &Quiet).unwrap();
        if let (Some(want), Some(image)) =
            (tensors.get(&format!("{id}.init_latent")), &plan.settings().image)
        {
            begun(&base, &id, image, &plan, want, &mut report);
        }
        let mut decoded = 0;
        for group in groups(&plan) {
            let stop = Stop::default();
            let guard = drawing.activate(group.start, &Quiet, &stop).unwrap().unwrap();
            let texts = GroupConditioning::encode(&guard, &plan, group.clone()).unwrap();
            let got = drawing.sample(guard, &texts, &Quiet, &stop).unwrap().unwrap();
            // All latents that the peer decoded, in its order.
            for latents in got.first.iter().chain([&got.latents]) {
                if let Some(want) = tensors.get(&format!("{id}.decoded_latents{decoded}")) {
                    let want = want.f32();
                    let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
                    // Stochastic samplers and those of two evaluations a step may need twice as
                    // much.
                    let info = plan.settings().sampler.info();
                    let limit = if info.brownian || info.second_order { 2e-3 } else { 1e-3 };
                    let difference = max_abs(&latents.concat(), &want) / f64::from(scale);
                    report.within(&id, "latents", difference, limit);
                }
                decoded += 1;
            }
            for i in group {
                let picture = drawing.finish(&texts, &got, i, &Quiet, &Stop::default()).unwrap();
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

/// A LoRA that the peer found and this tree lacks.
fn missing(case: &Value, loras: &Loras) -> Option<String> {
    let texts: Vec<&str> =
        case["infotexts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let hashes =
        texts.iter().find_map(|t| Infotext::parse(t).get("Lora hashes").map(str::to_owned));
    let hashes = hashes?;
    let name = |entry: &str| entry.split(':').next().unwrap_or_default().trim().to_owned();
    let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let known: Vec<String> = loras.files().filter_map(|file| stem(&file.path)).collect();
    hashes
        .split(',')
        .map(name)
        .any(|n| !known.contains(&n))
        .then(|| "a LoRA file is not in this tree".into())
}

/// The latents that a job begins with.
fn begun(
    base: &Base,
    id: &str,
    image: &ImageSettings,
    plan: &DrawPlan,
    want: &HostTensor,
    report: &mut Report,
) {
    let fill = image.mask.as_ref().map_or(MaskFill::Original, |m| m.fill);
    if matches!(fill, MaskFill::LatentNoise | MaskFill::LatentNothing) {
        return;
    }
    let size = (plan.settings().width as usize, plan.settings().height as usize);
    let prepared = prepare(image, size);
    let got = encode_picture(base, &prepared.picture, &Quiet).unwrap();
    let want = want.f32();
    let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
    report.within(id, "first latents", max_abs(&got, &want) / f64::from(scale), 1e-3);
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
    let mut words = Embeddings::new(base);
    words.load(&folders, &Quiet).unwrap();
    Arc::new(words)
}
