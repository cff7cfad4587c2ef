//! `inspect` and `likeness` on the files of the repository.
use super::program::{Program, model, repository, zarva};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_checkpoint_is_told() {
    let program = Program::new();
    let run = program.well(&["inspect", &model(), "--json"]);
    let told = json(&run.out);
    assert_eq!(told["kind"], "checkpoint");
    assert_eq!(told["dtype"], "f16");
    assert_eq!(told["unet"]["shape"], "64, 96, 96, 64 wide, text states 128 wide");
    assert_eq!(told["text_encoder"]["shape"], "4 layers, 128 wide, 49408 tokens");
    let hash = told["sha256"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    assert_eq!(told["a1111_hash"], hash[..10]);
    let lines = program.well(&["inspect", &model()]).out;
    assert!(lines.contains("kind"), "{lines}");
    assert!(lines.lines().all(|l| l.len() < 200), "{lines}");
}

#[test]
fn embeddings_are_told() {
    let program = Program::new();
    let folder = repository("golden/kohya-saved");
    let mut told = 0;
    for entry in walk(&folder) {
        let run = program.run(&["inspect", &entry, "--json"]);
        if run.code != Some(0) {
            continue;
        }
        let facts = json(&run.out);
        if facts["kind"] == "embedding" {
            assert_eq!(facts["norms"].as_array().unwrap().len(), facts["vectors"], "{entry}");
            told += 1;
        }
    }
    assert!(told > 0, "no embedding in {}", folder.display());
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|e| e == "pt" || e == "safetensors") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn pictures_of_one_person_are_alike() {
    let program = Program::new();
    let other = repository("demo/concepts/100_mirabo woman").to_string_lossy().into_owned();
    let mean = |pictures: &str| {
        let run = program.well(&["likeness", pictures, "--to", &zarva(), "--json"]);
        let told = json(&run.out);
        assert_eq!(told["pictures"].as_array().unwrap().len(), 15);
        told["mean"].as_f64().unwrap()
    };
    let (same, different) = (mean(&zarva()), mean(&other));
    // The table of demo/README.md has 0.94 for the pictures among themselves.
    assert!((0.92..0.97).contains(&same), "{same}");
    assert!(different < 0.6, "{different}");
    let lines = program.well(&["likeness", &zarva(), "--to", &zarva()]).out;
    assert!(lines.lines().last().unwrap().starts_with("mean 0.9"), "{lines}");
}
