//! How near picks come to the best step: the table of picks in `docs/quality.md`.
//!
//! `cargo run --release -p wayword-train --example picks -- [concepts=zarva,kibosh] [seed=1]
//! [steps=1000] [every=40] [file=FILE]`
//!
//! For each concept one training; its truth is the similarity and fidelity of every `every`th step, of
//! 16 and 32 pictures as in the other tables; then `pick` chooses with and without the image encoder.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures may panic and prints its table"
)]
#[path = "../tests/common/studio.rs"]
mod studio;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use studio::{Concept, Studio, concepts};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::{Quiet, Stop};
use wayword_tensor::{CpuOptions, Precision, cpu};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions};
use wayword_train::pick::{self, By, Candidate, Pick, PickOptions};
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::training_loop::{self, RunOptions};
use wayword_train::{TrainOptions, TrainPlan};

struct Asked {
    concepts: Vec<String>,
    seed: u64,
    steps: usize,
    every: usize,
    fidelity: bool,
    file: Option<PathBuf>,
}

impl Asked {
    fn read() -> Self {
        let mut asked = Self {
            concepts: Vec::new(),
            seed: 1,
            steps: 1000,
            every: 40,
            fidelity: true,
            file: None,
        };
        for argument in std::env::args().skip(1) {
            let (name, value) = argument.split_once('=').expect("NAME=VALUE");
            match name {
                "concepts" => asked.concepts = value.split(',').map(str::to_owned).collect(),
                "seed" => asked.seed = value.parse().unwrap(),
                "steps" => asked.steps = value.parse().unwrap(),
                "every" => asked.every = value.parse().unwrap(),
                "fidelity" => asked.fidelity = value != "no",
                "file" => asked.file = Some(value.into()),
                _ => panic!("unknown argument {name}"),
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

fn one(
    base: &Base,
    studio: &Studio<'_>,
    judge: &dyn ImageEncoder,
    asked: &Asked,
    concept: &Concept,
) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{}-ti", concept.name);
    let options = TrainOptions {
        images: vec![concept.folder.clone()],
        name: Some(name.clone()),
        seed: Some(asked.seed),
        steps: Some(asked.steps),
        save_every: 0,
        out: dir.path().into(),
        ..TrainOptions::default()
    };
    let plan = TrainPlan::check(&options, &base.info).unwrap();
    let outcome =
        training_loop::train(base, &plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let kept = KeptVectors::open(&plan.run()).unwrap();
    let references = studio.references(&concept.folder);
    let similarity = |choice: StepChoice| {
        let words = studio.with(&name, &kept.of(&name, choice).unwrap());
        studio.similarity(&words, &name, &references)
    };
    let fidelity = |choice: StepChoice| {
        let words = studio.with(&name, &kept.of(&name, choice).unwrap());
        asked.fidelity.then(|| studio.fidelity(&words, &name))
    };
    let steps: Vec<usize> = (1..=asked.steps / asked.every).map(|i| i * asked.every).collect();
    let truth: BTreeMap<usize, f64> =
        steps.iter().map(|step| (*step, similarity(StepChoice::One(*step)))).collect();
    let mut picks = serde_json::Map::new();
    let mut correlations = Value::Null;
    for (title, judge, by) in [
        ("judged, balance", Some(judge), By::Balance),
        ("judged, similarity", Some(judge), By::Similarity),
        ("no judge, balance", None, By::Balance),
        ("no judge, similarity", None, By::Similarity),
    ] {
        let draw = if judge.is_some() { 3 } else { 0 };
        let options = PickOptions { by, draw, cfg: 4.0, judge, write: false };
        let (pick, _) =
            pick::pick(base, &plan.run(), options, &Quiet, &Stop::default()).unwrap().unwrap();
        if correlations.is_null() {
            correlations = correlated(&pick, &similarity, &fidelity);
        }
        let found = json!({
            "chosen": pick.chosen, "similarity": similarity(pick.chosen),
            "fidelity": fidelity(pick.chosen), "cost": pick.evaluations, "verdict": pick.verdict,
        });
        picks.insert(title.into(), found);
    }
    let best = truth.values().copied().fold(f64::MIN, f64::max);
    json!({
        "concept": concept.title(), "seed": asked.seed, "best": best, "truth": truth,
        "last": similarity(StepChoice::One(asked.steps)),
        "last_fidelity": fidelity(StepChoice::One(asked.steps)), "picks": picks,
        "correlations": correlations, "verdict": outcome.verdict,
    })
}

/// The rank correlation of each score with the truth over the single steps that were scored.
fn correlated(
    pick: &Pick,
    similarity: &dyn Fn(StepChoice) -> f64,
    fidelity: &dyn Fn(StepChoice) -> Option<f64>,
) -> Value {
    let singles: Vec<&Candidate> =
        pick.candidates.iter().filter(|c| matches!(c.steps, StepChoice::One(_))).collect();
    let of =
        |value: &dyn Fn(&Candidate) -> f64| singles.iter().map(|c| value(c)).collect::<Vec<_>>();
    let truth = of(&|c| similarity(c.steps));
    let kept: Option<Vec<f64>> = singles.iter().map(|c| fidelity(c.steps)).collect();
    json!({
        "steps": singles.iter().map(|c| c.steps.middle()).collect::<Vec<_>>(),
        "similarity": truth, "true_fidelity": kept,
        "losses": of(&|c| c.loss), "fidelities": of(&|c| c.fidelity), "norms": of(&|c| c.norm),
        "loss": rank_correlation(&of(&|c| -c.loss), &truth),
        "loss_little": rank_correlation(&of(&|c| -c.loss_by_timestep[0]), &truth),
        "loss_middling": rank_correlation(&of(&|c| -c.loss_by_timestep[1]), &truth),
        "loss_much": rank_correlation(&of(&|c| -c.loss_by_timestep[2]), &truth),
        "norm": rank_correlation(&of(&|c| -c.norm), &truth),
        "drift": rank_correlation(&of(&|c| -c.drift), &truth),
        "fidelity": kept.map(|kept| rank_correlation(&of(&|c| c.fidelity), &kept)),
    })
}

fn main() {
    let asked = Asked::read();
    let device = cpu(CpuOptions { precision: Precision::F32, ..CpuOptions::default() });
    let model = BaseOptions::new(demo().join("wayword-mini.safetensors"), &device);
    let base = Base::load(&model, &Quiet).unwrap();
    let studio = Studio::new(&base, &demo());
    let judge =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    let wanted = |concept: &&Concept| {
        !concept.is_style() && (asked.concepts.is_empty() || asked.concepts.contains(&concept.name))
    };
    println!("| concept | best of every {}th | last | judged | without a judge |", asked.every);
    println!("|---|---|---|---|---|");
    for concept in concepts(&demo()).iter().filter(wanted) {
        let found = one(&base, &studio, &judge, &asked, concept);
        let pick = |title: &str| {
            let one = &found["picks"][title];
            let similarity = one["similarity"].as_f64().unwrap();
            format!("{similarity:.3} (step {})", one["chosen"].as_str().unwrap())
        };
        println!(
            "| {} | {:.3} | {:.3} | {} | {} |",
            concept.title(),
            found["best"].as_f64().unwrap(),
            found["last"].as_f64().unwrap(),
            pick("judged, balance"),
            pick("no judge, balance")
        );
        if let Some(path) = &asked.file {
            let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
            writeln!(file, "{found}").unwrap();
        }
    }
}
