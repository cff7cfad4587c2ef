//! `wayword draw` on the bundled model: files, seeds, mistakes in prompts.
use super::program::{Program, model};

fn draw(program: &Program, more: &[&str]) -> super::program::Run {
    let model = model();
    let mut arguments = vec!["draw", "photo of emma", "--base", &model, "--steps", "2"];
    arguments.extend(more);
    program.run(&arguments)
}

#[test]
fn a_seed_gives_the_same_picture() {
    let program = Program::new();
    for name in ["a.png", "b.png"] {
        let run = draw(&program, &["--seed", "3", "--out", name]);
        assert_eq!((run.code, run.out), (Some(0), format!("{name}\n")), "{}", run.err);
    }
    draw(&program, &["--seed", "4", "--out", "c.png"]);
    let file = |name: &str| std::fs::read(program.path(name)).unwrap();
    assert_eq!(file("a.png"), file("b.png"));
    assert_ne!(file("a.png"), file("c.png"));
}

#[test]
fn what_a_drawing_takes_is_told_before_it_begins() {
    let program = Program::new();
    let run = draw(&program, &["--seed", "3", "--count", "2", "--out", "p"]);
    let lines: Vec<&str> = run.err.lines().collect();
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
    let estimate = lines[place("estimate: ")];
    assert!(estimate.contains(" for 2 images, ") && estimate.ends_with(" of memory"), "{estimate}");
    assert!(place("estimate: ") < place("image 1 of 2"), "{}", run.err);
    let run = draw(&program, &["--seed", "3", "--json", "--out", "p"]);
    let events: Vec<serde_json::Value> =
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let forecast = events.iter().find(|event| event["event"] == "forecast").unwrap();
    assert_eq!(forecast["pictures"], 1);
    let number = |key: &str| forecast[key].as_f64().unwrap();
    assert!(number("seconds") > 0.0 && number("memory") > 1e7, "{forecast}");
}

#[test]
fn numbers_go_on_where_they_ended() {
    let program = Program::new();
    assert_eq!(draw(&program, &["--seed", "1", "--out", "p"]).out, "p/00000-1.png\n");
    assert_eq!(draw(&program, &["--seed", "9", "--out", "p"]).out, "p/00001-9.png\n");
}

#[test]
fn every_sampler_that_help_names_draws() {
    let program = Program::new();
    for sampler in ["Euler", "Euler a", "DPM++ 2M Karras", "DDIM"] {
        let run = draw(&program, &["--sampler", sampler, "--seed", "1", "--out", "s.png"]);
        assert_eq!(run.code, Some(0), "{sampler}: {}", run.err);
    }
}

#[test]
fn mistakes_are_told() {
    let program = Program::new();
    let model = model();
    let shown = |run: super::program::Run| {
        format!("exit {}\n{}", run.code.unwrap_or(-1), run.err.replace(&model, "MODEL"))
    };
    insta::assert_snapshot!("sampler", shown(draw(&program, &["--sampler", "Euler b"])));
    insta::assert_snapshot!("one_file", shown(draw(&program, &["--count", "2", "--out", "x.png"])));
    insta::assert_snapshot!("clip_skip", shown(draw(&program, &["--clip-skip", "9"])));
    insta::assert_snapshot!("embeddings", shown(draw(&program, &["--embeddings", "gone"])));
}

#[test]
fn words_are_called_as_in_other_programs_and_files_left_out_are_told() {
    let program = Program::new();
    let folder = program.path("words/more");
    std::fs::create_dir_all(&folder).unwrap();
    let word = super::program::repository("demo/words/mirabo-ti.safetensors");
    std::fs::copy(&word, program.path("words/mirabo-ti.safetensors")).unwrap();
    std::fs::copy(&word, folder.join("mirabo-ti.safetensors")).unwrap();
    std::fs::write(folder.join("broken.pt"), "no pickle").unwrap();
    std::fs::copy(&word, folder.join("Mirabo-TI.safetensors")).unwrap();
    std::fs::copy(&word, folder.join(" .safetensors")).unwrap();
    let model = model();
    let picture = |prompt: &str| {
        let arguments = ["draw", prompt, "--base", &model, "--steps", "2", "--seed", "1"];
        let more = ["--embeddings", "words", "--out", "p.png"];
        let run = program.well(&[&arguments[..], &more].concat());
        assert!(run.err.contains("the name `mirabo-ti` is already used by"), "{}", run.err);
        assert!(run.err.contains("broken.pt"), "{}", run.err);
        assert!(run.err.contains("is read as `mirabo-ti`"), "{}", run.err);
        assert!(run.err.contains("a name with letters"), "{}", run.err);
        let bytes = std::fs::read(program.path("p.png")).unwrap();
        image::load_from_memory(&bytes).unwrap().to_rgb8().into_raw()
    };
    let plain = picture("photo of mirabo-ti, sad");
    assert_eq!(picture("photo of embedding:mirabo-ti, sad"), plain);
    assert_eq!(picture("photo of <mirabo-ti>, sad"), plain);
    assert_eq!(picture("photo of embedding:more/mirabo-ti.pt, sad"), plain);
    assert_ne!(picture("photo of a woman, sad"), plain);
}
