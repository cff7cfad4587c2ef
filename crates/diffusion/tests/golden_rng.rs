//! A batch's noise and Brownian noise against A1111's (golden topic `rng`).
#![allow(clippy::unwrap_used, reason = "a test may fail")]
use serde_json::Value;
use wayword_diffusion::brownian::BrownianNoise;
use wayword_diffusion::image_rng::{ImageRng, ImageRngOptions};
use wayword_tensor::random::NoiseKind;
use wayword_testing::{Report, topic};

fn integers(value: &Value) -> Vec<i64> {
    // Seeds from 2^63 on are written unsigned.
    let read = |v: &Value| v.as_i64().or_else(|| v.as_u64().map(|u| u as i64)).unwrap();
    value.as_array().into_iter().flatten().map(read).collect()
}

/// Largest difference; what is not a number in both is equal.
fn difference(ours: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let pairs = ours.iter().zip(expected).filter(|(a, b)| !(a.is_nan() && b.is_nan()));
    let worst = pairs.map(|(a, b)| f64::from((a - b).abs()));
    worst.fold(0.0, |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) })
}

#[test]
fn golden_rng_images() {
    let Some(topic) = topic("rng") else { return };
    let json = topic.json("cases.json", |j| j.get("image_rng").is_some());
    let (Some(json), Some(tensors)) = (json, topic.tensors("image_rng.safetensors")) else {
        println!("golden_rng_images: ran 0, skipped 1: no file image_rng.safetensors");
        return;
    };
    let mut report = Report::new("golden_rng_images");
    for case in json["image_rng"].as_array().into_iter().flatten() {
        let shape: Vec<usize> = integers(&case["shape"]).iter().map(|v| *v as usize).collect();
        let number = |key: &str| case.get(key).and_then(Value::as_u64).map(|v| v as usize);
        let options = ImageRngOptions {
            kind: if case["source"] == "NV" { NoiseKind::Nv } else { NoiseKind::Cpu },
            subseeds: integers(&case["subseeds"]),
            subseed_strength: case["subseed_strength"].as_f64().unwrap_or(0.0) as f32,
            resize_from: number("seed_resize_from_h").zip(number("seed_resize_from_w")),
            later_seed_delta: case["ensd"].as_i64().unwrap_or(0),
        };
        let varied = options.subseed_strength != 0.0;
        let mut rng =
            ImageRng::new([shape[0], shape[1], shape[2]], &integers(&case["seeds"]), options);
        for (i, name) in case["tensors"].as_array().into_iter().flatten().enumerate() {
            let expected = tensors.at(name.as_str().unwrap()).f32();
            let limit = if varied && i == 0 { 2e-6 } else { 1e-6 };
            let label = name.as_str().unwrap();
            report.within(label, "noise", difference(&rng.draw(), &expected), limit);
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_rng_brownian() {
    let Some(topic) = topic("rng") else { return };
    let json = topic.json("cases.json", |j| j.get("brownian").is_some());
    let (Some(json), Some(tensors)) = (json, topic.tensors("brownian.safetensors")) else {
        println!("golden_rng_brownian: ran 0, skipped 1: no file brownian.safetensors");
        return;
    };
    let mut report = Report::new("golden_rng_brownian");
    for case in json["brownian"].as_array().into_iter().flatten() {
        let seeds = integers(&case["seeds"]);
        let level = |key: &str| case[key].as_f64().unwrap();
        let mut noise = None;
        for (i, query) in case["queries"].as_array().into_iter().flatten().enumerate() {
            let name = format!("tree{}.q{i}", case["id"]);
            let Some(expected) = tensors.get(&name) else {
                report.skip("a tensor that the file lacks");
                continue;
            };
            let noise = noise.get_or_insert_with(|| {
                let count = expected.shape[1..].iter().product();
                let (least, most) = (level("sigma_min"), level("sigma_max"));
                BrownianNoise::new(NoiseKind::Cpu, &seeds, count, least, most)
            });
            let ours = noise.noise(query[0].as_f64().unwrap(), query[1].as_f64().unwrap());
            report.within(&name, "noise", difference(&ours, &expected.f32()), 1e-5);
            report.ran();
        }
    }
    report.finish();
}
