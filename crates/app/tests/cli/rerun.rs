//! `wayword rerun`: the same bytes again, and what is refused.
use super::program::{Program, model, zarva};
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::SafeTensors;

/// Tensor bytes and metadata, without date and program version.
fn content(path: &Path) -> (Vec<u8>, BTreeMap<String, String>) {
    let file = SafeTensors::open(path).unwrap();
    let mut metadata: BTreeMap<String, String> =
        file.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    metadata.remove("modelspec.date").unwrap();
    metadata.remove("modelspec.implementation_version").unwrap();
    (file.get("emb_params").unwrap().bytes().to_vec(), metadata)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_run_is_repeated_from_its_file() {
    let program = Program::new();
    let model = model();
    copy(Path::new(&zarva()), &program.path("100_zarva woman"));
    let flags = ["train", "100_zarva woman", "--base", &model, "--name", "zarva-ti", "--steps"];
    let more = ["6", "--save-every", "4", "--lr", "2e-3", "--shuffle-caption", "--batch", "2"];
    program.well(&[&flags[..], &more[..], &["--out", "a"]].concat());
    let first = content(&program.path("a/zarva-ti.safetensors"));
    assert!(!first.1["wayword.run"].contains(&*program.here().to_string_lossy()), "no paths");
    assert_eq!(first.1["wayword.base"], "wayword-mini.safetensors");

    program.well(&["rerun", "a/zarva-ti.safetensors", "--out", "b", "--threads", "1"]);
    assert!(first == content(&program.path("b/zarva-ti.safetensors")));
    let step = "zarva-ti-step00000004.safetensors";
    let (a, b) = (program.path("a").join(step), program.path("b").join(step));
    assert!(content(&a) == content(&b));

    // The file alone, with the pictures and the base elsewhere.
    std::fs::create_dir(program.path("sent")).unwrap();
    std::fs::copy(a, program.path("sent/word.safetensors")).unwrap();
    std::fs::rename(program.path("100_zarva woman"), program.path("mine")).unwrap();
    let run = program.run(&["rerun", "sent/word.safetensors", "--out", "c"]);
    assert!(run.err.contains("the run's checkpoint is not at hand"), "{}", run.err);
    let sent = ["rerun", "sent/word.safetensors", "--base", &model, "--out", "c"];
    let run = program.run(&sent);
    assert!(run.err.contains("is missing"), "{}", run.err);
    program.well(&["rerun", "sent/word.safetensors", "mine", "--base", &model, "--out", "c"]);
    assert!(first == content(&program.path("c/zarva-ti.safetensors")));
}

#[test]
fn another_base_and_a_changed_picture_are_refused() {
    let program = Program::new();
    let model = model();
    copy(Path::new(&zarva()), &program.path("100_zarva woman"));
    let flags = ["train", "100_zarva woman", "--base", &model, "--name", "zarva-ti"];
    program.well(&[&flags[..], &["--steps", "2", "--out", "a"]].concat());

    let mut bytes = std::fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(program.path("merge.safetensors"), bytes).unwrap();
    let rerun = ["rerun", "a/zarva-ti.safetensors", "--out", "b"];
    let run = program.run(&[&rerun[..], &["--base", "merge.safetensors"]].concat());
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("merge.safetensors is not the base of this run"), "{}", run.err);

    let mut names: Vec<_> = std::fs::read_dir(program.path("100_zarva woman"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "txt"))
        .collect();
    names.sort();
    std::fs::copy(&names[1], &names[0]).unwrap();
    let run = program.run(&rerun);
    let name = names[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(run.err.contains(&format!("{name} was changed")), "{}", run.err);

    let run = program.run(&["rerun", "a/zarva-ti.safetensors", "--out", "a"]);
    assert!(run.err.contains("a run of this name already exists"), "{}", run.err);
    let words = super::program::repository("demo/words/mirabo-ti.safetensors");
    let run = program.run(&["rerun", &words.to_string_lossy()]);
    assert!(run.err.contains("no run manifest"), "{}", run.err);
}
