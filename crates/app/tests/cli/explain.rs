//! `explain`: trees, tokens, words, slips of the hand.
use super::program::{Program, repository};
use serde_json::Value;

fn words() -> String {
    repository("demo/words").to_string_lossy().into_owned()
}

#[test]
fn a_prompt_is_explained() {
    let program = Program::new();
    let prompt = "photo of (mirabo-ti:0.8) [wearing a crown:[sad|happy]:0.5] BREAK <mirabo-ti>, <lora:miraboo:0.7>";
    let run = program.well(&["explain", prompt, "--embeddings", &words(), "--steps", "4"]);
    insta::assert_snapshot!("explain", run.out.replace(&words(), "WORDS"));
}

#[test]
fn json_has_the_same() {
    let program = Program::new();
    let arguments = ["explain", "a photo of mirabo-tii AND embedding:zarva", "--json"];
    let run = program.well(&[&arguments[..], &["--embeddings", &words()]].concat());
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let side = &told["prompt"];
    assert_eq!(side["parts"].as_array().unwrap().len(), 2);
    assert_eq!(side["parts"][0]["steps"][0]["windows"][0]["tokens"][0]["text"], "a");
    assert_eq!(side["unknown"][0]["text"], "mirabo-tii");
    assert_eq!(side["unknown"][0]["did_you_mean"], "mirabo-ti");
    assert_eq!(side["unknown"][1]["text"], "embedding:zarva");
}

#[test]
fn mistakes_have_a_caret() {
    let program = Program::new();
    let shown = |prompt| {
        let run = program.run(&["explain", prompt]);
        format!("exit {}\n{}", run.code.unwrap_or(-1), run.err)
    };
    insta::assert_snapshot!("caret_weight", shown("a (red:1.2.3) hat"));
    insta::assert_snapshot!("caret_kind", shown("a hat <lroa:red:1>"));
    insta::assert_snapshot!("caret_number", shown("a hat <lora:red:strong>"));
}

#[test]
fn wildcards_are_filled_in() {
    let program = Program::new();
    std::fs::create_dir(program.path("wild")).unwrap();
    std::fs::write(program.path("wild/hats.txt"), "crown\n").unwrap();
    let run = program.well(&["explain", "a __hats__", "--wildcards", "wild"]);
    assert!(run.out.contains("filled in: a crown"), "{}", run.out);
    let run = program.well(&["explain", "a __hats__"]);
    assert!(run.out.contains("name the folder of wildcards by --wildcards"), "{}", run.out);
    let run = program.run(&["explain", "a __hat__", "--wildcards", "wild"]);
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.err.contains("^^^"), "{}", run.err);
}

#[test]
fn files_that_do_not_fit_the_base_are_told() {
    let program = Program::new();
    std::fs::create_dir(program.path("words")).unwrap();
    let rows = vec![0.1; 768];
    let none = std::collections::BTreeMap::new();
    let path = program.path("words/big.safetensors");
    wayword_formats::embedding::write_kohya(&path, &rows, 768, wayword_formats::Dtype::F32, &none)
        .unwrap();
    let model = super::program::model();
    let run = program.well(&["explain", "big", "--embeddings", "words"]);
    assert!(run.out.contains("{big, 1 vector}"), "{}", run.out);
    let run = program.well(&["explain", "big", "--embeddings", "words", "--base", &model]);
    assert!(run.out.contains("files left out"), "{}", run.out);
    assert!(run.out.contains("its vectors have 768 values"), "{}", run.out);
}
