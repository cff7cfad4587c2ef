//! `wayword train` on the bundled model: files, refusal, killed and continued, stopped by Ctrl-C.
use super::program::{Program, model, zarva};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

fn arguments<'a>(model: &'a str, pictures: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["train", pictures, "--base", model, "--name", "zarva-ti", "--seed", "5"];
    all.extend(["--out", "out", "--threads", "2"]);
    all.extend(more);
    all
}

/// Events of `--json`.
fn events(out: &str) -> Vec<Value> {
    out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == name).collect()
}

#[test]
fn a_word_is_learned_and_drawn() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let run = program.well(&arguments(&model, &zarva, &["--steps", "6", "--save-every", "4"]));
    assert!(
        run.err.contains("woman"),
        "the class word of the folder is the init word\n{}",
        run.err
    );
    assert!(run.err.contains("step 6 of 6"), "{}", run.err);
    let word = program.path("out/zarva-ti.safetensors");
    assert_eq!(run.out.trim_end(), "HERE/out/zarva-ti.safetensors");
    assert!(word.is_file());
    assert!(program.path("out/zarva-ti-step00000004.safetensors").is_file());
    assert!(program.path("out/zarva-ti.run/plan.json").is_file());

    let run = program.well(&[
        "draw",
        "photo of (zarva-ti:0.8)",
        "--base",
        &model,
        "--embeddings",
        "out",
        "--steps",
        "2",
        "--cfg",
        "4",
        "--seed",
        "7",
        "--count",
        "2",
        "--out",
        "pictures",
    ]);
    assert_eq!(run.out, "pictures/00000-7.png\npictures/00001-8.png\n");
    assert!(!run.err.contains("warning"), "{}", run.err);
    let png = std::fs::read(program.path("pictures/00000-7.png")).unwrap();
    let texts = wayword_formats::png_text::read(&png).unwrap();
    let text = &texts.iter().find(|t| t.key == "parameters").unwrap().text;
    assert!(text.starts_with("photo of (zarva-ti:0.8)\nSteps: 2, Sampler: DPM++ 2M"), "{text}");
    assert!(text.contains("TI hashes: \"zarva-ti: "), "{text}");
}

#[test]
fn events_are_json() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let run = program.well(&arguments(&model, &zarva, &["--steps", "3", "--json"]));
    assert_eq!(run.err, "");
    let events = events(&run.out);
    let steps = named(&events, "step");
    assert_eq!(steps.len(), 3);
    assert!(steps.iter().all(|s| s["loss"].as_f64().unwrap() > 0.0));
    let plan = named(&events, "plan")[0];
    assert_eq!(plan["steps"], 3);
    assert_eq!(plan["pictures"], 15);
    // 1e-3 times the size of this base's word vectors over that of Stable Diffusion 1.5's, and twice
    // that by the recipe.
    assert!((plan["lr"].as_f64().unwrap() - 1.2e-2).abs() < 4e-4);
    assert_eq!(named(&events, "finished").len(), 1);
}

#[test]
fn a_begun_run_is_refused_and_resumed() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let arguments = arguments(&model, &zarva, &["--steps", "40", "--save-every", "20", "--json"]);
    let mut child = program.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if line.unwrap().contains("\"step\":5,") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!program.path("out/zarva-ti.safetensors").exists());

    let refused = program.run(&arguments);
    assert_eq!(refused.code, Some(1));
    insta::assert_snapshot!(refused.err);

    let resumed = program.well(&["train", "--resume", "out/zarva-ti.run", "--threads", "2"]);
    assert!(resumed.err.contains("step 40 of 40"), "{}", resumed.err);
    assert!(program.path("out/zarva-ti.safetensors").is_file());

    // The same as a run that was never killed.
    let other = Program::new();
    other.well(&arguments);
    let bytes = |p: &Program| {
        let file = wayword_formats::SafeTensors::open(&p.path("out/zarva-ti.safetensors")).unwrap();
        file.get("emb_params").unwrap().to_f32().unwrap()
    };
    assert_eq!(bytes(&program), bytes(&other));

    let again = program.well(&[&arguments[..], &["--overwrite"]].concat());
    assert_eq!(again.code, Some(0));
}

#[cfg(unix)]
#[test]
fn the_first_ctrl_c_saves_and_says_how_to_go_on() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let arguments = arguments(&model, &zarva, &["--steps", "5000"]);
    let mut child = program.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.any(|line| line.unwrap().starts_with("step 1 of"));
    assert!(begun);
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:#?}");
    let rest = rest.join("\n");
    assert!(rest.contains("stopping: finishing the current step, then saving"), "{rest}");
    assert!(rest.contains("hint: go on with `wayword train --resume"), "{rest}");
    assert!(program.path("out/zarva-ti.run/state.safetensors").is_file());
}
