//! The options of noise, of recorded draws, against kohya's training runs (golden `kohya-trace`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::Value;
use std::collections::VecDeque;
use wayword_testing::{Report, Tensors, json, max_abs, topic};
use wayword_train::dataset::Pixels;
use wayword_train::loss::to_latent;
use wayword_train::noise_options::{
    NoiseOptions, NoiseSource, RoundedSchedule, Rounding, noise, perturbed,
};

/// The draws of a micro-batch in their order.
struct Recorded {
    normals: VecDeque<Vec<f32>>,
    units: VecDeque<f64>,
}

impl NoiseSource for Recorded {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        let draw = self.normals.pop_front().expect("a draw for each call");
        assert_eq!(draw.len(), count, "the draw's size");
        draw
    }

    fn next_f64(&mut self) -> f64 {
        self.units.pop_front().expect("a draw for each call")
    }
}

/// Tensors hold the normal draws; numbers stand in the list, or in a tensor of one element.
fn recorded(draws: &[Value], index: usize, tensors: &Tensors) -> Recorded {
    let mut out = Recorded { normals: VecDeque::new(), units: VecDeque::new() };
    for (j, draw) in draws.iter().enumerate() {
        let tensor = tensors.get(&format!("m{index}.draw{j}"));
        match (draw[0].as_str().unwrap(), draw[1].as_f64()) {
            (_, Some(unit)) => out.units.push_back(unit),
            (kind, _) if kind.starts_with("randn") => out.normals.push_back(tensor.unwrap().f32()),
            _ => out.units.push_back(tensor.unwrap().f64()[0]),
        }
    }
    out
}

fn options(o: &Value) -> NoiseOptions {
    let number = |key: &str| o[key].as_f64().unwrap_or(0.0);
    let on = |key: &str| o[key].as_bool().unwrap_or(false);
    NoiseOptions {
        offset: number("noise_offset"),
        offset_random: on("noise_offset_random_strength"),
        offset_adaptive: o["adaptive_noise_scale"].as_f64().filter(|s| *s != 0.0),
        multires_iterations: o["multires_noise_iterations"].as_u64().unwrap_or(0) as u32,
        multires_discount: number("multires_noise_discount"),
        ip_gamma: number("ip_noise_gamma"),
        ip_gamma_random: on("ip_noise_gamma_random_strength"),
    }
}

#[test]
fn golden_kohya_trace_noise_options() {
    let Some(topic) = topic("kohya-trace") else { return };
    let mut report = Report::new("golden_kohya_trace_noise_options");
    for path in topic.files("json") {
        let run = json(&path);
        let tensors = path.with_extension("safetensors");
        let options = options(&run["options"]);
        if options
            == (NoiseOptions { multires_discount: options.multires_discount, ..Default::default() })
        {
            continue;
        }
        if !tensors.exists() {
            report.skip("no tensors of the run");
            continue;
        }
        let tensors = Tensors::read(&tensors);
        let name = path.file_stem().unwrap().to_string_lossy();
        let zero = run["options"]["zero_terminal_snr"] == true;
        let levels = RoundedSchedule::new(zero, Rounding::F32);
        for (i, micro) in run["micro"].as_array().unwrap().iter().enumerate() {
            let Some(draws) = micro["draws"].as_array() else {
                report.skip("no draws recorded");
                continue;
            };
            let mut draws = recorded(draws, i, &tensors);
            let names = micro["latents"].as_array().unwrap();
            let latents: Vec<&wayword_testing::HostTensor> =
                names.iter().map(|n| tensors.at(n.as_str().unwrap())).collect();
            let [c, h, w] = latents[0].shape[..] else { panic!("{name}: latents are [c, h, w]") };
            let z: Vec<f32> = latents.iter().flat_map(|l| l.f32()).collect();
            let found = noise(&mut draws, &z, [names.len(), c, h, w], &options);
            let expected = tensors.at(&format!("m{i}.noise")).f32();
            let case = format!("{name} m{i}");
            // sums of a few numbers of size 1, in f32
            report.within(&case, "noise", max_abs(&found, &expected), 5e-6);
            let with = perturbed(&mut draws, &expected, &options);
            if let Some(noisy) = tensors.get(&format!("m{i}.noisy")) {
                let size = c * h * w;
                let samples = z.chunks(size).zip(with.chunks(size));
                let steps = micro["timesteps"].as_array().unwrap();
                let found: Vec<f32> = samples
                    .zip(steps)
                    .flat_map(|((z, n), t)| {
                        levels.add_noise(z, n, t.as_u64().unwrap() as usize, options.is_wide())
                    })
                    .collect();
                report.within(&case, "noisy latents", max_abs(&found, &noisy.f32()), 5e-6);
            }
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_kohya_trace_masks() {
    let Some(topic) = topic("kohya-trace") else { return };
    let mut report = Report::new("golden_kohya_trace_masks");
    for path in topic.files("json") {
        let run = json(&path);
        let Some(mask) = run["micro"][0]["masks"].as_array().and_then(|m| m[0].as_str()) else {
            continue;
        };
        let tensors = path.with_extension("safetensors");
        if !tensors.exists() {
            report.skip("no tensors of the run");
            continue;
        }
        let tensors = Tensors::read(&tensors);
        let (mask, latents) = (tensors.at(mask), tensors.at("lat0"));
        let (height, width) = (mask.shape[0], mask.shape[1]);
        let pixels = Pixels { width, height, channels: 1, data: mask.bytes.clone() };
        let (h, w) = (latents.shape[1], latents.shape[2]);
        let found = to_latent(&pixels, (w, h));
        // 8 x 8 pixels a latent: the mean of each block
        let mean: f64 = found.iter().map(|v| f64::from(*v)).sum::<f64>() / found.len() as f64;
        let all: f64 = mask.bytes.iter().map(|v| f64::from(*v)).sum::<f64>();
        let difference = (mean - all / (255 * width * height) as f64).abs();
        report.within("mask", "mean", difference, 1e-6);
        report.ran();
    }
    report.finish();
}
