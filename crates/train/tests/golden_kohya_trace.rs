//! Training steps against those of kohya's sd-scripts: the same latents, noise, noise levels and
//! token ids must give the same loss, gradients and rows.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
use serde_json::Value;
use std::path::Path;
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::Quiet;
use wayword_tensor::{CpuOptions, Grid, Memory, Precision, cpu};
use wayword_testing::{Report, Tensors, Topic, max_abs, relative_l2, tiny_model, topic};
use wayword_train::dataset::Pixels;
use wayword_train::loss::{Difference, HuberSchedule, LossOptions, to_latent};
use wayword_train::noise_options::{self, NoiseOptions, NoiseSource, Rounding};
use wayword_train::optim::{Optimizer, Statistics};
use wayword_train::training_loop::compose::{Composer, Parts};
use wayword_train::training_loop::micro_batch::{MicroBatch, micro_step};
use wayword_train::vectors::VectorGradients;

/// The bounds of golden/README.md.
struct Limits {
    loss: f64,
    norm: f64,
    gradient: f64,
    rows: f64,
    /// Rounding is amplified from step to step.
    lax: bool,
}

impl Limits {
    /// Latents of 8 x 8 meet the lowest level as 1 x 1, and where losses are near 0 AdamW turns tiny
    /// gradients into whole steps: both amplify rounding, and README gives them wider bounds.
    fn of(case: &Case) -> Self {
        let losses = case.micros().iter().filter_map(|m| m["loss"].as_f64());
        let lax = case.smallest_side() <= 8 || losses.fold(f64::INFINITY, f64::min) < 1e-3;
        let (gradient, rows) = if lax { (2e-3, 1e-4) } else { (1e-4, 2e-5) };
        Self { loss: 1e-5, norm: 3e-5, gradient, rows, lax }
    }
}

struct Case {
    name: String,
    json: Value,
    tensors: Tensors,
}

impl Case {
    /// Every run of the topic that has both of its files.
    fn all(topic: &Topic, report: &mut Report) -> Vec<Self> {
        let mut cases = Vec::new();
        for path in topic.files("json") {
            let json = wayword_testing::json(&path);
            let tensors = path.with_extension("safetensors");
            if !json["micro"].is_array() || !json["updates"].is_array() {
                report.skip("not a run");
            } else if !tensors.exists() {
                report.skip("no file of tensors");
            } else {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                cases.push(Self { name, json, tensors: Tensors::read(&tensors) });
            }
        }
        cases
    }

    fn option(&self, name: &str) -> &Value {
        &self.json["options"][name]
    }

    fn flag(&self, name: &str) -> bool {
        self.option(name).as_bool().unwrap_or(false)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.option(name).as_f64().filter(|v| *v != 0.0)
    }

    fn text(&self, name: &str) -> &str {
        self.option(name).as_str().unwrap_or_default()
    }

    fn micros(&self) -> &[Value] {
        self.json["micro"].as_array().unwrap()
    }

    fn updates(&self) -> &[Value] {
        self.json["updates"].as_array().unwrap()
    }

    fn latent_names(micro: &Value) -> Vec<&str> {
        micro["latents"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect()
    }

    fn smallest_side(&self) -> usize {
        let names = self.micros().iter().flat_map(Self::latent_names);
        names.map(|n| *self.tensors.at(n).shape[1..].iter().min().unwrap()).min().unwrap()
    }

    fn share(&self) -> f32 {
        1.0 / self.number("gradient_accumulation_steps").unwrap_or(1.0) as f32
    }

    fn loss(&self) -> LossOptions {
        let number = |name, otherwise| self.option(name).as_f64().unwrap_or(otherwise);
        LossOptions {
            kind: Difference::parse(self.text("loss_type")).unwrap(),
            huber_schedule: HuberSchedule::parse(self.text("huber_schedule")).unwrap(),
            huber_c: number("huber_c", 0.1),
            huber_scale: number("huber_scale", 1.0),
            min_snr_gamma: self.number("min_snr_gamma"),
            scale_v_pred_loss_like_noise_pred: self.flag("scale_v_pred_loss_like_noise_pred"),
            v_pred_like_loss: self.number("v_pred_like_loss"),
            debiased_estimation: self.flag("debiased_estimation_loss"),
            v_prediction: self.flag("v_parameterization"),
        }
    }

    fn noise(&self) -> NoiseOptions {
        let number = |name| self.number(name).unwrap_or(0.0);
        NoiseOptions {
            offset: number("noise_offset"),
            offset_random: self.flag("noise_offset_random_strength"),
            offset_adaptive: self.number("adaptive_noise_scale"),
            multires_iterations: number("multires_noise_iterations") as u32,
            multires_discount: number("multires_noise_discount"),
            ip_gamma: number("ip_noise_gamma"),
            ip_gamma_random: self.flag("ip_noise_gamma_random_strength"),
        }
    }

    fn composer(&self) -> Composer {
        let clip_skip = self.number("clip_skip").map_or(1, |n| n as usize);
        let zero_terminal = self.flag("zero_terminal_snr");
        Composer::new(&self.loss(), zero_terminal, Rounding::F32, false, clip_skip)
    }

    /// The batch of a micro-step as kohya had it.
    fn batch(&self, composer: &Composer, index: usize, report: &mut Report) -> MicroBatch {
        let micro = &self.micros()[index];
        let names = Self::latent_names(micro);
        let shape = self.tensors.at(names[0]).shape.clone();
        let grid = Grid::new(shape[1], shape[2]);
        let latents: Vec<f32> = names.iter().flat_map(|n| self.tensors.at(n).f32()).collect();
        let noise = self.tensors.at(&format!("m{index}.noise")).f32();
        let mut perturbed = None;
        if micro["draws"].is_array() {
            let mut draws = Replayed { case: self, index, next: 0 };
            let shape = [names.len(), shape[0], shape[1], shape[2]];
            let ours = noise_options::noise(&mut draws, &latents, shape, &self.noise());
            let place = format!("{} m{index}", self.name);
            report.within(&place, "noise", max_abs(&ours, &noise), 1e-5);
            if self.noise().ip_gamma != 0.0 {
                perturbed = Some(noise_options::perturbed(&mut draws, &noise, &self.noise()));
            }
            assert_eq!(draws.next, micro["draws"].as_array().unwrap().len(), "{place}: draws");
        }
        let ids = self.tensors.at(&format!("m{index}.input_ids"));
        let masks: Vec<Option<Vec<f32>>> = match micro["masks"].as_array() {
            None => vec![None; names.len()],
            Some(masks) => masks.iter().map(|m| m.as_str().map(|m| self.mask(m, grid))).collect(),
        };
        let batch = composer.batch(Parts {
            grid,
            latents,
            noise,
            perturbed,
            timesteps: serde_json::from_value(micro["timesteps"].clone()).unwrap(),
            windows: ids.shape.iter().product::<usize>() / (names.len() * 77),
            ids: ids.i64().iter().map(|id| *id as u32).collect(),
            sample_weights: serde_json::from_value(micro["loss_weights"].clone()).unwrap(),
            masks: masks.iter().map(Option::as_deref).collect(),
        });
        if let Some(noisy) = self.tensors.get(&format!("m{index}.noisy")) {
            let place = format!("{} m{index}", self.name);
            report.within(&place, "noisy latents", max_abs(&batch.noisy, &noisy.f32()), 1e-5);
        }
        batch
    }

    fn mask(&self, name: &str, grid: Grid) -> Vec<f32> {
        let tensor = self.tensors.at(name);
        let [height, width] = tensor.shape[..] else { panic!("a mask is [height, width]") };
        let data = tensor.i64().iter().map(|v| *v as u8).collect();
        to_latent(&Pixels { width, height, channels: 1, data }, (grid.width, grid.height))
    }
}

/// The random numbers that kohya drew in a micro-step, in order.
struct Replayed<'a> {
    case: &'a Case,
    index: usize,
    next: usize,
}

impl Replayed<'_> {
    /// The next draw: its entry in the list and its stored values.
    fn take(&mut self) -> (Value, Option<Vec<f32>>) {
        let entry = self.case.micros()[self.index]["draws"][self.next].clone();
        let stored = self.case.tensors.get(&format!("m{}.draw{}", self.index, self.next));
        self.next += 1;
        (entry, stored.map(wayword_testing::HostTensor::f32))
    }
}

impl NoiseSource for Replayed<'_> {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        let (entry, stored) = self.take();
        let values = stored.unwrap_or_else(|| panic!("{}: draw {entry} is stored", self.case.name));
        assert_eq!(values.len(), count, "{}: draw {entry}", self.case.name);
        values
    }

    fn next_f64(&mut self) -> f64 {
        let (entry, stored) = self.take();
        let number = entry[1].as_f64().or_else(|| stored.map(|v| f64::from(v[0])));
        number.unwrap_or_else(|| panic!("{}: draw {entry} is stored", self.case.name))
    }
}

fn load(path: &Path) -> Base {
    let device = cpu(CpuOptions { precision: Precision::F32, ..CpuOptions::default() });
    Base::load(&BaseOptions::new(path, &device), &Quiet).unwrap()
}

#[test]
fn golden_kohya_trace_steps() {
    let Some(topic) = topic("kohya-trace") else { return };
    let mut report = Report::new("golden_kohya_trace_steps");
    let base = load(&tiny_model().join("model_ldm_fp16.safetensors"));
    for case in Case::all(&topic, &mut report) {
        replay(&base, &case, &mut report);
        report.ran();
    }
    report.finish();
}

/// Follows a run. Rows go their own way from the first step to the last where the optimizer works
/// number by number, else they are kohya's after every step. Where rounding is amplified, losses
/// and gradients are compared at kohya's rows and the own way is walked beside.
fn replay(base: &Base, case: &Case, report: &mut Report) {
    let limits = Limits::of(case);
    let model = &base.activate(&[]).unwrap();
    let width = base.info.token_width;
    let composer = case.composer();
    let mut rows = case.tensors.at("init_rows").f32();
    let mut walked = rows.clone();
    let name = case.text("optimizer_type");
    let walks = matches!(name.to_lowercase().as_str(), "" | "adamw");
    let args: Vec<String> =
        serde_json::from_value(case.option("optimizer_args").clone()).unwrap_or_default();
    // Adafactor keeps its rate in the scheduler's name; it is only shown.
    let rate = case.number("learning_rate").unwrap_or(1e-3);
    let shape = (rows.len() / width, width);
    let mut optimizer = Optimizer::new(name, &args, rate, shape, Statistics::NewRows).unwrap();
    let max_norm = case.number("max_grad_norm").unwrap_or(0.0);
    let first = model.text().vocabulary() as u32;
    let mut next = 0;
    for (u, update) in case.updates().iter().enumerate() {
        let last = update["last_micro"].as_u64().unwrap() as usize;
        let batches: Vec<MicroBatch> =
            (next..=last).map(|m| case.batch(&composer, m, report)).collect();
        let gradients = |rows: &[f32]| {
            let mut sum = VectorGradients::new(first, shape.0, width, true);
            let mut losses = Vec::new();
            for batch in &batches {
                let got = micro_step(model, rows, batch, case.share(), Memory::Keep).unwrap();
                sum.add(&batch.ids, &got.gradient);
                losses.push(got.loss);
            }
            let norm = sum.clip(max_norm);
            (losses, norm, sum)
        };
        let at = if walks && !limits.lax { &walked } else { &rows };
        let (losses, norm, mut got) = gradients(at);
        for (m, loss) in (next..).zip(losses) {
            let want = case.micros()[m]["loss"].as_f64().unwrap();
            let difference = (f64::from(loss) - want).abs() / want.max(1.0);
            report.within(&format!("{} m{m}", case.name), "loss", difference, limits.loss);
        }
        let place = format!("{} u{u}", case.name);
        let want = update["grad_norm"].as_f64().unwrap();
        report.within(&place, "gradient norm", (norm - want).abs() / want, limits.norm);
        let want = case.tensors.at(&format!("u{u}.grad_rows")).f32();
        let none = want.iter().all(|g| *g == 0.0);
        let difference = if none { max_abs } else { relative_l2 };
        let difference = difference(&got.new, &want);
        report.within(&place, "gradient of the rows", difference, limits.gradient);
        rows = case.tensors.at(&format!("u{u}.rows")).f32();
        if walks {
            if limits.lax {
                got = gradients(&walked).2;
            }
            optimizer.step(&mut walked, &got.new, &got.others, update["lr"].as_f64().unwrap());
            report.within(&place, "rows", max_abs(&walked, &rows), limits.rows);
        }
        next = last + 1;
    }
}
