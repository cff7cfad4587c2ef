//! What scripts rely on: exit codes, the last event, running again, names, flags of other trainers.
use super::program::{Program, model, zarva};
use serde_json::Value;

fn train(program: &Program, more: &[&str]) -> super::program::Run {
    let (model, zarva) = (model(), zarva());
    let mut words = vec!["train", &zarva, "--base", &model, "--name", "x-ti", "--init", "woman"];
    words.extend(["--steps", "2"]);
    words.extend(more);
    program.run(&words)
}

#[test]
fn a_failure_is_the_last_event() {
    let program = Program::new();
    let run = program.run(&["draw", "a cat", "--base", "gone.safetensors", "--json"]);
    let last: Value = serde_json::from_str(run.out.lines().last().unwrap()).unwrap();
    assert_eq!((run.code, last["event"].as_str()), (Some(1), Some("failed")));
    assert_eq!(last["exit_code"], 1);
    assert!(last["message"].as_str().unwrap().contains("gone.safetensors"), "{last}");
    assert!(last["hint"].is_string());
}

#[test]
fn running_again_does_what_was_asked() {
    let program = Program::new();
    assert_eq!(train(&program, &[]).code, Some(0));
    let again = train(&program, &[]);
    assert_eq!(again.code, Some(1), "{}", again.err);
    let skipped = train(&program, &["--if-exists", "skip"]);
    assert_eq!(skipped.code, Some(0), "{}", skipped.err);
    assert!(skipped.out.trim().ends_with("x-ti.safetensors"), "{}", skipped.out);
    assert!(skipped.err.contains("nothing to do"), "{}", skipped.err);
    let resumed = train(&program, &["--if-exists", "resume"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert_eq!(train(&program, &["--if-exists", "fail"]).code, Some(1));
}

#[test]
fn a_run_that_goes_on_keeps_its_options() {
    let program = Program::new();
    assert_eq!(train(&program, &[]).code, Some(0));
    let resume = |more: &[&str]| program.run(&[&["train", "--resume", "x-ti.run"], more].concat());
    assert_eq!(resume(&["--steps", "2", "--threads", "1"]).code, Some(0));
    for (more, part) in [
        (["--steps", "9"], "give --extend 7 to add steps"),
        (["--steps", "1"], "the run has 2"),
        (["--lr", "1"], "keeps its options"),
        (["--batch", "4"], "the run has 1"),
    ] {
        let run = resume(&more);
        assert_eq!(run.code, Some(1), "{more:?}");
        assert!(run.err.contains(part), "{more:?}: {}", run.err);
    }
    assert_eq!(resume(&["--extend", "2"]).code, Some(0));
    assert!(resume(&["--steps", "3"]).err.contains("the run has 4"));
}

#[test]
fn kohyas_flags_work_or_say_why_not() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let words = [
        "train",
        &zarva,
        "--pretrained_model_name_or_path",
        &model,
        "--output_name",
        "x-ti",
        "--init_word",
        "woman",
        "--max_train_steps",
        "2",
        "--train_batch_size",
        "2",
    ];
    program.well(&words);
    assert!(program.path("x-ti.safetensors").is_file());
    let refused = program.run(&["train", "photos", "--xformers"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("has no effect here"), "{}", refused.err);
    let moved = program.run(&["train", "--train_data_dir", "photos"]);
    assert_eq!(moved.code, Some(2));
    assert!(moved.err.contains("kohya's name"), "{}", moved.err);
}

#[test]
fn names_completions_and_pages_are_written() {
    let program = Program::new();
    let lists: Value = serde_json::from_str(&program.well(&["samplers", "--json"]).out).unwrap();
    assert!(lists["samplers"].as_array().unwrap().iter().any(|s| s["name"] == "Euler a"));
    assert!(lists["schedules"].as_array().unwrap().iter().any(|s| s["name"] == "Karras"));
    assert!(program.well(&["optimizers"]).out.contains("Prodigy"));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(program.well(&["completions", shell]).out.contains("wayword"), "{shell}");
    }
    program.well(&["man", "pages"]);
    for page in ["wayword.1", "wayword-train.1", "wayword-draw.1"] {
        assert!(program.path("pages").join(page).is_file(), "{page}");
    }
    let help = program.well(&["help", "train"]).out;
    assert_eq!(help, program.well(&["train", "--help"]).out);
}

#[test]
fn the_schema_of_events_is_current() {
    let program = Program::new();
    let written = program.well(&["schema", "events"]).out;
    let file = crate::cli::program::repository("docs/events.schema.json");
    if std::env::var_os("WAYWORD_BLESS").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(page == written, "docs/events.schema.json is old; write it with WAYWORD_BLESS=1");
    let schema: Value = serde_json::from_str(&written).unwrap();
    let known: Vec<&str> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["event"]["const"].as_str().unwrap())
        .collect();
    let run = program.run(&["draw", "a cat", "--base", "none.safetensors", "--json"]);
    let lines: Vec<Value> = run.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(!lines.is_empty() && known.contains(&"failed") && known.contains(&"step"));
    for line in lines {
        assert!(known.contains(&line["event"].as_str().unwrap()), "{line}");
    }
    assert!(program.well(&["schema", "draw"]).out.contains("\"sampler\""));
    assert!(program.run(&["schema", "drow"]).err.contains("there is no schema of `drow`"));
}
