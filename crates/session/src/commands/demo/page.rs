//! The demo's contact sheet: which pictures it has and what stands beside them.
use super::numbers::Numbers;
use super::studio::Studio;
use super::{INIT, OTHER, WORD};
use crate::Failure;
use crate::numbers::duration;
use crate::sheet::{Cell, Row, Sheet};
use image::RgbImage;
use std::path::{Path, PathBuf};
use wayword_diffusion::Embeddings;
use wayword_train::event::Outcome;

/// Pictures beside each other.
const COLUMNS: u32 = 8;
/// Side of a picture on the sheet: twice that of the model's.
const SIDE: u32 = 128;
/// Seeds of the first rows, and of those with fewer pictures.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
const TWO: std::ops::RangeInclusive<u64> = 3..=4;

/// Other words, and what stands below the picture.
const SCENES: [(&str, &str); 8] = [
    (" at the beach", "at the beach"),
    (" wearing a crown", "wearing a crown"),
    (", laughing", "laughing"),
    (" on a green background", "green background"),
    (" in the snow", "in the snow"),
    (" wearing a wizard hat", "wizard hat"),
    (" wearing a red shirt", "red shirt"),
    (" in the desert", "in the desert"),
];

const WEIGHTS: [&str; 3] = ["0.4", "0.8", "1.2"];

/// Images that are drawn for the sheet, where training wrote so many files.
pub(super) fn drawn(files: usize) -> usize {
    2 * SEEDS.count() + TWO.count() * (SCENES.len() + WEIGHTS.len() + files + 1)
}

/// Draws all rows.
pub(super) fn rows(
    studio: &Studio<'_>,
    outcome: &Outcome,
    out: &Path,
) -> Result<Vec<Row>, Failure> {
    let learned = studio.word_of(&out.join(format!("{WORD}.safetensors")))?;
    let none = studio.no_words();
    let seeds = |prompt: &str| SEEDS.map(|seed| (prompt.to_owned(), seed)).collect::<Vec<_>>();
    Ok(vec![
        Row {
            label: "Training images".into(),
            note: format!("{} images of a person the model has never seen.", studio.shown.len()),
            cells: plain(studio.shown.clone()),
            per_line: COLUMNS,
        },
        Row {
            label: format!("photo of a {INIT}"),
            note: "The init word: anybody. Seeds 1 to 8.".into(),
            cells: plain(studio.draw(&none, &seeds(&format!("photo of a {INIT}")))?),
            per_line: COLUMNS,
        },
        Row {
            label: format!("photo of {WORD}"),
            note: "The new embedding: her. The same seeds.".into(),
            cells: plain(studio.draw(&learned, &seeds(&format!("photo of {WORD}")))?),
            per_line: COLUMNS,
        },
        with_other_words(studio, &learned)?,
        weights(studio, &learned)?,
        steps(studio, outcome, out)?,
    ])
}

/// The whole sheet.
pub(super) fn sheet(numbers: &Numbers, rows: Vec<Row>) -> Sheet {
    let (l, k) = (&numbers.likeness, &numbers.prompt_fidelity);
    Sheet {
        title: format!("A new embedding: {WORD}"),
        subtitle: format!(
            "A small Stable Diffusion model was shown 15 images of a person. It learned one word for her, \
             128 numbers, in {} on this machine. Nothing in the model itself was changed.",
            duration(numbers.seconds.training)
        ),
        rows,
        footer: format!(
            "Similarity to the training images, by a judge that compares faces (1 is the same, 0 a stranger): \
             {WORD} {:.2}, {INIT} {:.2}, another learned word ({OTHER}) {:.2}; the training images among themselves {:.2}. \
             Other words of the prompt were kept in {:.0} % of the images with {WORD}, in {:.0} % with {INIT}.",
            l.learned_word,
            l.init_word,
            l.other_word,
            l.pictures_among_themselves,
            100.0 * k.learned_word,
            100.0 * k.init_word
        ),
        columns: COLUMNS,
        side: SIDE,
    }
}

fn plain(pictures: Vec<RgbImage>) -> Vec<Cell> {
    pictures.into_iter().map(|picture| Cell { picture, caption: String::new() }).collect()
}

/// Cells with these captions, over and over.
fn captioned(pictures: Vec<RgbImage>, captions: &[String]) -> Vec<Cell> {
    let captions = captions.iter().cycle().cloned();
    pictures.into_iter().zip(captions).map(|(picture, caption)| Cell { picture, caption }).collect()
}

fn with_other_words(studio: &Studio<'_>, learned: &Embeddings) -> Result<Row, Failure> {
    let mut drawn: Vec<Vec<RgbImage>> = Vec::new();
    for (tail, _) in SCENES {
        let prompts: Vec<_> = TWO.map(|seed| (format!("photo of {WORD}{tail}"), seed)).collect();
        drawn.push(studio.draw(learned, &prompts)?);
    }
    let pictures = turned(drawn);
    let captions: Vec<String> = SCENES.iter().map(|(_, caption)| (*caption).into()).collect();
    Ok(Row {
        label: format!("photo of {WORD} …"),
        note: "… with other words, which are still followed. Seeds 3 and 4.".into(),
        cells: captioned(pictures, &captions),
        per_line: COLUMNS,
    })
}

fn weights(studio: &Studio<'_>, learned: &Embeddings) -> Result<Row, Failure> {
    let mut drawn = Vec::new();
    for weight in WEIGHTS {
        let prompt = format!("photo of ({WORD}:{weight})");
        let prompts: Vec<_> = TWO.map(|seed| (prompt.clone(), seed)).collect();
        drawn.push(studio.draw(learned, &prompts)?);
    }
    let captions: Vec<String> = WEIGHTS.iter().map(|w| format!("weight {w}")).collect();
    Ok(Row {
        label: format!("photo of ({WORD}:weight)"),
        note: "A weaker and a stronger embedding. Seeds 3 and 4.".into(),
        cells: captioned(turned(drawn), &captions),
        per_line: COLUMNS,
    })
}

/// The word from its start to its end, by the files that training wrote.
fn steps(studio: &Studio<'_>, outcome: &Outcome, out: &Path) -> Result<Row, Failure> {
    let mut stages = vec![("step 0".to_owned(), studio.word_at_start()?)];
    for (step, file) in step_files(outcome, out) {
        stages.push((format!("step {step}"), studio.word_of(&file)?));
    }
    let mut drawn = Vec::new();
    for (_, words) in &stages {
        let prompts: Vec<_> = TWO.map(|seed| (format!("photo of {WORD}"), seed)).collect();
        drawn.push(studio.draw(words, &prompts)?);
    }
    let captions: Vec<String> = stages.iter().map(|(name, _)| name.clone()).collect();
    Ok(Row {
        label: "Over the steps".into(),
        note: "The files saved during training, from the first to the last. Seeds 3 and 4.".into(),
        cells: captioned(turned(drawn), &captions),
        per_line: u32::try_from(captions.len()).unwrap_or(COLUMNS),
    })
}

/// The step files that there are, in order.
fn step_files(outcome: &Outcome, out: &Path) -> Vec<(usize, PathBuf)> {
    let file = |step| {
        let name = wayword_train::checkpoint::step_name(WORD, step);
        out.join(format!("{name}.safetensors"))
    };
    (1..=outcome.of).map(|step| (step, file(step))).filter(|(_, f)| f.is_file()).collect()
}

/// Pictures of each prompt, by seed, to pictures of each seed, by prompt.
fn turned(drawn: Vec<Vec<RgbImage>>) -> Vec<RgbImage> {
    let seeds = drawn.iter().map(Vec::len).min().unwrap_or(0);
    (0..seeds).flat_map(|i| drawn.iter().map(move |of_prompt| of_prompt[i].clone())).collect()
}
