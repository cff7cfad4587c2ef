//! How well words are learned, over concepts and seeds; asked for, as it takes hours:
//! `WAYWORD_QUALITY=FILE cargo test --release -p wayword-train --test quality -- --ignored --nocapture`.
//!
//! Each run's numbers are a JSON line of FILE; runs that stand there already are not done again, so
//! it can be stopped and started. `docs/quality.md` has the tables that it prints.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints its tables"
)]
mod common;

use common::{base, demo};
use image::RgbImage;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::{DrawPlan, DrawSettings, Embeddings, draw};
use wayword_interface::{Quiet, Quiet as NoEvents, Stop};
use wayword_train::image_encoder::{
    ImageEncoder as _, OnnxImageEncoder, OnnxOptions, SCENES, similarity, similarity_within,
};
use wayword_train::plan::TemplateChoice;
use wayword_train::run_folder::vectors;
use wayword_train::training_loop::RunOptions;
use wayword_train::{TrainOptions, TrainPlan, training_loop};

const STEPS: usize = 1000;
/// Steps that are judged: those of the files that a run saves.
const AT: [usize; 5] = [200, 400, 600, 800, STEPS];
const SEEDS: [u64; 3] = [1, 2, 3];
/// The program's own rate and schedule, and those of a well-known recipe.
const RECIPES: [(&str, Option<(&str, &str)>); 2] =
    [("defaults", None), ("lr 5e-3", Some(("5e-3", "constant")))];
/// Pictures for a likeness and for each scene, as in the demo's own table.
const PICTURES: usize = 16;
const EACH: usize = 4;

struct Studio {
    encoder: OnnxImageEncoder,
}

impl Studio {
    /// Pictures of prompts, with seeds that no training picture has anything to do with.
    fn draw(&self, words: &Arc<Embeddings>, prompts: &[String]) -> Vec<RgbImage> {
        let mut settings = DrawSettings::new(base(), "");
        settings.prompts = prompts.to_vec();
        (settings.cfg, settings.seed) = (4.0, 1001);
        (settings.count, settings.batch) = (prompts.len(), 16);
        settings.embeddings = Some(Arc::clone(words));
        let plan = DrawPlan::new(base(), settings).unwrap();
        let drawn = draw(base(), &plan, &NoEvents, &Stop::default()).unwrap();
        drawn.into_iter().map(|p| RgbImage::from_raw(p.width, p.height, p.rgb).unwrap()).collect()
    }

    fn vectors(&self, pictures: &[RgbImage]) -> Vec<Vec<f32>> {
        pictures.iter().map(|picture| self.encoder.vector(picture).unwrap()).collect()
    }

    fn similarity(&self, words: &Arc<Embeddings>, word: &str, to: &[Vec<f32>]) -> f64 {
        let drawn = self.draw(words, &vec![format!("a photo of {word}"); PICTURES]);
        similarity(&self.vectors(&drawn), to).unwrap().mean
    }

    /// Share of pictures in which the encoder sees what the other words ask for.
    fn kept(&self, words: &Arc<Embeddings>, word: &str) -> f64 {
        let tails = SCENES.iter().flat_map(|(tail, ..)| std::iter::repeat_n(tail, EACH));
        let prompts: Vec<String> = tails.map(|tail| format!("a photo of {word}{tail}")).collect();
        let drawn = self.draw(words, &prompts);
        let seen = drawn.iter().zip(0..).filter(|(picture, at)| {
            let (_, output, what) = SCENES[at / EACH];
            self.encoder.word(picture, output).unwrap().as_deref() == Some(what)
        });
        seen.count() as f64 / drawn.len() as f64
    }
}

/// Concept folders, sorted: name, class word, folder.
fn concepts() -> Vec<(String, String, PathBuf)> {
    let folders = std::fs::read_dir(demo().join("concepts")).unwrap();
    let mut all: Vec<_> = folders
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let (name, class) = name.split_once('_').unwrap().1.rsplit_once(' ').unwrap();
            (name.to_owned(), class.to_owned(), path)
        })
        .collect();
    all.sort();
    all
}

/// The pictures of a concept at the model's size, as the encoder sees them.
fn shown(studio: &Studio, folder: &Path) -> Vec<Vec<f32>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
    files.sort();
    let open = |path: &PathBuf| image::open(path).unwrap().to_rgb8();
    studio.vectors(&files.iter().map(open).collect::<Vec<_>>())
}

fn words(name: &str, rows: &[f32]) -> Arc<Embeddings> {
    let mut words = Embeddings::new(base());
    words.add(name, rows.to_vec(), None).unwrap();
    Arc::new(words)
}

fn one(
    studio: &Studio,
    (name, class, folder): &(String, String, PathBuf),
    recipe: usize,
    seed: u64,
) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let word = format!("{name}-ti");
    let style = class == "style";
    let options = TrainOptions {
        images: vec![folder.clone()],
        name: Some(word.clone()),
        // The captions of the style write its name.
        token: style.then(|| name.clone()),
        template: if style { TemplateChoice::None } else { TemplateChoice::Object },
        init: Some(class.clone()),
        learning_rate: RECIPES[recipe].1.map(|(rate, _)| rate.to_owned()),
        steps: Some(STEPS),
        seed: Some(seed),
        scheduler: RECIPES[recipe].1.map(|(_, name)| name.to_owned()),
        out: dir.path().into(),
        ..TrainOptions::default()
    };
    let plan = TrainPlan::check(&options, &base().info).unwrap();
    let outcome =
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
    let history = vectors::read(&plan.run().join("rows.bin")).unwrap();
    let references = shown(studio, folder);
    let learned = |step: usize| words(&word, &history.steps[step].vectors);
    let likenesses: Vec<f64> =
        AT.iter().map(|step| studio.similarity(&learned(*step), &word, &references)).collect();
    let kept = studio.kept(&learned(STEPS), &word);
    json!({
        "concept": format!("{name} {class}"), "recipe": RECIPES[recipe].0, "seed": seed,
        "lr": plan.lr, "likeness": likenesses, "kept": kept,
        "fixed_loss": [outcome.evaluation_before, outcome.evaluation_after], "row_norm": outcome.vector_norm,
        "seconds": outcome.seconds,
    })
}

/// The init word's numbers.
fn init(studio: &Studio, (name, class, folder): &(String, String, PathBuf)) -> Value {
    let none = Arc::new(Embeddings::new(base()));
    let references = shown(studio, folder);
    let word = format!("a {class}");
    json!({
        "concept": format!("{name} {class}"), "recipe": "init word", "seed": 0,
        "likeness": [studio.similarity(&none, &word, &references)], "kept": studio.kept(&none, &word),
        "among": similarity_within(&references).unwrap().mean,
    })
}

#[test]
#[ignore = "takes hours; WAYWORD_QUALITY names the file of its numbers"]
fn quality_of_words_over_concepts_and_seeds() {
    let Some(file) = std::env::var_os("WAYWORD_QUALITY").map(PathBuf::from) else {
        return println!("WAYWORD_QUALITY names no file for the numbers");
    };
    let encoder =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    let studio = Studio { encoder };
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut done: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut out = std::fs::File::options().create(true).append(true).open(&file).unwrap();
    let mut keep = |done: &mut Vec<Value>, value: Value| {
        println!("{value}");
        writeln!(out, "{value}").unwrap();
        done.push(value);
    };
    let has = |done: &[Value], recipe: &str, concept: &str, seed: u64| {
        done.iter().any(|v| v["recipe"] == recipe && v["concept"] == concept && v["seed"] == seed)
    };
    let concepts = concepts();
    for concept in &concepts {
        let name = format!("{} {}", concept.0, concept.1);
        if !has(&done, "init word", &name, 0) {
            let value = init(&studio, concept);
            keep(&mut done, value);
        }
    }
    for (place, (recipe, _)) in RECIPES.iter().enumerate() {
        for seed in SEEDS {
            for concept in &concepts {
                let name = format!("{} {}", concept.0, concept.1);
                if !has(&done, recipe, &name, seed) {
                    let value = one(&studio, concept, place, seed);
                    keep(&mut done, value);
                }
            }
        }
    }
    tables(&done, &concepts);
}

/// The tables of the document, over all seeds.
fn tables(done: &[Value], concepts: &[(String, String, PathBuf)]) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    for (recipe, _) in RECIPES {
        println!(
            "\n## {recipe}\n\n| concept | among | init word | {} | kept: init word | {STEPS} |",
            AT.map(|s| s.to_string()).join(" | ")
        );
        println!("|{}", "---|".repeat(AT.len() + 5));
        let mut all: Vec<Vec<f64>> = Vec::new();
        for (name, class, _) in concepts {
            let concept = format!("{name} {class}");
            let of = |recipe: &str, key: &str| -> Vec<Value> {
                let own = done.iter().filter(|v| v["concept"] == concept && v["recipe"] == recipe);
                own.map(|v| v[key].clone()).collect()
            };
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            let first = |value: &Value| number(&value[0]);
            let mut row = vec![
                mean(&of("init word", "among").iter().map(number).collect::<Vec<_>>()),
                mean(&of("init word", "likeness").iter().map(first).collect::<Vec<_>>()),
            ];
            for at in 0..AT.len() {
                let values: Vec<f64> =
                    of(recipe, "likeness").iter().map(|v| number(&v[at])).collect();
                row.push(mean(&values));
            }
            for recipe in ["init word", recipe] {
                row.push(mean(&of(recipe, "kept").iter().map(number).collect::<Vec<_>>()));
            }
            let shown: Vec<String> = row.iter().map(|v| format!("{v:.2}")).collect();
            println!("| {concept} | {} |", shown.join(" | "));
            // The encoder knows nothing of styles.
            if class != "style" {
                all.push(row);
            }
        }
        let column = |i: usize| mean(&all.iter().map(|row| row[i]).collect::<Vec<_>>());
        let means: Vec<String> =
            (0..AT.len() + 4).map(|i| format!("**{:.2}**", column(i))).collect();
        println!("| **mean** | {} |", means.join(" | "));
    }
}
