//! `wayword demo`, whole: from a copy of the program in an empty folder.
use super::program::Program;

#[test]
fn demo_runs_from_an_empty_folder() {
    let program = Program::new();
    // Away from the build's folder, so that nothing beside the program can be found from it.
    let copy = program.path("the-program");
    std::fs::copy(env!("CARGO_BIN_EXE_wayword"), &copy).unwrap();
    let run = program.of(program.command_of(&copy, &["demo", "--out", "demo"]).output().unwrap());
    assert_eq!(run.code, Some(0), "{}\n{}", run.out, run.err);
    println!("{}", run.out);

    let numbers = std::fs::read_to_string(program.path("demo/numbers.json")).unwrap();
    let numbers: serde_json::Value = serde_json::from_str(&numbers).unwrap();
    let number = |at: &str| numbers.pointer(at).and_then(serde_json::Value::as_f64).unwrap();
    let (learned, init) = (number("/likeness/learned_word"), number("/likeness/init_word"));
    assert!(learned >= 0.85, "likeness of the learned word: {learned}");
    assert!(learned - init >= 0.6, "above the init word's: {learned} and {init}");
    assert!(learned - number("/likeness/other_word") >= 0.3, "above another word's");
    // demo/README.md has 0.72, of 32 pictures and another seed.
    assert!(number("/kept/learned_word") >= 0.6, "other words kept");
    assert!(number("/loss_at_fixed_noise/after") < number("/loss_at_fixed_noise/before"));

    let sheet = std::fs::read(program.path("demo/sheet.png")).unwrap();
    assert!(sheet.starts_with(b"\x89PNG") && sheet.len() > 100_000);
    for file in ["zarva-ti.safetensors", "zarva-ti-step00000200.safetensors", "numbers.txt"] {
        assert!(program.path(&format!("demo/{file}")).is_file(), "{file}");
    }
}
