//! How well embeddings are learned, over concepts and seeds: the tables of `docs/quality.md`.
//!
//! `cargo run --release -p wayword-train --example quality -- [recipe=NAME] [seeds=1,2,3]
//! [concepts=all|choose|report|NAME,NAME] [steps=200,1000] [file=FILE] [jobs=2] [fidelity=no]
//! [precision=f32] [pick=no] [OPTION=VALUE]`
//!
//! Judged is the last step, and the step that `pick` chooses with the image encoder and without, where
//! the plan has a pick. Each run's numbers are a JSON line of FILE; runs that stand there are not done
//! again, so it can be stopped and started. Other options are those of a training, as in
//! `wayword.toml`. Runs go on `jobs` threads, each on one core with a base of its own.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures may panic and prints its tables"
)]
#[path = "../tests/common/studio.rs"]
mod studio;

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use studio::{Concept, Studio, concepts};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::{Quiet, Stop};
use wayword_tensor::{CpuOptions, Precision, cpu};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions};
use wayword_train::pick::{self, By, PickOptions};
use wayword_train::plan::TemplateChoice;
use wayword_train::recipe::Starts;
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::vectors;
use wayword_train::training_loop::RunOptions;
use wayword_train::{TrainOptions, TrainPlan, training_loop};

/// What is measured.
struct Asked {
    title: String,
    options: Map<String, Value>,
    seeds: Vec<u64>,
    concepts: String,
    /// Steps that are judged, beside the last.
    steps: Vec<usize>,
    /// Means of the last so many steps that are judged.
    means: Vec<usize>,
    file: Option<PathBuf>,
    jobs: usize,
    fidelity: bool,
    pick: bool,
    precision: Precision,
}

impl Asked {
    fn read() -> Self {
        let mut asked = Self {
            title: String::new(),
            options: Map::new(),
            seeds: vec![1, 2, 3],
            concepts: "all".into(),
            steps: Vec::new(),
            means: Vec::new(),
            file: None,
            jobs: 2,
            fidelity: true,
            pick: true,
            precision: Precision::best(),
        };
        let list = |text: &str| text.split(',').map(|n| n.parse().unwrap()).collect::<Vec<u64>>();
        let given: Vec<String> = std::env::args().skip(1).collect();
        for argument in &given {
            let (name, value) = argument.split_once('=').expect("NAME=VALUE");
            match name {
                "seeds" => asked.seeds = list(value),
                "concepts" => asked.concepts = value.into(),
                "steps" => asked.steps = list(value).into_iter().map(|n| n as usize).collect(),
                "means" => asked.means = list(value).into_iter().map(|n| n as usize).collect(),
                "file" => asked.file = Some(value.into()),
                "jobs" => asked.jobs = value.parse().unwrap(),
                "fidelity" => asked.fidelity = value != "no",
                "pick" => asked.pick = value != "no",
                "precision" if value == "f32" => asked.precision = Precision::F32,
                "precision" => asked.precision = Precision::Bf16,
                _ => {
                    asked.title = format!("{} {argument}", asked.title).trim().into();
                    let parsed = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                    asked.options.insert(name.into(), parsed);
                }
            }
        }
        if asked.title.is_empty() {
            asked.title = "defaults".into();
        }
        asked
    }
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo")
}

fn measure(
    (base, studio, judge): (&Base, &Studio<'_>, &dyn ImageEncoder),
    asked: &Asked,
    concept: &Concept,
    seed: u64,
) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{}-ti", concept.name);
    let style = concept.is_style();
    let mut options = json!({
        "images": [concept.folder], "name": name, "seed": seed, "out": dir.path(), "save_every": 0,
    });
    if style {
        // The captions of the style write its name.
        options["token"] = concept.name.clone().into();
        options["template"] = String::from(TemplateChoice::None).into();
    }
    for (field, value) in &asked.options {
        options[field] = value.clone();
    }
    let options: TrainOptions = serde_json::from_value(options).unwrap();
    let plan = TrainPlan::check(&options, &base.info).unwrap();
    let outcome =
        training_loop::train(base, &plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let history = vectors::read(&plan.run().join("rows.bin")).unwrap();
    let references = studio.references(&concept.folder);
    let judged =
        |vectors: &[f32]| studio.similarity(&studio.with(&name, vectors), &name, &references);
    let mut steps = asked.steps.clone();
    steps.retain(|step| *step < plan.steps);
    let on_the_way: BTreeMap<usize, f64> =
        steps.iter().map(|step| (*step, judged(&history.steps[*step].vectors))).collect();
    let mean = |count: usize| {
        let last = &history.steps[history.steps.len() - count..];
        let sum = |i: usize| last.iter().map(|s| s.vectors[i]).sum::<f32>() / count as f32;
        (0..last[0].vectors.len()).map(sum).collect::<Vec<f32>>()
    };
    let means: BTreeMap<usize, f64> =
        asked.means.iter().map(|count| (*count, judged(&mean(*count)))).collect();
    let last = wayword_formats::embedding::read(outcome.path.as_deref().unwrap()).unwrap().vectors;
    let fidelity = asked.fidelity.then(|| studio.fidelity(&studio.with(&name, &last), &name));
    let kept = KeptVectors::open(&plan.run()).unwrap();
    let picked = |judge: Option<&dyn ImageEncoder>| {
        let draw = if judge.is_some() { 3 } else { 0 };
        let options = PickOptions { by: By::Balance, draw, cfg: 4.0, judge, write: false };
        let found = pick::pick(base, &plan.run(), options, &Quiet, &Stop::default());
        let (pick, _) = found.unwrap().unwrap();
        let vectors = kept.of(&name, pick.chosen).unwrap();
        let fidelity = asked.fidelity && judge.is_some();
        let fidelity = fidelity.then(|| studio.fidelity(&studio.with(&name, &vectors), &name));
        json!({
            "steps": pick.chosen, "similarity": judged(&vectors), "fidelity": fidelity,
            "cost": pick.evaluations, "verdict": pick.verdict,
        })
    };
    let picks = (asked.pick && plan.pick).then(|| [picked(Some(judge)), picked(None)]);
    json!({
        "concept": concept.title(), "picks": picks, "recipe": asked.title, "seed": seed, "steps": plan.steps,
        "similarity": judged(&last), "on_the_way": on_the_way, "means": means,
        "fidelity": fidelity, "evaluations": evaluations(&plan),
        "loss": [outcome.evaluation_before, outcome.evaluation_after],
        "norm": outcome.vector_norm, "seconds": outcome.seconds,
    })
}

/// What a run costs: a sample forward and backward is 1, forward alone a third.
fn evaluations(plan: &TrainPlan) -> f64 {
    let before = plan.starts.as_ref().map_or(0.0, Starts::cost);
    before + (plan.steps * plan.batch * plan.accumulate) as f64
}

fn main() {
    let asked = Asked::read();
    let all: Vec<Concept> = concepts(&demo())
        .into_iter()
        .filter(|c| !c.is_style() || asked.concepts.contains(&c.name))
        .collect();
    let wanted = all
        .iter()
        .enumerate()
        .filter(|(place, concept)| concept.is_wanted(*place, &asked.concepts));
    let wanted: Vec<&Concept> = wanted.map(|(_, concept)| concept).collect();
    let text = asked.file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let done: Vec<Value> = text
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["recipe"] == asked.title)
        .collect();
    let has = |concept: &Concept, seed: u64| {
        done.iter().any(|line| line["concept"] == concept.title() && line["seed"] == seed)
    };
    let mut left: Vec<(&Concept, u64)> = asked
        .seeds
        .iter()
        .flat_map(|seed| wanted.iter().map(|concept| (*concept, *seed)))
        .filter(|(concept, seed)| !has(concept, *seed))
        .collect();
    left.reverse();
    let (left, done) = (Mutex::new(left), Mutex::new(done));
    let work = || {
        let options =
            CpuOptions { precision: asked.precision, threads: Some(1), ..CpuOptions::default() };
        let device = cpu(options);
        let path = demo().join("wayword-mini.safetensors");
        let base = Base::load(&BaseOptions::new(&path, &device), &Quiet).unwrap();
        let studio = Studio::new(&base, &demo());
        let judge =
            OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
        loop {
            let Some((concept, seed)) = left.lock().unwrap().pop() else { break };
            let line = measure((&base, &studio, &judge), &asked, concept, seed);
            let mut done = done.lock().unwrap();
            if let Some(file) = &asked.file {
                let mut out =
                    std::fs::File::options().create(true).append(true).open(file).unwrap();
                writeln!(out, "{line}").unwrap();
            }
            println!("{line}");
            done.push(line);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(work);
        }
    });
    table(&asked, &wanted, &done.into_inner().unwrap());
}

fn table(asked: &Asked, concepts: &[&Concept], done: &[Value]) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let list =
        |values: &[f64]| values.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(", ");
    println!("\n{}\n\n| concept | similarity | each seed | fidelity | evaluations |", asked.title);
    println!("|---|---|---|---|---|");
    let mut means: Vec<[f64; 3]> = Vec::new();
    let mut every: Vec<f64> = Vec::new();
    for concept in concepts {
        let of = |key: &str| -> Vec<f64> {
            let number = |seed: &u64| {
                let line = done
                    .iter()
                    .find(|line| line["concept"] == concept.title() && line["seed"] == *seed)?;
                Some(line[key].as_f64().unwrap_or(f64::NAN))
            };
            asked.seeds.iter().filter_map(number).collect()
        };
        let (similarity, fidelity, cost) = (of("similarity"), of("fidelity"), of("evaluations"));
        let row = [mean(&similarity), mean(&fidelity), mean(&cost)];
        println!(
            "| {} | {:.2} | {} | {:.2} | {:.0} |",
            concept.title(),
            row[0],
            list(&similarity),
            row[1],
            row[2]
        );
        means.push(row);
        every.extend(similarity);
    }
    let column = |i: usize| mean(&means.iter().map(|row| row[i]).collect::<Vec<_>>());
    let least = every.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "| **mean** | **{:.3}** | least {least:.2} | **{:.3}** | **{:.0}** |",
        column(0),
        column(1),
        column(2)
    );
    for key in ["on_the_way", "means"] {
        let mut all: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for line in done {
            for (at, value) in line[key].as_object().into_iter().flatten() {
                all.entry(at.parse().unwrap()).or_default().extend(value.as_f64());
            }
        }
        for (at, values) in all {
            println!("{key} {at}: {:.3}", mean(&values));
        }
    }
}
