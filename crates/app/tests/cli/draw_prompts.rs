//! `wayword draw --prompts`: files of prompts.
use super::draw_from::{draw, text};
use super::program::{Program, model};

#[test]
fn a_file_of_prompts_is_drawn_line_by_line() {
    let program = Program::new();
    let lines = "a cat\n\n--prompt \"a dog\" --seed 9 --steps 2 --n_iter 2\n";
    std::fs::write(program.path("prompts.txt"), lines).unwrap();
    let common = ["--prompts", "prompts.txt", "--seed", "3", "--steps", "1", "--out", "p"];
    let files = draw(&program, &common).out;
    let drawn: Vec<(String, Option<String>)> = files
        .lines()
        .map(|f| {
            let text = text(&program, f);
            (text.prompt.clone(), text.get("Seed").map(str::to_owned))
        })
        .collect();
    let want = [("a cat", "3"), ("a dog", "9"), ("a dog", "10")];
    assert_eq!(drawn.len(), 3);
    for ((prompt, seed), (p, s)) in drawn.iter().zip(want) {
        assert_eq!((prompt.as_str(), seed.as_deref()), (p, Some(s)));
    }
    std::fs::write(program.path("prompts.txt"), "--prompt a --styles x\n").unwrap();
    let model = model();
    let run = program.run(&["draw", "--base", &model, "--prompts", "prompts.txt"]);
    assert!(run.err.contains("line 1") && run.err.contains("styles"), "{}", run.err);
}

#[test]
fn lines_are_read_as_in_a1111() {
    let program = Program::new();
    let lines = "--prompt a dog in snow --width 72 --seed -1 --steps 1 --do_not_save_grid true\n\
                 --prompt \"a cat\" --subseed 5 --seed 3 --n_iter 2\na fox\n";
    std::fs::write(program.path("p.txt"), lines).unwrap();
    let files = draw(&program, &["--prompts", "p.txt", "--steps", "1", "--out", "p"]).out;
    let drawn: Vec<_> = files.lines().map(|file| text(&program, file)).collect();
    let seeds: Vec<&str> = drawn.iter().filter_map(|text| text.get("Seed")).collect();
    assert_eq!((drawn[0].prompt.as_str(), drawn[0].get("Size")), ("a dog in snow", Some("72x64")));
    // A second seed without strength is none, so the pictures' seeds count on.
    assert_eq!((seeds[1], seeds[2], drawn[1].get("Variation seed")), ("3", "4", None));
    // Where nobody says a seed, each line has its own.
    assert!(seeds[0] != seeds[3], "{seeds:?}");
    let model = model();
    for (line, word) in [
        ("(a:1.2.3)", "line 2: "),
        ("a {b|c", "line 2: "),
        ("--prompt a --width 60", "multiples of 8"),
        ("--prompt a --tiling true", "tiling"),
    ] {
        std::fs::write(program.path("q.txt"), format!("a\n{line}\n")).unwrap();
        let run = program.run(&["draw", "--base", &model, "--prompts", "q.txt", "--out", "q"]);
        let told = run.err.contains(word) && run.err.contains("q.txt, line 2");
        assert!(run.code == Some(1) && told, "{}", run.err);
    }
}
