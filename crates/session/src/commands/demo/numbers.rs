//! The numbers of the demo: losses, likeness, and whether other words still count.
use super::studio::Studio;
use super::{INIT, OTHER, WORD, data};
use crate::Failure;
use image::RgbImage;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use wayword_diffusion::Embeddings;
use wayword_train::event::Outcome;
use wayword_train::image_encoder::SCENES;

/// Pictures for a likeness, and for each scene.
const PICTURES: u64 = 16;
const EACH: u64 = 8;
/// Seeds that the sheet does not show.
const FIRST_SEED: u64 = 1001;

/// Images that are drawn and judged.
pub(super) const fn drawn() -> usize {
    3 * PICTURES as usize + 2 * SCENES.len() * EACH as usize
}

/// All numbers.
#[derive(Debug, Serialize)]
pub struct Numbers {
    /// The learned word.
    pub word: &'static str,
    /// The word it started from.
    pub init_word: &'static str,
    /// A word that was learned from another person's pictures.
    pub other_word: &'static str,
    /// Steps of training.
    pub steps: usize,
    /// Mean evaluation loss (fixed noise).
    pub loss_at_fixed_noise: Change,
    /// Mean norm of the word's vectors.
    #[serde(rename = "row_norm")]
    pub vector_norm: f64,
    /// Likeness to the pictures that were learned from, -1 to 1.
    pub likeness: Likeness,
    /// Share of pictures in which the judge sees what the other words of the prompt ask for.
    #[serde(rename = "kept")]
    pub prompt_fidelity: PromptFidelity,
    /// How long it took.
    pub seconds: Seconds,
}

/// Before and after training.
#[derive(Debug, Serialize)]
pub struct Change {
    pub before: f64,
    pub after: f64,
}

/// Likeness to the pictures that were learned from.
#[derive(Debug, Serialize)]
pub struct Likeness {
    pub pictures_among_themselves: f64,
    pub learned_word: f64,
    pub learned_word_with_other_words: f64,
    pub init_word: f64,
    pub other_word: f64,
}

/// Shares from 0 to 1.
#[derive(Debug, Serialize)]
pub struct PromptFidelity {
    pub learned_word: f64,
    pub init_word: f64,
    pub by_prompt: Vec<Scene>,
}

/// One kind of prompt.
#[derive(Debug, Serialize)]
pub struct Scene {
    pub prompt: String,
    pub learned_word: f64,
    pub init_word: f64,
}

/// Seconds, the base's loading included in `all`.
#[derive(Debug, Default, Serialize)]
pub struct Seconds {
    pub training: f64,
    pub all: f64,
}

impl Numbers {
    /// Draws and judges.
    pub(super) fn measure(
        studio: &Studio<'_>,
        outcome: &Outcome,
        out: &Path,
    ) -> Result<Numbers, Failure> {
        let learned = studio.word_of(&out.join(format!("{WORD}.safetensors")))?;
        let other = studio.named(OTHER, data::other_word(out)?.vectors)?;
        let init = studio.no_words();
        let a_woman = format!("a {INIT}");
        let likeness = |words: &Embeddings, word: &str| -> Result<f64, Failure> {
            let prompts = repeat(&format!("a photo of {word}"), PICTURES);
            studio.likeness(&studio.draw(words, &prompts)?)
        };
        let learned_scenes = scenes(studio, &learned, WORD)?;
        let init_scenes = scenes(studio, &init, &a_woman)?;
        let pictures: Vec<RgbImage> =
            learned_scenes.iter().flat_map(|(_, p)| p.iter().cloned()).collect();
        let mut by_prompt = Vec::new();
        for ((share, _), ((init, _), (tail, ..))) in
            learned_scenes.iter().zip(init_scenes.iter().zip(SCENES))
        {
            let prompt = format!("a photo of {WORD}{tail}");
            by_prompt.push(Scene { prompt, learned_word: *share, init_word: *init });
        }
        let mean =
            |part: fn(&Scene) -> f64| by_prompt.iter().map(part).sum::<f64>() / SCENES.len() as f64;
        Ok(Numbers {
            word: WORD,
            init_word: INIT,
            other_word: OTHER,
            steps: outcome.step,
            loss_at_fixed_noise: Change {
                before: outcome.evaluation_before,
                after: outcome.evaluation_after.unwrap_or(f64::NAN),
            },
            vector_norm: outcome.vector_norm,
            likeness: Likeness {
                pictures_among_themselves: studio.similarity_within()?,
                learned_word: likeness(&learned, WORD)?,
                learned_word_with_other_words: studio.likeness(&pictures)?,
                init_word: likeness(&init, &a_woman)?,
                other_word: likeness(&other, OTHER)?,
            },
            prompt_fidelity: PromptFidelity {
                learned_word: mean(|s| s.learned_word),
                init_word: mean(|s| s.init_word),
                by_prompt,
            },
            seconds: Seconds::default(),
        })
    }

    /// The numbers as a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let (l, k) = (&self.likeness, &self.prompt_fidelity);
        let mut text = String::new();
        let mut line = |label: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{label:44}{value}");
        };
        let (init, other) = (format!("the init word, {INIT}"), format!("another word, {OTHER}"));
        line("similarity to the training images", String::new());
        line(&format!("  the learned word, {WORD}"), format!("{:5.2}", l.learned_word));
        line("  the same with other words", format!("{:5.2}", l.learned_word_with_other_words));
        line(&format!("  {init}"), format!("{:5.2}", l.init_word));
        line(&format!("  {other}"), format!("{:5.2}", l.other_word));
        line(
            "  the training images among themselves",
            format!("{:5.2}", l.pictures_among_themselves),
        );
        line("other words of the prompt that are kept", String::new());
        line(&format!("  with {WORD}"), format!("{:5.2}", k.learned_word));
        line(&format!("  with {INIT}"), format!("{:5.2}", k.init_word));
        let loss = &self.loss_at_fixed_noise;
        line(
            "evaluation loss (fixed noise)",
            format!("{:7.4} before, {:.4} after", loss.before, loss.after),
        );
        line("steps", format!("{:5}", self.steps));
        line(
            "seconds",
            format!("{:5.0} of training, {:.0} in all", self.seconds.training, self.seconds.all),
        );
        text
    }
}

fn repeat(prompt: &str, count: u64) -> Vec<(String, u64)> {
    (FIRST_SEED..FIRST_SEED + count).map(|seed| (prompt.to_owned(), seed)).collect()
}

/// For each scene the share of pictures that show it, and the pictures.
fn scenes(
    studio: &Studio<'_>,
    words: &Embeddings,
    word: &str,
) -> Result<Vec<(f64, Vec<RgbImage>)>, Failure> {
    let mut prompts = Vec::new();
    for (tail, ..) in SCENES {
        let first = FIRST_SEED + prompts.len() as u64;
        prompts.extend((0..EACH).map(|i| (format!("a photo of {word}{tail}"), first + i)));
    }
    let drawn = studio.draw(words, &prompts)?;
    let mut found = Vec::new();
    for ((_, output, seen), pictures) in SCENES.iter().zip(drawn.chunks(EACH as usize)) {
        found.push((studio.sees(pictures, output, seen)?, pictures.to_vec()));
    }
    Ok(found)
}
