//! Runs one case of the golden topic `samplers` with any model.
#![allow(unreachable_pub, reason = "a part of a test")]
use serde_json::Value;
use std::convert::Infallible;
use std::ops::ControlFlow;
use wayword_diffusion::brownian::BrownianNoise;
use wayword_diffusion::image_rng::{ImageRng, ImageRngOptions};
use wayword_diffusion::samplers::{
    BatchNoise, Denoiser, NoiseSource, Predicted, Predictor, SamplerOptions, Sampling, StepInfo,
    UniPcOptions, UniPcSpacing, UniPcVariant, guide, image_start, image_start_timesteps,
    lcm_denoised, sample_sigmas, sample_timesteps, text_start,
};
use wayword_diffusion::sigmas::{
    SamplerInfo, SamplerKind, Schedule, ScheduleOptions, SigmaTable, ddim_timesteps, img2img_steps,
    resolve,
};
use wayword_tensor::random::{NoiseKind, TorchGenerator};
use wayword_testing::{Report, Tensors, Topic, max_abs};

/// Conditions per call: parts with weights, each a schedule of (end, condition). A condition is a
/// number that the model understands.
#[derive(Clone)]
pub struct Conds {
    pub parts: Vec<(f64, Vec<(usize, usize)>)>,
    pub uncond: usize,
}

impl Conds {
    /// One prompt that never changes.
    pub fn one(cond: usize, uncond: usize) -> Self {
        Self { parts: vec![(1.0, vec![(usize::MAX, cond)])], uncond }
    }

    /// The parts at a call: the first entry that has not ended, else the first of all.
    fn at(&self, call: usize) -> Vec<(f64, usize)> {
        let pick = |schedule: &[(usize, usize)]| {
            schedule.iter().find(|(end, _)| call <= *end).unwrap_or(&schedule[0]).1
        };
        self.parts.iter().map(|(weight, schedule)| (*weight, pick(schedule))).collect()
    }
}

/// The noise that a model sees in latents (scaled as it wants them) at a training step, given a
/// condition.
pub type Eps<'a> = dyn Fn(&[f32], f32, usize) -> Vec<f32> + 'a;

struct Model<'a> {
    eps: &'a Eps<'a>,
    /// The relative difference of inputs that roundings inside the model amount to.
    rounding: f32,
    steps_table: SigmaTable,
    lcm: bool,
    conds: Conds,
    cfg: f64,
    /// Share of the calls that see only the prompt.
    skip_early: f64,
    total: usize,
    mask: Option<(Vec<f32>, Vec<f32>)>,
    /// What the peer's model was asked: levels and, where the file has them, latents.
    asked: Asked,
    calls: Vec<f64>,
    /// Largest difference of an input from the peer's, relative to its largest value.
    worst_input: f64,
    /// Moves the inputs of every call by the rounding.
    jitter: Option<TorchGenerator>,
}

/// What the peer's model was asked, call by call.
#[derive(Default, Clone)]
struct Asked {
    levels: Vec<f64>,
    latents: Vec<Vec<f32>>,
}

impl Model<'_> {
    /// Counts a call and gives its inputs: the peer's own, where ours are equal but for rounding.
    /// The mixture is undecided in places, and there one call makes 1e-4 of the last bit, in which
    /// the peer's roots and logarithms differ from all others.
    fn ask(&mut self, x: &[f32], level: f32) -> (Vec<f32>, f32) {
        let call = self.calls.len();
        self.calls.push(f64::from(level));
        if let Some(random) = &mut self.jitter {
            let rounding = self.rounding;
            let mut moved = |v: f32| v * (1.0 + (random.uniform() - 0.5) * 2.0 * rounding);
            let level = moved(level);
            return (x.iter().map(|v| moved(*v)).collect(), level);
        }
        let near = |a: f64, b: f64, scale: f64| (a - b).abs() <= 2e-3 * scale;
        let given = self.asked.levels.get(call).copied();
        let level = given.filter(|l| near(*l, f64::from(level), *l)).map_or(level, |l| l as f32);
        let Some(latents) = self.asked.latents.get(call) else { return (x.to_vec(), level) };
        let most = latents.iter().fold(1.0f32, |m, v| m.max(v.abs()));
        let difference = max_abs(x, latents) / f64::from(most);
        self.worst_input = self.worst_input.max(difference);
        if difference <= 2e-5 { (latents.clone(), level) } else { (x.to_vec(), level) }
    }

    fn blend(&self, x: &[f32]) -> Vec<f32> {
        let Some((nmask, init)) = &self.mask else { return x.to_vec() };
        let at = |v: &[f32], i: usize| v[i % v.len()];
        (0..x.len()).map(|i| x[i] * at(nmask, i) + at(init, i) * (1.0 - at(nmask, i))).collect()
    }

    /// The guided output and the one without prompt, given how one output is made.
    fn both(&self, one: impl Fn(usize) -> Vec<f32>, cfg: f64) -> (Vec<f32>, Vec<f32>) {
        let call = self.calls.len() - 1;
        let parts: Vec<(f64, Vec<f32>)> =
            self.conds.at(call).into_iter().map(|(w, c)| (w, one(c))).collect();
        let early = self.skip_early > 0.0 && call as f64 / self.total as f64 <= self.skip_early;
        let uncond = if early { parts[0].1.clone() } else { one(self.conds.uncond) };
        let refs: Vec<(f64, &[f32])> = parts.iter().map(|(w, v)| (*w, v.as_slice())).collect();
        (guide(&uncond, &refs, cfg), uncond)
    }
}

impl Denoiser for Model<'_> {
    type Error = Infallible;

    fn denoise(&mut self, x: &[f32], sigma: f32) -> Result<Vec<f32>, Infallible> {
        let (x, sigma) = self.ask(x, sigma);
        let x = x.as_slice();
        let t = self.steps_table.sigma_to_t(sigma);
        let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
        let x_in: Vec<f32> = x.iter().map(|v| v * scale).collect();
        let (guided, _) = self.both(
            |c| {
                let eps = (self.eps)(&x_in, t, c);
                if self.lcm {
                    return lcm_denoised(x, &eps, sigma, t);
                }
                x.iter().zip(&eps).map(|(x, e)| x - sigma * e).collect()
            },
            self.cfg,
        );
        Ok(self.blend(&guided))
    }
}

impl Predictor for Model<'_> {
    type Error = Infallible;

    fn predict(&mut self, x: &[f32], t: f32, scale: f64) -> Result<Predicted, Infallible> {
        let (x, t) = self.ask(x, t);
        let x = self.blend(&x);
        let (guided, uncond) = self.both(|c| (self.eps)(&x, t, c), self.cfg * scale);
        Ok(Predicted { guided, uncond })
    }
}

/// A batch's noise, with the file's own where it has it: then all sampling starts from equal bits.
struct Noise {
    own: BatchNoise,
    given: Vec<Vec<f32>>,
    given_draws: Vec<Vec<f32>>,
    draws: usize,
    queries: Vec<(f32, f32)>,
    /// The peer's queries.
    asked: Vec<(f32, f32)>,
}

impl NoiseSource for Noise {
    fn draw(&mut self) -> Vec<f32> {
        self.draws += 1;
        let own = self.own.draw();
        self.given_draws.get(self.draws - 1).cloned().unwrap_or(own)
    }

    fn between(&mut self, from: f32, to: f32) -> Vec<f32> {
        let query = self.queries.len();
        self.queries.push((from, to));
        // A tree's times are rounded to six decimals: the peer's own last bits decide.
        let near = |a: f32, b: f32| (a - b).abs() <= 2e-6 * b;
        let own = self.asked.get(query).filter(|q| near(q.0, from) && near(q.1, to));
        let (from, to) = own.copied().unwrap_or((from, to));
        let given = self.given.get(query).cloned();
        given.unwrap_or_else(|| self.own.between(from, to))
    }
}

fn number(case: &Value, key: &str) -> Option<f64> {
    case.get(key).and_then(Value::as_f64)
}

fn integers(value: &Value) -> Vec<i64> {
    let read = |v: &Value| v.as_i64().or_else(|| v.as_u64().map(|u| u as i64)).unwrap();
    value.as_array().into_iter().flatten().map(read).collect()
}

fn sampler_options(case: &Value) -> SamplerOptions {
    let options = &case["options"];
    let most = number(case, "s_tmax").filter(|v| *v > 0.0).unwrap_or(f64::INFINITY);
    let default = UniPcOptions::default();
    SamplerOptions {
        eta: number(case, "eta"),
        churn: number(case, "s_churn").unwrap_or(0.0),
        churn_min: number(case, "s_tmin").unwrap_or(0.0),
        churn_max: most,
        noise_scale: number(case, "s_noise").unwrap_or(1.0),
        unipc: UniPcOptions {
            order: options["uni_pc_order"].as_u64().map_or(default.order, |o| o as usize),
            variant: match options["uni_pc_variant"].as_str() {
                Some("bh2") => UniPcVariant::Bh2,
                Some("vary_coeff") => UniPcVariant::VaryCoeff,
                _ => UniPcVariant::Bh1,
            },
            spacing: match options["uni_pc_skip_type"].as_str() {
                Some("logSNR") => UniPcSpacing::LogSnr,
                Some("time_quadratic") => UniPcSpacing::TimeQuadratic,
                _ => UniPcSpacing::TimeUniform,
            },
            lower_order_final: options["uni_pc_lower_order_final"].as_bool().unwrap_or(true),
        },
    }
}

/// The peer's calls.
fn asked(case: &Value, file: &Tensors) -> Asked {
    let id = case["id"].as_str().unwrap();
    let levels = case["sigma_or_timestep_per_call"].as_array().into_iter().flatten();
    let level = |v: &Value| v.as_f64().unwrap_or_else(|| v[0].as_f64().unwrap());
    let mut asked = Asked { levels: levels.map(level).collect(), latents: Vec::new() };
    while let Some(latents) = file.get(&format!("{id}.x{}", asked.latents.len())) {
        asked.latents.push(latents.f32());
    }
    asked
}

/// What a case's run gave, and what the file says about it.
pub struct Outcome {
    pub latents: Vec<f32>,
    pub calls: Vec<f64>,
    pub draws: usize,
    pub queries: Vec<(f32, f32)>,
    pub worst_input: f64,
}

pub fn run(
    case: &Value,
    info: &SamplerInfo,
    conds: Conds,
    file: &Tensors,
    eps: &Eps<'_>,
    rounding: f32,
    jitter: Option<u64>,
) -> Outcome {
    let id = case["id"].as_str().unwrap();
    let schedule = case["schedule"]
        .as_str()
        .map_or(Schedule::Automatic, |name| Schedule::from_name(name).expect("a known schedule"));
    let shape = &file.at(&format!("{id}.noise0")).shape;
    let steps = case["steps"].as_u64().unwrap() as usize;
    let table = SigmaTable::sd();
    let lcm = info.kind == SamplerKind::Lcm;
    let steps_table = if lcm { table.lcm() } else { table.clone() };
    let options = &case["options"];
    let seeds = integers(&case["seeds"]);
    let kind = if options["randn_source"] == "NV" { NoiseKind::Nv } else { NoiseKind::Cpu };
    let mut rng = ImageRng::new(
        [shape[1], shape[2], shape[3]],
        &seeds,
        ImageRngOptions {
            kind,
            subseeds: integers(&case["subseeds"]),
            subseed_strength: number(case, "subseed_strength").unwrap_or(0.0) as f32,
            resize_from: None,
            later_seed_delta: options["eta_noise_seed_delta"].as_i64().unwrap_or(0),
        },
    );
    // The generators' own first noise is judged in the topic rng.
    let own_first = rng.draw();
    let given_first = file.at(&format!("{id}.noise0")).f32();
    assert!(max_abs(&own_first, &given_first) <= 1e-5, "{id}: another first noise");
    let mut first = given_first;
    let count = shape[1..].iter().product();
    let denoise = number(case, "denoise");
    let exact = options["img2img_fix_steps"].as_bool().unwrap_or(false);
    let part = denoise.map(|d| img2img_steps(steps, d, exact));
    let whole = part.map_or(steps, |p| p.steps);
    let init = file
        .get("img2img.init")
        .map_or_else(|| TorchGenerator::new(99).randn(count), wayword_testing::HostTensor::f32);
    let masked = case["masked"].as_bool().unwrap_or(false);
    if let Some(factor) = number(case, "initial_noise_multiplier") {
        first.iter_mut().for_each(|v| *v *= factor as f32);
    }
    let total = steps * if info.second_order { 2 } else { 1 };
    let mut model = Model {
        eps,
        rounding,
        steps_table: steps_table.clone(),
        lcm,
        conds,
        cfg: number(case, "cfg").unwrap_or(7.0),
        skip_early: options["skip_early_cond"].as_f64().unwrap_or(0.0),
        total,
        mask: masked.then(|| (file.at("img2img.nmask").f32(), init.clone())),
        asked: asked(case, file),
        calls: Vec::new(),
        worst_input: 0.0,
        jitter: jitter.map(TorchGenerator::new),
    };
    let extra = options["img2img_extra_noise"].as_f64().unwrap_or(0.0) as f32;
    let queries = case["brownian_queries"].as_array().into_iter();
    let level = |v: &Value| v.as_f64().unwrap() as f32;
    let own = BatchNoise { rng, paths: None };
    let mut noise = Noise {
        own,
        given: Vec::new(),
        given_draws: Vec::new(),
        draws: 1,
        queries: Vec::new(),
        asked: queries.flatten().map(|q| (level(&q[0]), level(&q[1]))).collect(),
    };
    while let Some(given) = file.get(&format!("{id}.noise{}", noise.given_draws.len())) {
        noise.given_draws.push(given.f32());
    }
    while let Some(given) = file.get(&format!("{id}.bnoise{}", noise.given.len())) {
        noise.given.push(given.f32());
    }
    let sampler_options = sampler_options(case);
    let latents = if info.on_timesteps() {
        let mut timesteps = ddim_timesteps(whole);
        let x = match part {
            None => first,
            Some(part) => {
                let alpha = table.alphas()[timesteps[part.t_enc]];
                timesteps.truncate(part.t_enc);
                image_start_timesteps(&init, &first, alpha, extra)
            }
        };
        let mut on_step = |_: StepInfo<'_>| ControlFlow::Continue(());
        let mut sampling =
            Sampling { options: &sampler_options, noise: &mut noise, on_step: &mut on_step };
        let from_image = part.is_some();
        sample_timesteps(
            info.kind,
            &mut model,
            x,
            &timesteps,
            table.alphas(),
            from_image,
            &mut sampling,
        )
        .unwrap()
    } else {
        let schedule_options = ScheduleOptions {
            discard_next_to_last: info.discard_next_to_last,
            ..ScheduleOptions::default()
        };
        let all = info.effective(schedule).sigmas(whole, &steps_table, &schedule_options);
        if info.brownian {
            let positive = all.iter().copied().filter(|s| *s > 0.0);
            let least = positive.clone().fold(f32::MAX, f32::min);
            let most = positive.fold(0.0, f32::max);
            let (least, most) = (f64::from(least), f64::from(most));
            noise.own.paths = Some(BrownianNoise::new(kind, &seeds, count, least, most));
        }
        let sigmas = match part {
            None => all.as_slice(),
            Some(part) => &all[part.steps - part.t_enc - 1..],
        };
        let sgm = options["sgm_noise_multiplier"].as_bool().unwrap_or(false);
        let x = match part {
            None => text_start(&first, sigmas[0], sgm),
            Some(_) => image_start(&init, &first, sigmas[0], extra),
        };
        let limits = part.is_none().then(|| (steps_table.sigma_min(), steps_table.sigma_max()));
        let mut on_step = |_: StepInfo<'_>| ControlFlow::Continue(());
        let mut sampling =
            Sampling { options: &sampler_options, noise: &mut noise, on_step: &mut on_step };
        sample_sigmas(info.kind, &mut model, x, sigmas, limits, &mut sampling).unwrap()
    };
    let latents = model.blend(&latents);
    Outcome {
        latents,
        worst_input: model.worst_input,
        calls: model.calls,
        draws: noise.draws,
        queries: noise.queries,
    }
}

/// Runs all cases of a model and judges finals, calls and draws.
///
/// `conds` gives a case's conditions and model, `rounding` the relative difference of inputs that
/// roundings inside the model amount to, `stated` the README's limit for a final.
pub fn judge<'a>(
    test: &str,
    topic: &Topic,
    model: &str,
    file: &Tensors,
    conds: impl Fn(&Value) -> Option<(Conds, Box<Eps<'a>>)>,
    rounding: f32,
    stated: impl Fn(u64, &[f32]) -> f64,
) {
    let mut report = Report::new(test);
    let Some(json) = topic.json("cases.json", |j| j.get("cases").is_some()) else {
        println!("{test}: ran 0, skipped 1: no file cases.json");
        return;
    };
    let mut failed = Vec::new();
    let (mut ill, mut all) = (0, 0);
    for case in json["cases"].as_array().into_iter().flatten() {
        if case["model"] != model {
            continue;
        }
        if case.get("error").is_some() {
            report.skip("A1111 fails in this case");
            continue;
        }
        let id = case["id"].as_str().unwrap();
        let (Some(expected), Some(_)) =
            (file.get(&format!("{id}.final")), file.get(&format!("{id}.noise0")))
        else {
            report.skip("no tensors of a case");
            continue;
        };
        let Some((conds, eps)) = conds(case) else {
            report.skip("conditions that the README does not define");
            continue;
        };
        let expected = expected.f32();
        let sampler = case["sampler"].as_str().unwrap();
        let (info, _) = resolve(sampler, None, true).unwrap();
        assert_eq!(info.name, sampler);
        let go = |jitter| run(case, info, conds.clone(), file, &*eps, rounding, jitter);
        let outcome = go(None);
        let adaptive = info.kind == SamplerKind::DpmAdaptive;
        let steps = case["steps"].as_u64().unwrap();
        let stated = if adaptive { 1e-2 } else { stated(steps, &expected) };
        let difference = max_abs(&outcome.latents, &expected);
        let loose = difference > stated || outcome.worst_input > 2e-5;
        // The peer's own last bits decide where the run is ill-conditioned: there nothing can be
        // asked beyond what moving the last bits does to our own run (golden/README.md, "Where the
        // peer's own rounding decides": exact arithmetic misses the limit there too).
        let limit = if loose {
            let moved = (1..=4).map(|seed| max_abs(&go(Some(seed)).latents, &outcome.latents));
            ill += 1;
            stated.max(4.0 * moved.fold(0.0, f64::max))
        } else {
            stated
        };
        let mut wrong = Vec::new();
        if difference > limit {
            wrong.push(format!("final differs by {difference:e}, limit {limit:e}"));
        }
        let levels = case["sigma_or_timestep_per_call"].as_array().unwrap();
        let levels: Vec<f64> =
            levels.iter().map(|v| v.as_f64().unwrap_or_else(|| v[0].as_f64().unwrap())).collect();
        if !adaptive {
            // Over very long steps the peer's ancestral levels lose digits to cancellation in f32.
            let share = if steps <= 3 { 2e-3 } else { 1e-5 };
            let same = |a: &f64, b: &f64| (a - b).abs() <= share * b.abs().max(1e-3);
            if outcome.calls.len() != levels.len()
                || !outcome.calls.iter().zip(&levels).all(|(a, b)| same(a, b))
            {
                wrong.push(format!("calls {:?} for {levels:?}", outcome.calls));
            }
            if Some(outcome.draws as u64) != case["noise_draws"].as_u64() {
                wrong.push(format!("{} draws for {}", outcome.draws, case["noise_draws"]));
            }
            let queries = case["brownian_queries"].as_array().map_or(0, Vec::len);
            if outcome.queries.len() != queries {
                wrong.push(format!("{} queries for {queries}", outcome.queries.len()));
            }
        }
        if wrong.is_empty() {
            let quantity = match (adaptive, loose) {
                (true, _) => "final, adaptive",
                (_, true) => "final, ill-conditioned",
                _ => "final",
            };
            report.within(id, quantity, difference, limit);
            report.ran();
        } else {
            failed.push(format!("{id} {sampler} {steps} steps: {}", wrong.join("; ")));
        }
        all += 1;
    }
    assert!(ill * 5 <= all, "{ill} of {all} runs are outside the stated limits");
    println!("{test}: {ill} of {all} runs judged by their own conditioning");
    assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
    report.finish();
}
