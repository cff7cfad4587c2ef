//! Files of other kinds given as a base model: each is refused in words, none is taken apart
//! into a model that draws noise.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::PathBuf;
use wayword_formats::Checkpoint;
use wayword_testing::{Report, files, topic};

fn all(folder: &str, topic: &wayword_testing::Topic) -> Vec<PathBuf> {
    let dir = topic.dir.join(folder);
    ["safetensors", "pt", "bin", "png"].iter().flat_map(|ext| files(&dir, ext)).collect()
}

#[test]
fn golden_lora_is_not_a_base() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_is_not_a_base");
    for path in all("files", &topic) {
        let error = Checkpoint::open(&path).map(|_| ()).expect_err("no base model");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_embeddings_are_not_a_base() {
    let Some(topic) = topic("embeddings") else { return };
    let mut report = Report::new("golden_embeddings_are_not_a_base");
    for folder in ["files", "hostile", "broken", "."] {
        for path in all(folder, &topic) {
            assert!(Checkpoint::open(&path).is_err(), "{}", path.display());
            report.ran();
        }
    }
    report.finish();
}
