//! Samplers against A1111's (golden topic `samplers`): on an analytic model, and on the tiny UNet.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and says what ran")]
mod common;
#[path = "samplers/run.rs"]
mod run;

use run::{Conds, Eps, judge};
use serde_json::Value;
use wayword_diffusion::conditioning::{PadUncond, pad_uncond};
use wayword_diffusion::sigmas::SigmaTable;
use wayword_diffusion::unet::OddSizes;
use wayword_diffusion::{Base, pixels};
use wayword_tensor::{Grid, Shape, Tensor};
use wayword_testing::{Report, Tensors, max_abs, topic};

/// The posterior mean of a mixture of three Gaussians per channel, as the topic's README has it:
/// the noise in `x_in` at a fractional training step, for condition `c`.
fn analytic(logs: &[f32], x_in: &[f32], t: f32, c: f64, channels: usize) -> Vec<f32> {
    let (low, high) = (t.floor() as usize, (t.ceil() as usize).min(logs.len() - 1));
    let w = f64::from(t) - low as f64;
    let sigma = ((1.0 - w) * f64::from(logs[low]) + w * f64::from(logs[high])).exp();
    let plane = x_in.len() / channels;
    let means = [-1.5, 0.2, 1.1];
    // The peer holds conditions in f32.
    let c = f64::from(c as f32);
    let lean = [c, 0.0, -c];
    let (s2, v) = (0.25 * 0.25, 0.25 * 0.25 + sigma * sigma);
    x_in.iter()
        .enumerate()
        .map(|(i, value)| {
            let x = f64::from(*value) * (sigma * sigma + 1.0).sqrt();
            let mean = |k: usize| means[k] + 0.15 * (i / plane) as f64;
            let logit = |k: usize| lean[k] - (x - mean(k)).powi(2) / (2.0 * v);
            let most = (0..3).map(logit).fold(f64::MIN, f64::max);
            let r: Vec<f64> = (0..3).map(|k| (logit(k) - most).exp()).collect();
            let clean: f64 =
                (0..3).map(|k| r[k] * (x * s2 + mean(k) * sigma * sigma) / v).sum::<f64>()
                    / r.iter().sum::<f64>();
            ((x - clean) / sigma) as f32
        })
        .collect()
}

/// The analytic model's conditions by number, as the README names them.
const ANALYTIC: [f64; 5] = [1.5, -0.7, -2.0, 0.3, -1.0];
const MINUS: usize = ANALYTIC.len();

fn analytic_conds(name: &str) -> Option<Conds> {
    let always = |c| vec![(usize::MAX, c)];
    let parts = match name {
        "plain" | "len2" => vec![(1.0, always(0))],
        "and" => vec![(1.0, always(0)), (-0.5, always(2)), (0.8, always(3))],
        "sched" => vec![(1.0, vec![(3, 0), (10, 4)])],
        "alt" => vec![(1.0, (1..=8).map(|s| (s, if s % 2 == 1 { 0 } else { MINUS })).collect())],
        _ => return None,
    };
    Some(Conds { parts, uncond: 1 })
}

#[test]
fn golden_samplers_analytic() {
    let Some(topic) = topic("samplers") else { return };
    let test = "golden_samplers_analytic";
    let Some(file) = topic.tensors("analytic.safetensors") else {
        println!("{test}: ran 0, skipped 1: no file analytic.safetensors");
        return;
    };
    // The analytic model is defined by the peer's own table.
    let sigmas = topic.file("../sigmas/sigmas.safetensors").map(|path| Tensors::read(&path));
    let logs = sigmas.and_then(|file| Some(file.get("model.log_sigmas")?.f32()));
    let logs = logs.unwrap_or_else(|| SigmaTable::sd().log_sigmas().to_vec());
    let conds = |case: &Value| {
        let conds = analytic_conds(case["conds"].as_str()?)?;
        let shape = &file.get(&format!("{}.noise0", case["id"].as_str()?))?.shape;
        let (channels, each) = (shape[1], shape[1..].iter().product::<usize>());
        let logs = &logs;
        let eps = move |x: &[f32], t: f32, cond: usize| -> Vec<f32> {
            let c = ANALYTIC.get(cond).copied().unwrap_or(-1.5);
            x.chunks(each).flat_map(|x| analytic(logs, x, t, c, channels)).collect()
        };
        Some((conds, Box::new(eps) as Box<Eps<'_>>))
    };
    let stated = |steps: u64, _: &[f32]| if steps < 3 { 5e-5 } else { 2e-5 };
    judge(test, &topic, "analytic", &file, conds, 2.0 * f32::EPSILON, stated);
}

/// The tiny UNet's prediction for pictures of one size, all with the same hidden states.
fn tiny_eps(base: &Base, x: &[f32], grid: Grid, t: f32, states: &[f32]) -> Vec<f32> {
    let (device, width) = (base.device(), base.info.token_width);
    let pictures = x.len() / (4 * grid.tokens());
    let all = states.repeat(pictures);
    let shape = Shape::new(pictures, states.len() / width, width);
    let context = Tensor::from_host(device, shape, &all).unwrap();
    let x = pixels::to_device(device, x, pictures, 4, grid).unwrap();
    let odd = OddSizes::ConvThenResize;
    let model = base.activate(&[]).unwrap();
    let out = model.unet().forward_odd(&x, grid, &vec![t; pictures], &context, odd).unwrap();
    pixels::to_planes(&out).unwrap()
}

#[test]
fn golden_samplers_tiny_unet_calls() {
    let Some(topic) = topic("samplers") else { return };
    let test = "golden_samplers_tiny_unet_calls";
    let Some(file) = topic.tensors("tiny_unet.safetensors") else {
        println!("{test}: ran 0, skipped 1: no file tiny_unet.safetensors");
        return;
    };
    let mut report = Report::new(test);
    let base = common::tiny();
    let states = ["cond.A", "cond.U"].map(|name| file.at(name).f32());
    for name in file.names().filter_map(|n| n.strip_suffix(".eps")) {
        let (x, t) = (file.at(&format!("{name}.x")), file.at(&format!("{name}.t")).f32());
        let grid = Grid::new(x.shape[2], x.shape[3]);
        let each = x.f32().len() / x.shape[0];
        let ours: Vec<f32> = x
            .f32()
            .chunks_exact(each)
            .zip(&t)
            .zip(states.iter().cycle())
            .flat_map(|((x, t), states)| tiny_eps(&base, x, grid, *t, states))
            .collect();
        let expected = file.at(&format!("{name}.eps")).f32();
        report.within(name, "eps", max_abs(&ours, &expected), 1e-4);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_samplers_tiny_unet() {
    let Some(topic) = topic("samplers") else { return };
    let test = "golden_samplers_tiny_unet";
    let Some(file) = topic.tensors("tiny_unet.safetensors") else {
        println!("{test}: ran 0, skipped 1: no file tiny_unet.safetensors");
        return;
    };
    let base = common::tiny();
    let width = base.info.token_width;
    let get = |name: &str| file.at(name).f32();
    let conds = |case: &Value| {
        // Conditions by number: the prompt, the negative prompt, the second part.
        let empty = get("cond.empty");
        let (mut cond, mut uncond) = (get("cond.A"), get("cond.U"));
        let mut conds = Conds::one(0, 1);
        match case["conds"].as_str()? {
            "plain" => {}
            "len2" => cond = get("cond.A2"),
            "and" => conds.parts.push((-0.4, vec![(usize::MAX, 2)])),
            _ => return None,
        }
        let option = |key: &str| case["options"][key].as_bool().unwrap_or(false);
        let how = match (option("pad_cond_uncond"), option("pad_cond_uncond_v0")) {
            (true, _) => PadUncond::Empty,
            (_, true) => PadUncond::Repeat,
            _ => PadUncond::Off,
        };
        pad_uncond(&mut cond, &mut uncond, &empty, width, how);
        let shape = &file.get(&format!("{}.noise0", case["id"].as_str()?))?.shape;
        let grid = Grid::new(shape[2], shape[3]);
        let (base, states) = (&base, [cond, uncond, empty]);
        let eps = move |x: &[f32], t: f32, cond: usize| tiny_eps(base, x, grid, t, &states[cond]);
        Some((conds, Box::new(eps) as Box<Eps<'_>>))
    };
    let stated = |_: u64, expected: &[f32]| {
        1e-5 * f64::from(expected.iter().fold(0.0f32, |m, v| m.max(v.abs())))
    };
    // At the smallest level the tiny net norms groups of two values, which makes 1000 of a last
    // bit where the two are nearly equal; the sums before it differ between programs by this much.
    judge(test, &topic, "tiny-unet", &file, conds, 2e-6, stated);
}
