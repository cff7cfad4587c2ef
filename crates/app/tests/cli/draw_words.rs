//! What a learned word is for, on the bundled model: alone, weakened, in a line of wildcards. The
//! bundled judge says how alike the person on the pictures is.
use super::program::{Program, model, repository};

const WORD: &str = "demo/words/mirabo-ti.safetensors";
const PERSON: &str = "demo/concepts/100_mirabo woman";

/// Draws pictures of a prompt into a folder and gives their mean likeness to the person.
fn likeness(program: &Program, prompt: &str, folder: &str) -> f64 {
    let path = |path: &str| repository(path).to_string_lossy().into_owned();
    let (model, word, person) = (model(), path(WORD), path(PERSON));
    program.well(&[
        "draw",
        prompt,
        "--base",
        &model,
        "--embeddings",
        &word,
        "--wildcards",
        "w",
        "--cfg",
        "4",
        "--seed",
        "1",
        "--count",
        "4",
        "--batch",
        "4",
        "--out",
        folder,
    ]);
    let said = program.well(&["likeness", folder, "--to", &person, "--json"]).out;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    said["mean"].as_f64().unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_word_draws_its_person() {
    let program = Program::new();
    std::fs::create_dir(program.path("w")).unwrap();
    let file = |name: &str, lines: &str| std::fs::write(program.path(name), lines).unwrap();
    file("w/look.txt", "wearing a crown\nwearing a red shirt\nlaughing\n");
    file("w/place.txt", "at the beach\nin the snow\non a green background\n");
    let alone = likeness(&program, "photo of mirabo-ti", "alone");
    let weaker = likeness(&program, "photo of (mirabo-ti:0.8)", "weaker");
    let line = "{photo|picture} of mirabo-ti, __look__, __place__";
    let wild = likeness(&program, line, "wild");
    let nobody = likeness(&program, "photo of a woman", "nobody");
    println!("alone {alone}, weakened {weaker}, in a line {wild}, without the word {nobody}");
    assert!(alone > 0.8 && weaker > 0.75, "alone {alone}, weakened {weaker}");
    assert!(wild > 0.6, "in a line {wild}");
    assert!(nobody < alone - 0.4, "without the word {nobody}");
}
