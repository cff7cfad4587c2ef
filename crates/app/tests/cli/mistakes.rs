//! Mistakes of a user: each is told in a sentence, with a way out and the right exit code.
use super::program::{Program, Run, model, zarva};

fn shown(run: &Run) -> String {
    format!("exit {}\n{}", run.code.unwrap_or(-1), run.err)
}

#[test]
fn nothing_to_do_shows_help() {
    let run = Program::new().run(&[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("Usage: wayword <COMMAND>"), "{}", run.err);
}

#[test]
fn unknown_flags_are_refused() {
    insta::assert_snapshot!(shown(&Program::new().run(&["draw", "a cat", "--stepps", "20"])));
}

#[test]
fn a_prompt_without_quotes_is_noticed() {
    for command in ["draw", "grid", "explain"] {
        let run = Program::new().run(&[command, "photo", "of", "a", "cat"]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains("unexpected `of` after the prompt"), "{}", run.err);
        assert!(run.err.contains("in double quotes"), "{}", run.err);
    }
}

#[test]
fn a_photo_is_named_for_what_it_is() {
    let program = Program::new();
    image::RgbImage::new(20, 10).save(program.path("a.jpg")).unwrap();
    let run = program.run(&["draw", "a cat", "--base", "a.jpg"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("a JPEG image"), "{}", run.err);
    let shown = program.well(&["inspect", "a.jpg", "--no-hash"]).out;
    assert!(shown.contains("20 x 10") && shown.contains("image"), "{shown}");
}

#[test]
fn sizes_that_no_model_takes_are_refused() {
    insta::assert_snapshot!(shown(&Program::new().run(&["draw", "a cat", "--size", "500,512"])));
}

#[test]
fn a_name_is_needed() {
    insta::assert_snapshot!(shown(&Program::new().run(&["train", "pictures"])));
}

#[test]
fn no_base_and_none_found() {
    let program = Program::new();
    insta::assert_snapshot!(shown(&program.run(&["draw", "a cat"])));
}

#[test]
fn no_base_and_strangers_found() {
    let program = Program::new();
    let folder = program.path("ComfyUI/models/checkpoints");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("dream.safetensors"), b"not an original").unwrap();
    insta::assert_snapshot!(shown(&program.run(&["draw", "a cat"])));
}

#[test]
fn a_base_that_is_not_there() {
    insta::assert_snapshot!(shown(&Program::new().run(&[
        "draw",
        "a cat",
        "--base",
        "gone.safetensors"
    ])));
}

#[test]
fn a_base_that_is_no_checkpoint() {
    let program = Program::new();
    std::fs::write(program.path("page.safetensors"), b"<!DOCTYPE html><html>").unwrap();
    insta::assert_snapshot!(shown(&program.run(&["draw", "a cat", "--base", "page.safetensors"])));
}

#[test]
fn an_empty_folder_of_pictures() {
    let program = Program::new();
    std::fs::create_dir(program.path("pictures")).unwrap();
    let model = model();
    let run =
        program.run(&["train", "pictures", "--base", &model, "--name", "x-ti", "--init", "dog"]);
    insta::assert_snapshot!(shown(&run).replace(&model, "MODEL"));
}

#[test]
fn captions_without_the_word_teach_nothing() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let run = program.run(&[
        "train",
        &zarva,
        "--base",
        &model,
        "--name",
        "zarva-ti",
        "--template",
        "none",
    ]);
    insta::assert_snapshot!(shown(&run).replace(&model, "MODEL").replace(&zarva, "ZARVA"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    insta::assert_snapshot!(shown(&Program::new().run(&["inspect", "gone.safetensors"])));
    insta::assert_snapshot!(shown(&Program::new().run(&["likeness", "a.png", "--to", "b"])));
}

#[test]
fn flags_of_other_programs_and_slips() {
    for (words, means) in [
        (["draw", "a cat", "--width"], "--size W,H"),
        (["draw", "a cat", "--no-half"], "--precision f32"),
        (["grid", "a cat", "--batch-count"], "--count N"),
    ] {
        let told = shown(&Program::new().run(&words));
        assert!(told.starts_with("exit 2\n") && told.contains("is not an option here"), "{told}");
        assert!(told.contains(means), "{told}");
    }
    let slip = shown(&Program::new().run(&["draw", "a cat", "--widht", "64"]));
    assert!(slip.contains("'--widht'") && !slip.contains("as a value"), "{slip}");
}

#[test]
fn a_folder_without_its_quotes_is_noticed_before_a_base_is_looked_for() {
    let program = Program::new();
    std::fs::create_dir(program.path("my photos")).unwrap();
    let missing = shown(&program.run(&["train", "photos", "--name", "x-ti"]));
    assert!(missing.contains("photos: folder not found"), "{missing}");
    let unquoted = shown(&program.run(&["train", "my", "photos", "--name", "x-ti"]));
    assert!(unquoted.contains("put the name in quotes: \"my photos\""), "{unquoted}");
    assert!(!(missing + &unquoted).contains("searching for"));
}
