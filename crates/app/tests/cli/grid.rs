//! `grid` on the bundled model: axes, files, what is written.
use super::program::{Program, Run, model, repository, zarva};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

fn words() -> String {
    repository("demo/words").to_string_lossy().into_owned()
}

fn grid(program: &Program, more: &[&str]) -> Run {
    let (model, words) = (model(), words());
    let start = ["grid", "photo of mirabo-ti, sad", "--base", &model, "--embeddings", &words];
    program.run(&[&start[..], &["--steps", "2", "--seed", "1", "--cfg", "4"], more].concat())
}

fn cells(program: &Program, out: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(program.path(out).join("grid.json")).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    told["cells"].as_array().unwrap().clone()
}

fn rgb(path: &std::path::Path) -> image::RgbImage {
    image::open(path).unwrap().to_rgb8()
}

#[test]
fn a_grid_has_cells_a_sheet_and_a_page() {
    let program = Program::new();
    let axes = ["--x", "weight: 0.4, 1.2", "--y", "steps: 2-4 (+2)", "--z", "replace: sad, happy"];
    let run = grid(&program, &axes);
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(0), "grid/grid.png\ngrid/index.html\n"),
        "{}",
        run.err
    );
    // What all cells will take is said before the first.
    let estimate = run.err.lines().position(|line| line.contains(" for 8 images, ")).unwrap();
    let first = run.err.lines().position(|line| line.contains("cell 1 of 8")).unwrap();
    assert!(estimate < first, "{}", run.err);
    let cells = cells(&program, "grid");
    assert_eq!(cells.len(), 8);
    for cell in &cells {
        assert_eq!(
            rgb(&program.path("grid").join(cell["file"].as_str().unwrap())).dimensions(),
            (64, 64)
        );
    }
    let prompt =
        |i: usize| cells[i]["infotext"].as_str().unwrap().lines().next().unwrap().to_owned();
    assert_eq!(prompt(0), "photo of (mirabo-ti:0.4), sad");
    assert_eq!(prompt(7), "photo of (mirabo-ti:1.2), happy");
    assert!(cells[2]["infotext"].as_str().unwrap().contains("Steps: 4"));
    // A cell is the picture that `draw` makes of the same settings.
    let model = model();
    let single =
        ["draw", "photo of (mirabo-ti:1.2), sad", "--base", &model, "--embeddings", &words()];
    let more = ["--steps", "4", "--seed", "1", "--cfg", "4", "--out", "one.png"];
    program.well(&[&single[..], &more].concat());
    assert_eq!(rgb(&program.path("grid/cells/x01-y01-z00.png")), rgb(&program.path("one.png")));
    let page = std::fs::read_to_string(program.path("grid/index.html")).unwrap();
    for text in
        ["<h2>happy</h2>", "<th>Weight: 1.2</th>", "<th>Steps: 4</th>", "cells/x01-y01-z01.png"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("://"), "links are relative");
    let (width, height) = rgb(&program.path("grid/grid.png")).dimensions();
    assert!(width > 2 * 128 && height > 4 * 128, "{width} {height}");
    let again = grid(&program, &axes);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("--overwrite"), "{}", again.err);
}

#[test]
fn files_samplers_and_bases_are_axes() {
    let program = Program::new();
    let (model, word) = (model(), repository("demo/words/mirabo-ti.safetensors"));
    let rows = vec![0.2_f32; 128];
    let none = std::collections::BTreeMap::new();
    let path = program.path("mirabo-ti-000100.safetensors");
    wayword_formats::embedding::write_kohya(&path, &rows, 128, wayword_formats::Dtype::F32, &none)
        .unwrap();
    std::fs::copy(&model, program.path("other.safetensors")).unwrap();
    let files = format!("embedding: {}, mirabo-ti-000100.safetensors", word.display());
    let samplers = ["--y", "sampler: Euler, DDIM", "--out", "a"];
    let run = grid(&program, &[&["--x", &files][..], &samplers].concat());
    assert_eq!(run.code, Some(0), "{}", run.err);
    let told = cells(&program, "a");
    assert_eq!(told.len(), 4);
    let picture = |i: usize| rgb(&program.path("a").join(told[i]["file"].as_str().unwrap()));
    assert_ne!(picture(0), picture(1));
    assert!(told[3]["infotext"].as_str().unwrap().contains("Sampler: DDIM"));
    let run = grid(&program, &["--travel", &model, "other.safetensors", "--out", "b"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let told = cells(&program, "b");
    let picture = |i: usize| rgb(&program.path("b").join(told[i]["file"].as_str().unwrap()));
    assert_eq!(picture(0), picture(1), "the same model under another name");
    assert!(told[1]["infotext"].as_str().unwrap().contains("Model: other"));
}

#[test]
fn the_steps_of_a_training_are_an_axis() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let train = ["train", &zarva, "--base", &model, "--name", "zarva-ti", "--steps", "6"];
    let more = ["--save-every", "3", "--seed", "5", "--save-precision", "float", "--out", "words"];
    program.well(&[&train[..], &more].concat());
    let of = |more: &[&str]| {
        let start = ["grid", "photo of zarva-ti", "--base", &model, "--run", "words/zarva-ti.run"];
        let rest = ["--steps", "2", "--seed", "1", "--cfg", "4"];
        program.run(&[&start[..], &rest, more].concat())
    };
    let run = of(&["--x", "step: 3, 6", "--out", "a"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let told = cells(&program, "a");
    assert_eq!(told.len(), 2);
    // A step's cell is what `draw` makes of the file that the training saved at that step.
    let step = "words/zarva-ti-step00000003.safetensors";
    std::fs::create_dir(program.path("third")).unwrap();
    std::fs::copy(program.path(step), program.path("third/zarva-ti.safetensors")).unwrap();
    for (i, word) in ["third", "words/zarva-ti.safetensors"].into_iter().enumerate() {
        let single = ["draw", "photo of zarva-ti", "--base", &model, "--embeddings", word];
        let more = ["--steps", "2", "--seed", "1", "--cfg", "4", "--out", "one.png"];
        program.well(&[&single[..], &more].concat());
        let cell = program.path("a").join(told[i]["file"].as_str().unwrap());
        assert_eq!(rgb(&cell), rgb(&program.path("one.png")), "{word}");
    }
    let page = std::fs::read_to_string(program.path("a/index.html")).unwrap();
    assert!(page.contains("<th>Step: 3</th>") && page.contains("<th>Step: 6</th>"), "{page}");
    let run = of(&["--x", "step: all", "--y", "weight: 0.8, 1", "--out", "b"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    // Step 0 is the word as it began.
    assert_eq!(cells(&program, "b").len(), 14);
    let run = of(&["--x", "step: 3, 7", "--out", "c"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("step 7") && run.err.contains("steps 0 to 6"), "{}", run.err);
}

#[test]
fn the_weight_of_a_lora_is_an_axis() {
    let program = Program::new();
    let (model, loras) = (model(), repository("demo/loras").to_string_lossy().into_owned());
    let common = ["--base", &model, "--loras", &loras, "--steps", "2", "--seed", "1", "--cfg", "4"];
    let prompt = "photo of a man <lora:edvard2-lora:1> <lora:pascoe-lora:0.2>";
    let axis = "lora weight edvard2-lora: 0, 0.5, -0.5";
    program.well(&[&["grid", prompt, "--x", axis, "--out", "a"][..], &common].concat());
    let told = cells(&program, "a");
    assert_eq!(told.len(), 3);
    for (i, weight) in ["0", "0.5", "-0.5"].into_iter().enumerate() {
        let text = told[i]["infotext"].as_str().unwrap();
        assert!(text.contains(&format!("<lora:edvard2-lora:{weight}>")), "{text}");
        let prompt = prompt.replace("edvard2-lora:1", &format!("edvard2-lora:{weight}"));
        program.well(&[&["draw", &prompt, "--out", "one.png"][..], &common].concat());
        let cell = program.path("a").join(told[i]["file"].as_str().unwrap());
        assert_eq!(rgb(&cell), rgb(&program.path("one.png")), "{weight}");
    }
    let without = "photo of a man <lora:pascoe-lora:0.2>";
    program.well(&[&["draw", without, "--out", "one.png"][..], &common].concat());
    let cell = program.path("a").join(told[0]["file"].as_str().unwrap());
    assert_eq!(rgb(&cell), rgb(&program.path("one.png")), "a weight of 0 is none");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_cells_that_are_done() {
    let program = Program::new();
    let (model, words) = (model(), words());
    let start = ["grid", "photo of mirabo-ti", "--base", &model, "--embeddings", &words];
    let more = ["--x", "seed: 1-40", "--y", "weight: 0.8, 1", "--steps", "20", "--out", "grid"];
    let mut child =
        program.command(&[&start[..], &more].concat()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("cell 3 of 80")));
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:#?}");
    let rest = rest.join("\n");
    assert!(rest.contains("stopping: finishing the current step"), "{rest}");
    let told = cells(&program, "grid");
    assert!((3..80).contains(&told.len()), "{}", told.len());
    assert!(rest.contains(&format!("after {} of 80 cells", told.len())), "{rest}");
    let page = std::fs::read_to_string(program.path("grid/index.html")).unwrap();
    for cell in &told {
        let file = cell["file"].as_str().unwrap();
        assert!(page.contains(file), "{file}");
        assert_eq!(rgb(&program.path("grid").join(file)).dimensions(), (64, 64));
    }
    assert!(rgb(&program.path("grid/grid.png")).width() > 40 * 64);
    let files = std::fs::read_dir(program.path("grid/cells")).unwrap().count();
    assert_eq!(files, told.len(), "only cells that are done, and nothing half-written");
}

#[test]
fn a_cell_that_cannot_be_drawn_is_left_blank() {
    let program = Program::new();
    let run = grid(&program, &["--x", "clip skip: 1, 99", "--out", "c"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("1 of 2 cells could not be drawn"), "{}", run.err);
    assert_eq!(cells(&program, "c").len(), 1);
    assert!(program.path("c/grid.png").is_file());
}

#[test]
fn mistakes_are_told_before_anything_is_loaded() {
    let program = Program::new();
    let shown = |more: &[&str]| {
        let run = grid(&program, more);
        format!("exit {}\n{}", run.code.unwrap_or(-1), run.err)
    };
    let all = [
        shown(&[]),
        shown(&["--x", "weigth: 1"]),
        shown(&["--x", "steps: 10-20 (5)"]),
        shown(&["--x", "step: 100"]),
        shown(&["--x", "weight emma: 1"]),
        shown(&["--x", "replace: dog, cat"]),
        shown(&["--x", "lora weight: 1"]),
        shown(&["--x", "base: gone.safetensors"]),
        shown(&["--x", "seed: 1, 2", "--y", "seed: 3"]),
    ];
    insta::assert_snapshot!("grid_mistakes", all.join("\n"));
}

#[test]
fn what_does_not_fit_into_memory_is_refused_before_anything_is_made() {
    let program = Program::new();
    let told: Value = serde_json::from_str(&program.run(&["devices", "--json"]).out).unwrap();
    let free = told["devices"][0]["free"].as_u64().unwrap();
    if free > 45_000_000_000 {
        println!("skipped: this machine has room for what should not fit");
        return;
    }
    let model = model();
    let (x, more) = ("size: 64x64, 8192x8192", ["--base", &model, "--steps", "1"]);
    let draw = ["draw", "a", "--size", "8192,8192"];
    for (start, hint) in [
        (vec!["grid", "a", "--x", x], "use a smaller --size, end"),
        (draw.to_vec(), "use a smaller --size, end"),
        ([&draw[..], &["--count", "2", "--batch", "2"]].concat(), "--size or --batch, end"),
    ] {
        let run = program.run(&[&start[..], &more].concat());
        assert_eq!(run.code, Some(3), "{}", run.err);
        assert!(run.err.contains("error: drawing would take"), "{}", run.err);
        assert!(run.err.contains(hint) && run.err.contains("or try with --force"), "{}", run.err);
        assert!(!program.path("grid").exists());
    }
    // A LoRA that is not there ends it where it would begin to draw.
    let forced = ["grid", "a <lora:none:1>", "--x", "size: 8192x8192", "--force"];
    let run = program.run(&[&forced[..], &more].concat());
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(!run.err.contains("would take"), "{}", run.err);
}
