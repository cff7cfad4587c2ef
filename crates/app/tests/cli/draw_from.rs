//! `wayword draw` from other pictures: repeated, changed, painted into, enlarged; and wildcards.
use super::program::{Program, Run, model, repository};
use std::path::Path;
use wayword_formats::infotext::Infotext;
use wayword_formats::picture_text;
use wayword_formats::png_text::{PngText, encode_rgb8};

pub(crate) fn draw(program: &Program, more: &[&str]) -> Run {
    let model = model();
    let mut arguments = vec!["draw", "--base", &model];
    arguments.extend(more);
    program.well(&arguments)
}

pub(crate) fn text(program: &Program, name: &str) -> Infotext {
    picture_text::read(&program.path(name)).unwrap().infotext
}

fn levels(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().to_rgb8().into_raw()
}

#[test]
fn a_picture_is_repeated_from_itself() {
    let program = Program::new();
    let prompt = "a (photo:1.2) of [emma|a dog]";
    let first = [
        prompt,
        "--negative",
        "blue",
        "--seed",
        "5",
        "--steps",
        "3",
        "--sampler",
        "Euler a",
        "--schedule",
        "Karras",
        "--cfg",
        "5",
        "--subseed",
        "8",
        "--subseed-strength",
        "0.3",
        "--eta",
        "0.5",
        "--noise",
        "nv",
        "--emphasis",
        "no-norm",
        "--ensd",
        "31337",
        "--size",
        "64,72",
    ];
    for (name, again) in [("a.png", "a2.png"), ("b.jpg", "b2.png"), ("c.webp", "c2.png")] {
        let mut arguments = first.to_vec();
        arguments.extend(["--out", name]);
        draw(&program, &arguments);
        let run = draw(&program, &["--from", name, "--out", again]);
        assert!(!run.err.contains("warning"), "{}", run.err);
        assert_eq!(text(&program, name), text(&program, again));
    }
    let same = levels(&program.path("a.png"));
    for name in ["a2.png", "b2.png", "c.webp", "c2.png"] {
        assert!(levels(&program.path(name)) == same, "{name} differs");
    }
    draw(&program, &["--from", "a.png", "--seed", "6", "--out", "d.png"]);
    assert_eq!(text(&program, "d.png").get("Seed"), Some("6"));
    assert_eq!(text(&program, "d.png").get("Eta"), Some("0.5"));
}

#[test]
fn what_cannot_be_repeated_is_told() {
    let program = Program::new();
    let word = repository("demo/words/mirabo-ti.safetensors").to_string_lossy().into_owned();
    draw(
        &program,
        &["mirabo-ti", "--embeddings", &word, "--steps", "1", "--seed", "1", "--out", "a.png"],
    );
    let run = draw(&program, &["--from", "a.png", "--out", "b.png"]);
    assert!(run.err.contains("the word `mirabo-ti`"), "{}", run.err);
    let run = draw(&program, &["--from", "a.png", "--embeddings", &word, "--out", "b.png"]);
    assert!(!run.err.contains("warning"), "{}", run.err);
    draw(&program, &["x", "--image", "a.png", "--steps", "2", "--seed", "1", "--out", "c.png"]);
    let model = model();
    let run = program.run(&["draw", "--base", &model, "--from", "c.png"]);
    assert!(run.err.contains("--image"), "{}", run.err);
    draw(&program, &["--from", "c.png", "--image", "a.png", "--out", "d.png"]);
    assert!(levels(&program.path("c.png")) == levels(&program.path("d.png")));
}

#[test]
fn a_mask_keeps_the_rest() {
    let program = Program::new();
    draw(&program, &["a cat", "--steps", "2", "--seed", "1", "--out", "a.png"]);
    let (width, height) = image::image_dimensions(program.path("a.png")).unwrap();
    let mask = image::GrayImage::from_fn(width, height, |x, _| {
        image::Luma([if x < width / 4 { 255 } else { 0 }])
    });
    mask.save(program.path("m.png")).unwrap();
    for more in [&[][..], &["--only-masked", "--padding", "8"], &["--fill", "latent-noise"]] {
        let mut arguments = vec![
            "a dog",
            "--image",
            "a.png",
            "--mask",
            "m.png",
            "--steps",
            "4",
            "--seed",
            "2",
            "--denoise",
            "0.9",
            "--mask-blur",
            "2",
            "--out",
            "b.png",
        ];
        arguments.extend(more);
        draw(&program, &arguments);
        let (a, b) = (levels(&program.path("a.png")), levels(&program.path("b.png")));
        let at = |v: &[u8], x: u32, y: u32| v[((y * width + x) * 3) as usize];
        let right = (0..height).all(|y| at(&a, width - 1, y) == at(&b, width - 1, y));
        assert!(right, "{more:?}: the kept part changed");
        assert!((0..height).any(|y| at(&a, 1, y) != at(&b, 1, y)), "{more:?}: nothing changed");
    }
}

#[test]
fn a_second_pass_enlarges() {
    let program = Program::new();
    let first = ["a cat", "--steps", "2", "--seed", "1", "--size", "64,64"];
    let mut arguments = first.to_vec();
    arguments.extend(["--hires-scale", "1.5", "--hires-upscaler", "lanczos", "--out", "a.png"]);
    draw(&program, &arguments);
    assert_eq!(image::image_dimensions(program.path("a.png")).unwrap(), (96, 96));
    let model = model();
    let run = program.run(&["draw", "x", "--base", &model, "--hires-steps", "3"]);
    assert!(run.err.contains("--hires-scale 2"), "{}", run.err);
}

#[test]
fn a_second_pass_of_its_own_is_repeated_from_the_text() {
    let program = Program::new();
    let first = ["a cat, {red|blue}", "--negative", "bad", "--steps", "3", "--seed", "1"];
    let second = [
        "--size",
        "64,64",
        "--hires-size",
        "96,0",
        "--hires-steps",
        "2",
        "--hires-denoise",
        "0.6",
        "--hires-sampler",
        "Euler",
        "--hires-schedule",
        "Karras",
        "--hires-prompt",
        "a dog: big, {red|blue}",
        "--hires-negative",
        "worse",
        "--out",
        "a.png",
    ];
    draw(&program, &[&first[..], &second].concat());
    let told = text(&program, "a.png");
    let value = |key: &str| told.get(key).unwrap_or_default().to_owned();
    assert_eq!(value("Hires resize"), "96x0");
    assert_eq!(value("Hires sampler"), "Euler");
    assert_eq!(value("Hires schedule type"), "Karras");
    assert_eq!(value("Hires negative prompt"), "worse");
    let colour = told.prompt.strip_prefix("a cat, ").unwrap().to_owned();
    assert_eq!(value("Hires prompt"), format!("a dog: big, {colour}"), "one seed, one choice");
    assert_eq!(image::image_dimensions(program.path("a.png")).unwrap(), (96, 96));
    let run = draw(&program, &["--from", "a.png", "--out", "b.png"]);
    assert!(!run.err.contains("warning"), "{}", run.err);
    assert_eq!(text(&program, "b.png"), told);
    assert!(levels(&program.path("a.png")) == levels(&program.path("b.png")));
    // Each flag beside --from changes what it names; an empty prompt is the first pass's.
    let run = ["--from", "a.png", "--hires-prompt", "", "--hires-sampler", "DPM++ 2M Karras"];
    draw(&program, &[&run[..], &["--out", "c.png"]].concat());
    let told = text(&program, "c.png");
    assert_eq!((told.get("Hires prompt"), told.get("Hires sampler")), (None, None));
    assert_eq!(told.get("Hires negative prompt"), Some("worse"));
}

/// A safetensors file without its metadata: other names, the same tensors.
fn without_metadata(from: &Path, to: &Path) {
    let bytes = std::fs::read(from).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    let mut header = header.to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let start = (header.len() as u64).to_le_bytes();
    let all = [&start[..], header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(to, all).unwrap();
}

#[test]
fn a_lora_is_known_by_its_hash() {
    let program = Program::new();
    let given = repository("demo/loras").to_string_lossy().into_owned();
    let prompt = "a man <lora:edvard2-lora:0.5>, <lora:pascoe-lora:0.1>";
    let first = [prompt, "--loras", &given, "--steps", "2", "--seed", "1", "--out", "a.png"];
    draw(&program, &first);
    std::fs::create_dir(program.path("mine")).unwrap();
    let given = Path::new(&given);
    let mine = program.path("mine");
    without_metadata(&given.join("edvard2-lora.safetensors"), &mine.join("bald.safetensors"));
    // Another LoRA bears the name that the text says.
    without_metadata(
        &given.join("tamsyn-lora.safetensors"),
        &mine.join("edvard2-lora.safetensors"),
    );
    without_metadata(&given.join("pascoe-lora.safetensors"), &mine.join("pascoe-lora.safetensors"));
    let run = draw(&program, &["--from", "a.png", "--loras", "mine", "--out", "b.png"]);
    assert!(
        run.err.contains("the LoRA `edvard2-lora` was found under the name `bald`"),
        "{}",
        run.err
    );
    assert!(!run.err.contains("pascoe-lora") && !run.err.contains("was not found"), "{}", run.err);
    let told = text(&program, "b.png");
    assert_eq!(told.prompt, "a man <lora:bald:0.5>, <lora:pascoe-lora:0.1>");
    assert!(levels(&program.path("a.png")) == levels(&program.path("b.png")));
    // A prompt of one's own means the files that it names.
    let own = ["a man <lora:edvard2-lora:0.5>", "--from", "a.png", "--loras", "mine"];
    let run = draw(&program, &[&own[..], &["--out", "c.png"]].concat());
    assert!(run.err.contains("the one found is"), "{}", run.err);
}

#[test]
fn wildcards_are_drawn_by_the_seed() {
    let program = Program::new();
    std::fs::create_dir(program.path("w")).unwrap();
    std::fs::write(program.path("w/animal.txt"), "cat\ndog\nfox\nowl\n").unwrap();
    let prompt = "a __animal__, {red|blue}, {2$$ and $$hat|scarf|coat}";
    let common = ["--wildcards", "w", "--steps", "1", "--seed", "4", "--batch", "2", "--out", "p"];
    let mut arguments = vec![prompt, "--count", "3"];
    arguments.extend(common);
    let files = draw(&program, &arguments).out;
    let prompts: Vec<String> = files.lines().map(|f| text(&program, f).prompt).collect();
    assert_eq!(prompts.len(), 3);
    assert!(prompts.iter().all(|p| !p.contains(['{', '_'])), "{prompts:?}");
    // The second picture's seed alone draws the second picture's prompt.
    let run =
        draw(&program, &[prompt, "--wildcards", "w", "--steps", "1", "--seed", "5", "--out", "p"]);
    assert_eq!(text(&program, run.out.trim()).prompt, prompts[1]);
    let all = ["{a|b} {c|d}", "--combinatorial", "--steps", "1", "--out", "q"];
    let files = draw(&program, &all).out;
    let prompts: Vec<String> = files.lines().map(|f| text(&program, f).prompt).collect();
    assert_eq!(prompts, ["a c", "a d", "b c", "b d"]);
    let model = model();
    let run = program.run(&["draw", "__anymal__", "--base", &model, "--wildcards", "w"]);
    assert!(run.err.contains("animal") && run.code == Some(1), "{}", run.err);
}

/// A picture with a text.
fn told(program: &Program, name: &str, text: &str) {
    let text = PngText { key: "parameters".into(), text: text.into() };
    let file = encode_rgb8(8, 8, &[0; 192], &[text]).unwrap();
    std::fs::write(program.path(name), file).unwrap();
}

#[test]
fn flags_stand_in_for_what_is_not_supported() {
    let program = Program::new();
    let settings = "Steps: 1, Sampler: Magic, Seed: 1, Size: 64x64, RNG: CPU, Hires upscale: 1.5, \
                    Hires upscaler: ESRGAN_4x";
    told(&program, "a.png", &format!("a {{cat\n{settings}"));
    let model = model();
    let given = ["draw", "--base", &model, "--from", "a.png", "--sampler", "Euler"];
    let run = program.run(&given);
    assert!(run.err.contains("ESRGAN_4x") && run.err.contains("--hires-upscaler"), "{}", run.err);
    // The brace in its prompt was text already, whatever else is new.
    let more = ["--hires-upscaler", "lanczos", "--negative", "{b|b}", "--out", "b.png"];
    program.well(&[&given[..], &more].concat());
    let drawn = text(&program, "b.png");
    assert_eq!((drawn.prompt.as_str(), drawn.negative.as_str()), ("a {cat", "b"));
    assert_eq!(drawn.get("Hires upscaler"), Some("Lanczos"));
    let run = program.well(&["inspect", "b.png"]);
    assert!(run.out.contains(" image\n") && run.out.contains("Hires upscaler"), "{}", run.out);
}
