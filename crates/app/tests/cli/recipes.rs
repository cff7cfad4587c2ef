//! Options from files: what is saved is read again, what wins, what is refused.
use super::program::{Program, model, zarva};
use serde_json::Value;

/// The plan of the run `zarva-ti` in `out`, without its start.
fn plan(program: &Program, out: &str) -> Value {
    let text = std::fs::read(program.path(&format!("{out}/zarva-ti.run/plan.json"))).unwrap();
    let mut plan: Value = serde_json::from_slice(&text).unwrap();
    let object = plan.as_object_mut().unwrap();
    object.remove("started");
    object.remove("out");
    plan
}

#[test]
fn a_saved_config_gives_the_same_plan() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let flags = ["train", &zarva, "--base", &model, "--name", "zarva-ti", "--seed", "5", "--steps"];
    let more = ["2", "--lr", "2e-3", "--warmup", "50%", "--scheduler", "cosine", "--template"];
    let all = [&flags[..], &more[..], &["style", "--threads", "2"]].concat();
    program.well(&[&all[..], &["--out", "a"]].concat());
    let saved = program.well(&[&all[..], &["--save-config", "wayword.toml"]].concat());
    assert_eq!(saved.out.trim_end(), "wayword.toml");
    program.well(&["train", "--config", "wayword.toml", "--out", "b"]);
    assert_eq!(plan(&program, "a"), plan(&program, "b"));
    let again = program.run(&[&all[..], &["--save-config", "wayword.toml"]].concat());
    assert!(again.err.contains("already exists"), "{}", again.err);
}

#[test]
fn flags_win_over_files_and_slips_are_named() {
    let program = Program::new();
    let options = "--token_string w --learning_rate 1e-6 --train_data_dir img --odd 1";
    std::fs::write(program.path("kohya.sh"), options).unwrap();
    std::fs::write(program.path("own.toml"), "steps = 7\nlr = 0.002\n").unwrap();
    let files = ["train", "--kohya", "kohya.sh", "--config", "own.toml", "--steps", "9"];
    let run = program.well(&[&files[..], &["--save-config", "all.toml"]].concat());
    for part in ["learning_rate = 1e-6 -> learning_rate", "odd = 1: unknown", "can hardly teach"] {
        assert!(run.err.contains(part), "{part}: {}", run.err);
    }
    let all = std::fs::read_to_string(program.path("all.toml")).unwrap();
    for line in ["steps = 9", "learning_rate = \"0.002\"", "name = \"w\"", "images = [\"img\"]"] {
        assert!(all.lines().any(|l| l == line), "{line}: {all}");
    }
    std::fs::write(program.path("own.toml"), "\nstesp = 7\n").unwrap();
    let run = program.run(&["train", "--config", "own.toml"]);
    assert!(run.err.contains("own.toml, line 2: `stesp`"), "{}", run.err);
    assert!(run.err.contains("did you mean `steps`?"), "{}", run.err);
}
