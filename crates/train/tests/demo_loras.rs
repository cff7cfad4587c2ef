//! The uses of a word beside LoRAs, on the bundled model and judged by the bundled judge: the word
//! alone, with its person's LoRA and without the LoRA's trigger, with several weak LoRAs.
//!
//! Every concept with a LoRA is drawn with three seeds and reported; what is asserted holds in the
//! mean of all, not for each picture.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo};
use image::RgbImage;
use std::sync::Arc;
use wayword_diffusion::{DrawPlan, DrawSettings, Embeddings, Loras, Quiet, Stop, draw};
use wayword_train::judge::{Judge, OnnxJudge, OnnxOptions, likeness};

/// Each has a word in demo/words and a LoRA in demo/loras.
const CONCEPTS: [&str; 4] = ["edvard2 man", "mirabo woman", "pascoe man", "tamsyn woman"];
/// It has a second LoRA, too.
const TWICE: &str = "tamsyn woman";
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

struct Studio {
    judge: OnnxJudge,
    words: Arc<Embeddings>,
    loras: Arc<Loras>,
}

impl Studio {
    fn open() -> Self {
        let judge = OnnxJudge::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
        let words = Embeddings::load(base(), &[demo().join("words")], &Quiet).unwrap();
        let loras = Loras::open(&[demo().join("loras")], &Quiet).unwrap();
        Self { judge, words: Arc::new(words), loras: Arc::new(loras) }
    }

    /// How alike the pictures of a prompt are to a concept's, for each seed.
    fn likeness(&self, concept: &str, prompt: &str) -> Vec<f64> {
        let files = wayword_testing::files(&demo().join(format!("concepts/100_{concept}")), "png");
        let vector = |picture: &RgbImage| self.judge.vector(picture).unwrap();
        let shown: Vec<_> =
            files.iter().map(|f| vector(&image::open(f).unwrap().to_rgb8())).collect();
        let settings = DrawSettings {
            cfg: 4.0,
            seed: *SEEDS.start(),
            count: SEEDS.count(),
            batch: SEEDS.count(),
            embeddings: Some(Arc::clone(&self.words)),
            loras: Some(Arc::clone(&self.loras)),
            ..DrawSettings::new(base(), prompt)
        };
        let plan = DrawPlan::new(base(), settings).unwrap();
        let drawn = draw(base(), &plan, &Quiet, &Stop::default()).unwrap();
        let one = |p: &wayword_diffusion::Picture| {
            let picture = RgbImage::from_raw(p.width, p.height, p.rgb.clone()).unwrap();
            likeness(&[vector(&picture)], &shown).unwrap().mean
        };
        drawn.iter().map(one).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A LoRA works without its trigger. Beside a word it helps where the word itself falls short of the
/// person and draws away where the word is near: reported, as it does not hold for every concept.
#[test]
fn a_lora_without_its_trigger_is_nearer_and_beside_a_word_is_reported() {
    let studio = Studio::open();
    let mut all = [const { Vec::new() }; 4];
    println!("likeness of three seeds: class, class and LoRA, word, word and LoRA (LoRA at 0.6)");
    for concept in CONCEPTS {
        let (name, class) = concept.split_once(' ').unwrap();
        let word = format!("{name}-ti");
        assert!(studio.words.words().iter().any(|w| w.name == word), "{word}");
        let lora = format!("<lora:{name}-lora:0.6>");
        let prompts = [
            format!("photo of a {class}"),
            format!("photo of a {class} {lora}"),
            format!("photo of {word}"),
            format!("photo of {word} {lora}"),
        ];
        let seen = prompts.map(|prompt| studio.likeness(concept, &prompt));
        println!("{concept:14} {seen:.2?}");
        all.iter_mut().zip(seen).for_each(|(all, seen)| all.extend(seen));
    }
    let means = all.map(|all| mean(&all));
    println!("mean           {means:.3?}");
    assert!(means[1] > means[0] + 0.2, "class {}, with LoRA {}", means[0], means[1]);
    assert!(means[2] > means[0], "class {}, word {}", means[0], means[2]);
}

#[test]
fn several_weak_loras_of_one_concept_add_up() {
    let studio = Studio::open();
    let name = TWICE.split(' ').next().unwrap();
    let class = TWICE.split(' ').nth(1).unwrap();
    let of = |tags: String| mean(&studio.likeness(TWICE, &format!("photo of a {class} {tags}")));
    let (none, first) = (of(String::new()), of(format!("<lora:{name}-lora:0.25>")));
    let second = of(format!("<lora:{name}-lora-b:0.25>"));
    let both = of(format!("<lora:{name}-lora:0.25> <lora:{name}-lora-b:0.25>"));
    println!("{TWICE}: none {none:.3}, one {first:.3}, the other {second:.3}, both {both:.3}");
    assert!(both > none && both > first.min(second), "{none} {first} {second} {both}");
}
