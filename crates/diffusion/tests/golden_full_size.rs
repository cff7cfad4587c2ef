//! The real model's shapes with made weights against golden `full-size`. Takes about 10 GB and
//! minutes, so it is asked for: `cargo test --release -p wayword-diffusion -- --ignored full_size`.
#![expect(clippy::print_stdout, reason = "a test's report of what ran is printed")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::time::Instant;
use wayword_diffusion::Base;
use wayword_diffusion::synthetic::{Dimensions, tensor};
use wayword_interface::Stop;
use wayword_tensor::{CpuOptions, Device, Grid, Memory, Precision, Shape, Tape, Tensor, cpu};
use wayword_testing::{Report, Topic, max_abs, relative_l2, topic};

/// An input: `NAME [shape]`, perhaps times or divided by a number, perhaps clamped.
fn input(text: &str) -> (Vec<usize>, Vec<f32>) {
    let start = text.find("test.").unwrap();
    let open = text.find('[').unwrap();
    let close = text.find(']').unwrap();
    let name = text[start..open].trim();
    let shape: Vec<usize> =
        text[open + 1..close].split(',').map(|n| n.trim().parse().unwrap()).collect();
    let rest: Vec<&str> = text[close + 1..].trim_end_matches(')').split(',').collect();
    let factor = match rest[0].trim().split_once(' ') {
        None => 1.0,
        Some(("*", n)) => n.trim().parse().unwrap(),
        Some(("/", n)) => 1.0 / n.trim().parse::<f32>().unwrap(),
        Some(other) => panic!("{other:?}"),
    };
    let mut values: Vec<f32> = tensor(name, &shape).iter().map(|v| v * factor).collect();
    if let [_, low, high] = rest[..] {
        let (low, high) = (low.trim().parse().unwrap(), high.trim().parse().unwrap());
        values.iter_mut().for_each(|v| *v = v.clamp(low, high));
    }
    (shape, values)
}

fn picture(device: &Device, text: &str) -> (Tensor, Grid) {
    let (shape, values) = input(text);
    let grid = Grid::new(shape[2], shape[3]);
    let values = common::channels_last(&values, shape[0], shape[1]);
    let shape = Shape::new(shape[0], grid.tokens(), shape[1]);
    (Tensor::from_host(device, shape, &values).unwrap(), grid)
}

fn states(device: &Device, text: &str) -> Tensor {
    let (shape, values) = input(text);
    let shape = match shape[..] {
        [b, n, c] => Shape::new(b, n, c),
        [n, c] => Shape::new(1, n, c),
        _ => panic!("{shape:?}"),
    };
    Tensor::from_host(device, shape, &values).unwrap()
}

/// Every k-th row and column of pictures `[channels, h, w]`.
fn strided(values: &[f32], grid: Grid, k: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for plane in values.chunks_exact(grid.tokens()) {
        for row in plane.chunks_exact(grid.width).step_by(k) {
            out.extend(row.iter().step_by(k));
        }
    }
    out
}

fn say(what: &str, since: Instant) {
    println!("full_size: {what}: {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
#[ignore = "takes about 10 GB and minutes"]
fn full_size() {
    let Some(topic) = topic("full-size") else { return };
    let mut report = Report::new("full_size");
    let device = common::device();
    let start = Instant::now();
    let base = Base::synthetic(&device, &Dimensions::sd15()).unwrap();
    say("weights made and packed", start);
    text(&topic, &base, &device, &mut report);
    vae(&topic, &base, &device, &mut report);
    unet(&topic, &base, &device, &mut report);
    let most = device.memory().peak;
    println!("full_size: at most {:.2} GB on the device", most as f64 / 1e9);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        println!("full_size: {}", peak.unwrap_or_default());
    }
    report.finish();
}

/// How far the context's gradient in bf16 products is from the golden, which is f32: printed, and
/// held to what training bears (docs/performance.md).
#[test]
#[ignore = "takes about 4 GB and minutes"]
fn full_size_bf16() {
    let Some(topic) = topic("full-size") else { return };
    let device = cpu(CpuOptions { precision: Precision::Bf16, ..CpuOptions::default() });
    if device.precision() != Precision::Bf16 {
        println!("full_size: no bf16 products on this processor: skipped");
        return;
    }
    let start = Instant::now();
    let unet = wayword_diffusion::synthetic::unet_f32(&device, &Dimensions::sd15()).unwrap();
    say("bf16 weights made and packed", start);
    for path in topic.files("json") {
        let json = wayword_testing::json(&path);
        let inputs = &json["inputs"];
        let (Some(x), Some(name)) = (inputs["x"].as_str(), json["name"].as_str()) else { continue };
        let file = path.with_extension("safetensors");
        if !file.exists() {
            continue;
        }
        let golden = wayword_testing::Tensors::read(&file);
        let (x, grid) = picture(&device, x);
        let (upstream, _) = picture(&device, inputs["upstream"].as_str().unwrap());
        let context = states(&device, inputs["context"].as_str().unwrap());
        let t = [json["t"].as_f64().unwrap() as f32];
        let tape = Tape::new(Memory::Keep);
        let context = tape.watch(&context);
        let out = unet.forward(&x, grid, &t, &context).unwrap();
        let grads = tape.backward(&out, &upstream);
        let got = grads.of(&context).unwrap().to_host().unwrap();
        let want = golden.at("grad_context").f32();
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let norm = |a: &[f32]| dot(a, a).sqrt();
        let cosine = dot(&got, &want) / (norm(&got) * norm(&want));
        let length = norm(&got) / norm(&want);
        let off = relative_l2(&got, &want);
        println!(
            "full_size: {name} in bf16: gradient to the text states, cosine {cosine:.6}, \
             norm {length:.5} of f32's, relative difference {off:.2e}"
        );
        assert!(cosine > 0.999 && (length - 1.0).abs() < 0.01, "{name}");
    }
}

fn text(topic: &Topic, base: &Base, device: &Device, report: &mut Report) {
    let Some(json) = topic.json("text_encoder.json", |v| v["cases"][0].get("ids").is_some()) else {
        return report.skip("no text cases");
    };
    let Some(golden) = common::tensor_files(topic, "last_rows").into_iter().next() else {
        return report.skip("no file of text states");
    };
    let model = &base.activate(&[]).unwrap();
    let width = model.text().width();
    let eighth = |values: &[f32]| -> Vec<f32> {
        values.chunks_exact(width).step_by(8).flatten().copied().collect()
    };
    for (i, case) in json["cases"].as_array().unwrap().iter().enumerate() {
        let start = Instant::now();
        let ids: Vec<u32> =
            case["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
        let at = |name: &str| golden.at(&format!("text{i}.{name}")).f32();
        let tape = Tape::new(Memory::Keep);
        let embedded = tape.watch(&model.text().embed(&ids, 1, None).unwrap());
        let last = model.text().encode(&embedded, 1).unwrap();
        let got = eighth(&last.to_host().unwrap());
        report.within("text", "last", max_abs(&got, &at("last_rows")), 2e-5);
        let skip = model.text().encode(&embedded.detach(), 2).unwrap();
        let got = eighth(&skip.to_host().unwrap());
        report.within("text", "skip2", max_abs(&got, &at("skip2_rows")), 2e-5);
        let w = states(device, case["w"].as_str().unwrap());
        let grads = tape.backward(&last, &w);
        let got = eighth(&grads.of(&embedded).unwrap().to_host().unwrap());
        report.within("text", "gradient", relative_l2(&got, &at("grad_rows")), 1e-5);
        say("text forward twice, backward", start);
        report.ran();
    }
}

fn vae(topic: &Topic, base: &Base, device: &Device, report: &mut Report) {
    let Some(json) = topic.json("vae.json", |v| v["cases"][0].get("z").is_some()) else {
        return report.skip("no VAE cases");
    };
    let Some(golden) = common::tensor_files(topic, ".logvar").into_iter().next() else {
        return report.skip("no file of VAE values");
    };
    for case in json["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let at = |part: &str| golden.at(&format!("{name}.{part}")).f32();
        let start = Instant::now();
        let (x, grid) = picture(device, case["x"].as_str().unwrap());
        let (mean, logvar) = base.vae.encode(&x, grid);
        let (mean, logvar) = (common::channels_first(&mean), common::channels_first(&logvar));
        report.within(name, "mean", max_abs(&mean, &at("mean")), 5e-5);
        report.within(name, "logvar", max_abs(&logvar, &at("logvar")), 5e-5);
        let (z, grid) = picture(device, case["z"].as_str().unwrap());
        let decoded = common::channels_first(&base.vae.decode(&z, grid, &Stop::default()).unwrap());
        report.within(name, "decoded", max_abs(&decoded, &at("decoded")), 5e-5);
        say(&format!("VAE {name} both ways"), start);
        report.ran();
    }
}

fn unet(topic: &Topic, base: &Base, device: &Device, report: &mut Report) {
    for path in topic.files("json") {
        let json = wayword_testing::json(&path);
        let inputs = &json["inputs"];
        let (Some(x), Some(name)) = (inputs["x"].as_str(), json["name"].as_str()) else { continue };
        let file = path.with_extension("safetensors");
        if !file.exists() {
            report.skip("no file of UNet values");
            continue;
        }
        let golden = wayword_testing::Tensors::read(&file);
        let (x, grid) = picture(device, x);
        let (upstream, _) = picture(device, inputs["upstream"].as_str().unwrap());
        let context = states(device, inputs["context"].as_str().unwrap());
        let t = [json["t"].as_f64().unwrap() as f32];
        let start = Instant::now();
        let tape = Tape::new(Memory::Keep);
        let (x, context) = (tape.watch(&x), tape.watch(&context));
        let model = base.activate(&[]).unwrap();
        let out = model.unet().forward(&x, grid, &t, &context).unwrap();
        let got = common::channels_first(&out);
        say(&format!("UNet {name} forward"), start);
        let start = Instant::now();
        let grads = tape.backward(&out, &upstream);
        let dx = common::channels_first(grads.of(&x).unwrap());
        let dc = grads.of(&context).unwrap().to_host().unwrap();
        say(&format!("UNet {name} backward"), start);
        for (part, got) in [("out", &got), ("grad_x", &dx)] {
            if let Some(want) = golden.get(part) {
                report.within(name, part, relative_l2(got, &want.f32()), 3e-5);
            }
            for stride in 2..=16 {
                if let Some(want) = golden.get(&format!("{part}_strided{stride}")) {
                    let got = strided(got, grid, stride);
                    report.within(name, part, relative_l2(&got, &want.f32()), 3e-5);
                }
            }
        }
        let want = golden.at("grad_context").f32();
        report.within(name, "grad_context", relative_l2(&dc, &want), 3e-5);
        report.ran();
    }
}
