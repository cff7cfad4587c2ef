//! How near picks come to the best step: the tables of picks in `docs/quality.md`.
//!
//! `cargo run --release -p wayword-train --example picks -- [concepts=choose|report|NAME,NAME]
//! [seeds=1,2] [steps=1000] [every=40] [fidelity=no|picks] [precision=f32] [keep=DIR] [file=FILE]
//! [OPTION=VALUE]`
//!
//! For each concept and seed one training; its truth is the similarity (and fidelity) of every
//! `every`th step, of 16 (and 32) pictures as in the other tables; then `pick` chooses with and
//! without the image encoder. With `fidelity=picks` only that of the picks and of the last step is
//! drawn. With `keep` the runs and their truth stay in DIR, and a changed rule is judged again without
//! training or drawing the truth. Other options are those of a training.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures may panic and prints its tables"
)]
#[path = "../tests/common/studio.rs"]
mod studio;

use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use studio::{Concept, Studio, concepts};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::{Quiet, Stop};
use wayword_tensor::{CpuOptions, Precision, cpu};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions};
use wayword_train::pick::{self, By, Candidate, PickOptions};
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::training_loop::{self, RunOptions};
use wayword_train::{TrainOptions, TrainPlan};

/// Samples of the loss whose correlation with the truth is measured, beside those that a pick takes.
const SAMPLES: [usize; 2] = [8, 32];

/// A number of a candidate that may tell how good it is.
type Score = fn(&Candidate) -> f64;

struct Asked {
    options: Map<String, Value>,
    concepts: String,
    seeds: Vec<u64>,
    steps: usize,
    every: usize,
    /// `yes`, `picks` or `no`.
    fidelity: String,
    precision: Precision,
    keep: Option<PathBuf>,
    file: Option<PathBuf>,
}

impl Asked {
    fn read() -> Self {
        let mut asked = Self {
            options: Map::new(),
            concepts: "all".into(),
            seeds: vec![1],
            steps: 1000,
            every: 40,
            fidelity: "yes".into(),
            precision: Precision::best(),
            keep: None,
            file: None,
        };
        for argument in std::env::args().skip(1) {
            let (name, value) = argument.split_once('=').expect("NAME=VALUE");
            match name {
                "concepts" => asked.concepts = value.into(),
                "seeds" => asked.seeds = value.split(',').map(|n| n.parse().unwrap()).collect(),
                "steps" => asked.steps = value.parse().unwrap(),
                "every" => asked.every = value.parse().unwrap(),
                "fidelity" => asked.fidelity = value.into(),
                "precision" if value == "f32" => asked.precision = Precision::F32,
                "precision" => asked.precision = Precision::Bf16,
                "keep" => asked.keep = Some(value.into()),
                "file" => asked.file = Some(value.into()),
                _ => {
                    let parsed = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                    asked.options.insert(name.into(), parsed);
                }
            }
        }
        asked
    }
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo")
}

/// The rank correlation of two lists, Spearman's.
fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |v: &f64| {
            let below = values.iter().filter(|other| *other < v).count();
            let equal = values.iter().filter(|other| *other == v).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(a, b)| f(*a, *b)).sum::<f64>();
    let both = sum(&|a, b| (a - mean) * (b - mean));
    both / (sum(&|a, _| (a - mean).powi(2)) * sum(&|_, b| (b - mean).powi(2))).sqrt()
}

/// What is really so of a run's steps; each is drawn once and kept in a file.
struct Truth<'a> {
    studio: &'a Studio<'a>,
    name: String,
    kept: KeptVectors,
    references: Vec<Vec<f32>>,
    with_fidelity: bool,
    file: PathBuf,
    /// Similarity and fidelity by the steps' name.
    known: RefCell<BTreeMap<String, f64>>,
}

impl Truth<'_> {
    fn of(&self, key: String, measure: impl FnOnce() -> f64) -> f64 {
        if let Some(value) = self.known.borrow().get(&key) {
            return *value;
        }
        let value = measure();
        self.known.borrow_mut().insert(key, value);
        std::fs::write(&self.file, serde_json::to_string(&self.known).unwrap()).unwrap();
        value
    }

    fn similarity(&self, steps: StepChoice) -> f64 {
        self.of(steps.to_string(), || {
            let words = self.studio.with(&self.name, &self.kept.of(&self.name, steps).unwrap());
            self.studio.similarity(&words, &self.name, &self.references)
        })
    }

    fn fidelity(&self, steps: StepChoice) -> Option<f64> {
        let measure = || {
            let words = self.studio.with(&self.name, &self.kept.of(&self.name, steps).unwrap());
            self.studio.fidelity(&words, &self.name)
        };
        self.with_fidelity.then(|| self.of(format!("{steps} fidelity"), measure))
    }
}

fn trained(base: &Base, asked: &Asked, concept: &Concept, seed: u64, out: &Path) -> PathBuf {
    let mut options = json!({
        "images": [concept.folder], "name": format!("{}-ti", concept.name), "seed": seed,
        "steps": asked.steps, "save_every": 0, "out": out,
    });
    for (field, value) in &asked.options {
        options[field] = value.clone();
        if field == "recipe" || field == "budget" {
            options.as_object_mut().unwrap().remove("steps");
        }
    }
    let options: TrainOptions = serde_json::from_value(options).unwrap();
    let plan = TrainPlan::check(&options, &base.info).unwrap();
    if !plan.run().exists() {
        let (quiet, stop) = (Quiet, Stop::default());
        training_loop::train(base, &plan, RunOptions::default(), &quiet, &stop).unwrap();
    }
    plan.run()
}

fn measure(
    base: &Base,
    studio: &Studio<'_>,
    judge: &dyn ImageEncoder,
    asked: &Asked,
    (concept, seed): (&Concept, u64),
) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let out = asked.keep.as_deref().unwrap_or(dir.path());
    let out = out.join(format!("{}-{seed}", concept.name));
    let run = trained(base, asked, concept, seed, &out);
    let kept = KeptVectors::open(&run).unwrap();
    let last = kept.last();
    let file = out.join("truth.json");
    let known = std::fs::read(&file).map(|text| serde_json::from_slice(&text).unwrap());
    let truth = Truth {
        studio,
        name: format!("{}-ti", concept.name),
        kept,
        references: studio.references(&concept.folder),
        with_fidelity: asked.fidelity != "no",
        file,
        known: RefCell::new(known.unwrap_or_default()),
    };
    let steps: Vec<StepChoice> =
        (1..=last / asked.every).map(|i| StepChoice::One(i * asked.every)).collect();
    let similarities: Vec<f64> = steps.iter().map(|step| truth.similarity(*step)).collect();
    let all = asked.fidelity == "yes";
    let fidelities = steps.iter().map(|step| all.then(|| truth.fidelity(*step)).flatten());
    let fidelities: Option<Vec<f64>> = fidelities.collect();
    let mut correlations = Map::new();
    let mut scores = Vec::new();
    for samples in SAMPLES {
        let (start, found) = pick::scores(base, &run, &steps, samples).unwrap();
        correlated(samples, &found, &similarities, fidelities.as_deref(), &mut correlations);
        scores.push(json!({ "samples": samples, "start": start, "found": found }));
    }
    let mut picks = Map::new();
    for (title, judge, by) in [
        ("judged, balance", Some(judge), By::Balance),
        ("judged, similarity", Some(judge), By::Similarity),
        ("no judge, balance", None, By::Balance),
        ("no judge, similarity", None, By::Similarity),
    ] {
        let draw = if judge.is_some() { 3 } else { 0 };
        let options = PickOptions { by, draw, cfg: 4.0, judge, write: false };
        let (pick, _) = pick::pick(base, &run, options, &Quiet, &Stop::default()).unwrap().unwrap();
        let found = json!({
            "chosen": pick.chosen, "similarity": truth.similarity(pick.chosen),
            "fidelity": truth.fidelity(pick.chosen), "cost": pick.evaluations,
            "verdict": pick.verdict, "start": pick.start, "candidates": pick.candidates,
        });
        picks.insert(title.into(), found);
    }
    let best = similarities.iter().copied().fold(f64::MIN, f64::max);
    json!({
        "concept": concept.title(), "seed": seed, "best": best, "steps": steps,
        "truth": similarities, "fidelities": fidelities,
        "last": truth.similarity(StepChoice::One(last)),
        "last_fidelity": truth.fidelity(StepChoice::One(last)), "picks": picks, "scores": scores,
        "correlations": correlations,
    })
}

/// The rank correlation of each score with the similarity, and of fidelity with fidelity.
fn correlated(
    samples: usize,
    found: &[Candidate],
    similarities: &[f64],
    fidelities: Option<&[f64]>,
    into: &mut Map<String, Value>,
) {
    let scores: [(&str, Score); 7] = [
        ("loss", |c| -c.loss),
        ("loss, little noise", |c| -c.loss_by_timestep[0]),
        ("loss, middling noise", |c| -c.loss_by_timestep[1]),
        ("loss, much noise", |c| -c.loss_by_timestep[2]),
        ("norm, less is better", |c| -c.norm),
        ("drift, less is better", |c| -c.drift),
        ("later is better", |c| c.steps.middle() as f64),
    ];
    for (name, score) in scores {
        if name.starts_with("loss") || samples == SAMPLES[0] {
            let name = if name.starts_with("loss") {
                format!("{name}, {samples} samples")
            } else {
                name.to_owned()
            };
            let score: Vec<f64> = found.iter().map(score).collect();
            into.insert(name, rank_correlation(&score, similarities).into());
        }
    }
    let score: Vec<f64> = found.iter().map(|c| c.fidelity).collect();
    into.insert("fidelity (with similarity)".into(), rank_correlation(&score, similarities).into());
    if let Some(truth) = fidelities {
        into.insert("fidelity (with fidelity)".into(), rank_correlation(&score, truth).into());
    }
}

fn main() {
    let asked = Asked::read();
    let device =
        cpu(CpuOptions { precision: asked.precision, threads: Some(1), ..CpuOptions::default() });
    let model = BaseOptions::new(demo().join("wayword-mini.safetensors"), &device);
    let base = Base::load(&model, &Quiet).unwrap();
    let studio = Studio::new(&base, &demo());
    let judge =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    let mut lines: Vec<Value> = Vec::new();
    let all = concepts(&demo());
    let all = all.iter().filter(|concept| !concept.is_style()).enumerate();
    let wanted: Vec<&Concept> = all
        .filter(|(place, concept)| concept.is_wanted(*place, &asked.concepts))
        .map(|(_, concept)| concept)
        .collect();
    for (seed, concept) in
        asked.seeds.iter().flat_map(|seed| wanted.iter().map(move |concept| (*seed, *concept)))
    {
        let found = measure(&base, &studio, &judge, &asked, (concept, seed));
        if let Some(path) = &asked.file {
            let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
            writeln!(file, "{found}").unwrap();
        }
        lines.push(found);
        println!("{} seed {seed}", concept.title());
    }
    table(&asked, &lines);
}

fn table(asked: &Asked, lines: &[Value]) {
    let Some(first) = lines.first() else { return };
    let titles: Vec<&String> = first["picks"].as_object().unwrap().keys().collect();
    let number = |value: &Value| value.as_f64().unwrap();
    println!("\nThe best is that of every {}th step.\n", asked.every);
    let columns: Vec<(String, Vec<f64>)> = std::iter::once("last step".to_owned())
        .chain(titles.iter().map(|title| (*title).clone()))
        .map(|title| {
            let score = |line: &Value| match title.as_str() {
                "last step" => number(&line["last"]),
                pick => number(&line["picks"][pick]["similarity"]),
            };
            (title.clone(), lines.iter().map(score).collect())
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|(title, _)| title.as_str()).collect();
    println!("| concept | seed | best | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    for (place, line) in lines.iter().enumerate() {
        let cell = |(title, values): &(String, Vec<f64>)| {
            let chosen = line["picks"][title.as_str()]["chosen"].as_str();
            let chosen = chosen.map_or_else(String::new, |step| format!(" ({step})"));
            format!("{:.3}{chosen}", values[place])
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let concept = line["concept"].as_str().unwrap();
        let best = number(&line["best"]);
        println!("| {concept} | {} | {best:.3} | {} |", line["seed"], cells.join(" | "));
    }
    let below = |values: &[f64]| -> Vec<f64> {
        lines.iter().zip(values).map(|(line, v)| number(&line["best"]) - v).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let most = |values: &[f64]| values.iter().copied().fold(f64::MIN, f64::max);
    for (title, of) in [("mean", &mean as &dyn Fn(&[f64]) -> f64), ("most", &most)] {
        let cells = columns.iter().map(|(_, values)| format!("{:.3}", of(&below(values))));
        println!("| below the best, {title} | | | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    println!("\n| score | rank correlation with the truth, mean | least |\n|---|---|---|");
    for name in first["correlations"].as_object().unwrap().keys() {
        let values: Vec<f64> =
            lines.iter().filter_map(|line| line["correlations"][name].as_f64()).collect();
        let least = values.iter().copied().fold(f64::MAX, f64::min);
        println!("| {name} | {:.2} | {least:.2} |", mean(&values));
    }
    let costs = |part: &str| -> Vec<f64> {
        let share = |line: &Value| {
            let cost = &line["picks"]["judged, balance"]["cost"];
            number(&cost[part]) / number(&cost["run"])
        };
        lines.iter().map(share).collect()
    };
    println!(
        "\nscores {:.3}, drawing {:.3} of the run",
        most(&costs("scores")),
        most(&costs("drawing"))
    );
}
