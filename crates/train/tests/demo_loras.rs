//! The uses of a word beside LoRAs, on the bundled model and judged by the bundled encoder: the word
//! alone, with its person's LoRA and without the LoRA's trigger, with several weak LoRAs.
//!
//! Every concept with a LoRA is drawn with three seeds and reported; what is asserted holds in the
//! mean of all, not for each picture.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo};
use image::RgbImage;
use std::sync::Arc;
use wayword_diffusion::{DrawPlan, DrawSettings, Embeddings, Loras, draw};
use wayword_interface::{Quiet, Stop};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions, similarity};

/// Each has a word in demo/words and a LoRA in demo/loras.
const CONCEPTS: [&str; 4] = ["edvard2 man", "mirabo woman", "pascoe man", "tamsyn woman"];
/// It has a second LoRA, too.
const TWICE: &str = "tamsyn woman";
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

struct Studio {
    encoder: OnnxImageEncoder,
    words: Arc<Embeddings>,
    loras: Arc<Loras>,
}

impl Studio {
    fn open() -> Self {
        let encoder =
            OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
        let mut words = Embeddings::new(base());
        words.load(&[demo().join("words")], &Quiet).unwrap();
        let loras = Loras::open(&[demo().join("loras")], &Quiet).unwrap();
        Self { encoder, words: Arc::new(words), loras: Arc::new(loras) }
    }

    /// How alike the pictures of a prompt are to a concept's, for each seed.
    fn similarity(&self, concept: &str, prompt: &str) -> Vec<f64> {
        let files = wayword_testing::files(&demo().join(format!("concepts/100_{concept}")), "png");
        let vector = |picture: &RgbImage| self.encoder.vector(picture).unwrap();
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
        let likeness = |p: &wayword_diffusion::Picture| {
            let picture = RgbImage::from_raw(p.width, p.height, p.rgb.clone()).unwrap();
            similarity(&[vector(&picture)], &shown).unwrap().mean
        };
        drawn.iter().map(likeness).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A LoRA works without its trigger, beside the class word and beside a word of the person's own:
/// in the mean, where it helps those words most that fall short of their person.
#[test]
fn a_lora_without_its_trigger_brings_class_words_and_learned_words_nearer() {
    let studio = Studio::open();
    let mut by_prompt = [const { Vec::new() }; 5];
    println!(
        "likeness of three seeds: class, class and LoRA at 0.6, word, word and LoRA, word at 0.8 and LoRA"
    );
    for concept in CONCEPTS {
        let (name, class) = concept.split_once(' ').unwrap();
        let word = format!("{name}-ti");
        assert!(studio.words.loaded().iter().any(|w| w.name == word), "{word}");
        let lora = format!("<lora:{name}-lora:1>");
        let prompts = [
            format!("photo of a {class}"),
            format!("photo of a {class} <lora:{name}-lora:0.6>"),
            format!("photo of {word}"),
            format!("photo of {word} {lora}"),
            format!("photo of ({word}:0.8) {lora}"),
        ];
        let seen = prompts.map(|prompt| studio.similarity(concept, &prompt));
        let means = seen.each_ref().map(|seen| mean(seen));
        println!("{concept:14} {means:.2?} of {seen:.2?}");
        by_prompt.iter_mut().zip(seen).for_each(|(so_far, seen)| so_far.extend(seen));
    }
    let means = by_prompt.map(|values| mean(&values));
    println!("mean           {means:.3?}");
    let [class, class_lora, word, word_lora, weak_word_lora] = means;
    assert!(class_lora > class + 0.2, "class {class}, with LoRA {class_lora}");
    assert!(word > class, "class {class}, word {word}");
    assert!(word_lora > word, "word {word}, with LoRA {word_lora}");
    assert!(weak_word_lora > word, "word {word}, at 0.8 with LoRA {weak_word_lora}");
}

#[test]
fn several_weak_loras_of_one_concept_add_up() {
    let studio = Studio::open();
    let name = TWICE.split(' ').next().unwrap();
    let class = TWICE.split(' ').nth(1).unwrap();
    let likeness =
        |tags: String| mean(&studio.similarity(TWICE, &format!("photo of a {class} {tags}")));
    let (none, first) = (likeness(String::new()), likeness(format!("<lora:{name}-lora:0.25>")));
    let second = likeness(format!("<lora:{name}-lora-b:0.25>"));
    let both = likeness(format!("<lora:{name}-lora:0.25> <lora:{name}-lora-b:0.25>"));
    println!("{TWICE}: none {none:.3}, one {first:.3}, the other {second:.3}, both {both:.3}");
    assert!(both > none && both > first.min(second), "{none} {first} {second} {both}");
}
