//! Noise levels, loss weights and noisy latents against kohya's (golden `schedule`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use half::{bf16, f16};
use serde_json::Value;
use wayword_testing::{Report, Tensors, topic};
use wayword_train::loss::{Difference, HuberSchedule, LossOptions, LossTable, loss_and_gradient};
use wayword_train::noise_options::{RoundedSchedule, Rounding, STEPS};

/// Largest relative difference: golden/README.md, "schedule".
const LIMIT: f64 = 1e-6;

/// Largest difference over the expected value; where both are 0 or infinite there is none.
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error = |(a, b): (&f32, &f32)| {
        if a == b { 0.0 } else { f64::from((a - b).abs()) / f64::from(b.abs()) }
    };
    found.iter().zip(expected).map(error).fold(0.0, f64::max)
}

/// The roots that rescaling for zero terminal SNR shifted and scaled, from its products.
///
/// The peer's square root is off by a last digit for one step in six (its betas follow from such
/// roots exactly), and taking the last root away from its neighbors makes that digit larger than
/// the limit. So the roots are what is compared.
fn roots_before_rescaling(plain: &RoundedSchedule, alphas: &[f32]) -> Vec<f32> {
    let root = |i: usize| f64::from(plain.schedule.alphas[i]).sqrt();
    let (first, last) = (root(0), root(STEPS - 1));
    let scale = first / (first - last);
    alphas.iter().map(|a| (f64::from(*a).sqrt() / scale + last) as f32).collect()
}

fn products(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0;
    let mut next = |b: &f32| {
        product *= 1.0 - f64::from(*b);
        product as f32
    };
    betas.iter().map(&mut next).collect()
}

fn read(report: &mut Report) -> Option<(Value, Tensors)> {
    let topic = topic("schedule")?;
    let json = topic.json("tables.json", |v| v["losses"].is_array());
    let found = json.zip(topic.tensors("tables.safetensors"));
    if found.is_none() {
        report.skip("no file of tables");
    }
    found
}

/// The options that a weight table's name stands for, and whether it is a table of thresholds.
fn table_options(name: &str) -> Option<LossOptions> {
    let plain = LossOptions::default();
    let (base, v) = match name.strip_suffix("_v") {
        Some(base) if base != "scale" => (base, true),
        _ => (name, false),
    };
    if let Some(gamma) = base.strip_prefix("min_snr") {
        let gamma = gamma.trim_start_matches('_').parse().ok()?;
        return Some(LossOptions { min_snr_gamma: Some(gamma), v_prediction: v, ..plain });
    }
    if let Some(k) = base.strip_prefix("v_pred_like_") {
        return Some(LossOptions { v_pred_like_loss: Some(k.parse().ok()?), ..plain });
    }
    if let Some(huber) = base.strip_prefix("huber_c.") {
        let (schedule, numbers) = huber.split_once('_')?;
        let (c, scale) = numbers.split_once('x').unwrap_or((numbers, "1"));
        return Some(LossOptions {
            huber_schedule: HuberSchedule::parse(schedule).ok()?,
            huber_c: c.parse().ok()?,
            huber_scale: scale.parse().ok()?,
            ..plain
        });
    }
    match base {
        "debiased" => Some(LossOptions { debiased_estimation: true, v_prediction: v, ..plain }),
        "scale_v" => Some(LossOptions {
            scale_v_pred_loss_like_noise_pred: true,
            v_prediction: true,
            ..plain
        }),
        _ => None,
    }
}

#[test]
fn golden_schedule_tables() {
    let mut report = Report::new("golden_schedule_tables");
    let Some((_, tensors)) = read(&mut report) else { return };
    let (plain, zero) =
        (RoundedSchedule::new(false, Rounding::F32), RoundedSchedule::new(true, Rounding::F32));
    for name in tensors.names() {
        let expected = tensors.at(name);
        if expected.shape != [STEPS] {
            continue;
        }
        let mut expected = expected.f32();
        let mut found: Vec<f32> = match name {
            "betas" => plain.schedule.betas.clone(),
            "alphas_cumprod" => plain.schedule.alphas.clone(),
            "alphas_cumprod_f16" => {
                plain.schedule.alphas.iter().map(|a| f16::from_f32(*a).to_f32()).collect()
            }
            "alphas_cumprod_bf16" => {
                plain.schedule.alphas.iter().map(|a| bf16::from_f32(*a).to_f32()).collect()
            }
            "all_snr" => plain.snr.clone(),
            "zero_snr.betas" => zero.schedule.betas.clone(),
            "zero_snr.alphas_cumprod" => zero.schedule.alphas.clone(),
            _ => {
                let options = table_options(name).unwrap_or_else(|| panic!("table {name}"));
                let table = LossTable::new(&options, &plain);
                if name.starts_with("huber") {
                    (0..STEPS).map(|t| table.threshold(t)).collect()
                } else {
                    (0..STEPS).map(|t| table.weight(t)).collect()
                }
            }
        };
        if name.starts_with("zero_snr.") {
            for table in [&mut found, &mut expected] {
                if name.ends_with("betas") {
                    *table = products(table);
                }
                *table = roots_before_rescaling(&plain, table);
            }
        }
        report.within(name, "table", relative(&found, &expected), LIMIT);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_schedule_noisy_latents() {
    let mut report = Report::new("golden_schedule_noisy_latents");
    let Some((_, tensors)) = read(&mut report) else { return };
    let Some(steps) = tensors.get("add.t") else {
        report.skip("no noisy latents");
        return report.finish();
    };
    let steps: Vec<usize> = steps.i64().iter().map(|t| *t as usize).collect();
    for (kind, rounding) in
        [("f32", Rounding::F32), ("f16", Rounding::F16), ("bf16", Rounding::Bf16)]
    {
        let Some(latents) = tensors.get(&format!("add.{kind}.latents")) else {
            report.skip("no latents of a kind");
            continue;
        };
        let latents = latents.f32();
        let noise = tensors.at(&format!("add.{kind}.noise")).f32();
        let size = latents.len() / steps.len();
        for (what, zero, velocity) in
            [("noisy", false, false), ("noisy_zero_snr", true, false), ("velocity", false, true)]
        {
            let Some(expected) = tensors.get(&format!("add.{kind}.{what}")) else { continue };
            let levels = RoundedSchedule::new(zero, rounding);
            let samples = latents.chunks(size).zip(noise.chunks(size)).zip(&steps);
            let found: Vec<f32> = samples
                .flat_map(|((z, n), t)| {
                    if velocity {
                        levels.velocity(z, n, *t, false)
                    } else {
                        levels.add_noise(z, n, *t, false)
                    }
                })
                .collect();
            // A sum that cancels is small against its parts: the parts' size is what counts.
            let expected = expected.f32();
            let scale = f64::from(expected.iter().fold(0f32, |m, v| m.max(v.abs())));
            let off = wayword_testing::max_abs(&found, &expected) / scale;
            report.within(&format!("{kind} {what}"), "noisy latents", off, LIMIT);
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_schedule_losses() {
    let mut report = Report::new("golden_schedule_losses");
    let Some((json, tensors)) = read(&mut report) else { return };
    let levels = RoundedSchedule::new(false, Rounding::F32);
    let tensor = |name: &str| tensors.at(name).f32();
    let (prediction, target) = (tensor("loss.pred"), tensor("loss.target"));
    let steps = tensors.at("loss.t").i64();
    let size = prediction.len() / steps.len();
    for case in json["losses"].as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap();
        let options = LossOptions {
            kind: Difference::parse(text("loss_type")).unwrap(),
            huber_schedule: HuberSchedule::parse(text("huber_schedule")).unwrap(),
            huber_c: case["huber_c"].as_f64().unwrap(),
            huber_scale: case["huber_scale"].as_f64().unwrap(),
            ..LossOptions::default()
        };
        let table = LossTable::new(&options, &levels);
        for (i, t) in steps.iter().enumerate() {
            let part = i * size..(i + 1) * size;
            let (found, _) = loss_and_gradient(
                options.kind,
                table.threshold(*t as usize),
                &prediction[part.clone()],
                &target[part],
                &vec![1.0; size],
            );
            let expected = case["per_sample"][i].as_f64().unwrap();
            report.within(&case.to_string(), "loss", (found / expected - 1.0).abs(), LIMIT);
        }
        report.ran();
    }
    report.finish();
}
