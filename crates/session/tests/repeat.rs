//! Every option that changes a picture stands in its settings: `from` draws the same bytes again.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Event, Outcome, Request, Session};
use wayword_train::run_folder::vectors::VectorsWriter;

/// Options of a picture to begin with, which is given again with its mask.
fn from_a_picture(image: &Path, mask: &Path) -> Vec<(&'static str, Value, Value)> {
    let (image, masked) = (json!({ "image": image }), json!({ "image": image, "mask": mask }));
    vec![
        ("denoise", json!(0.4), image.clone()),
        ("fit", json!("crop"), json!({ "image": image["image"], "size": "96,64" })),
        ("invert_mask", json!(true), masked.clone()),
        ("mask_blur", json!(1), masked.clone()),
        ("only_masked", json!(true), masked.clone()),
        (
            "padding",
            json!(8),
            json!({ "image": image["image"], "mask": mask, "only_masked": true }),
        ),
        ("fill", json!("latent-noise"), masked),
    ]
}

/// Options that change a picture: a value, and what must be given with it.
fn drawn() -> Vec<(&'static str, Value, Value)> {
    let second = json!({ "hires_scale": 1.5, "hires_upscaler": "Latent" });
    let faces = json!({ "detail": true });
    vec![
        ("prompt", json!("a (red:1.3) hat [a:b:0.5] AND a dog"), json!({})),
        ("prediction", json!("v"), json!({})),
        ("negative", json!("blurry"), json!({})),
        ("emphasis", json!("no-norm"), json!({ "prompt": "a (red:1.6) hat" })),
        ("a1111_quirks", json!(true), json!({ "prompt": "a (red BREAK blue:1.4) hat" })),
        ("seed", json!(77), json!({})),
        ("subseed", json!(5), json!({ "subseed_strength": 0.5 })),
        ("subseed_strength", json!(0.25), json!({})),
        ("steps", json!(4), json!({})),
        ("cfg", json!(3.5), json!({})),
        ("sampler", json!("Euler a"), json!({})),
        ("schedule", json!("SGM Uniform"), json!({ "sampler": "Euler" })),
        ("eta", json!(0.5), json!({ "sampler": "Euler a" })),
        ("ensd", json!(31337), json!({ "sampler": "Euler a" })),
        ("noise", json!("nv"), json!({})),
        ("size", json!("96,64"), json!({})),
        ("clip_skip", json!(2), json!({})),
        ("hires_scale", json!(1.5), json!({})),
        ("hires_size", json!("96,96"), json!({})),
        ("hires_steps", json!(1), second.clone()),
        ("hires_denoise", json!(0.3), second.clone()),
        ("hires_upscaler", json!("Lanczos"), json!({ "hires_scale": 1.5 })),
        ("hires_sampler", json!("Heun"), second.clone()),
        ("hires_schedule", json!("Karras"), second.clone()),
        ("hires_prompt", json!("a cat"), second.clone()),
        ("hires_negative", json!("a dog"), second),
        ("detail", json!(true), json!({})),
        ("detail_prompt", json!("a face, [PROMPT]"), faces.clone()),
        ("detail_negative", json!("blurry"), faces.clone()),
        ("detail_denoise", json!(0.3), faces.clone()),
        ("detail_confidence", json!(0.05), faces.clone()),
        ("detail_padding", json!(8), faces.clone()),
        ("detail_set", json!(["ad_mask_blur=2", "ad_use_steps=true", "ad_steps=3"]), faces),
    ]
}

/// Options of a word that has the vectors of a run's step.
fn of_a_run(run: &Path) -> Vec<(&'static str, Value, Value)> {
    vec![
        ("run", json!(run), json!({})),
        ("step", json!("1..2"), json!({ "run": run })),
        ("strength", json!(0.3), json!({ "run": run })),
    ]
}

/// A run's folder as a training leaves it, with vectors of three steps; gives it.
fn run_of(folder: &Path, first: f32) -> PathBuf {
    let run = folder.join("zarva-ti.run");
    std::fs::create_dir_all(&run).unwrap();
    let base = wayword_formats::safetensors::SafeTensors::open(&demo()).unwrap();
    let table = base.names().find(|n| n.contains("token_embedding")).unwrap().to_owned();
    let width = *base.about(&table).unwrap().1.last().unwrap();
    std::fs::write(run.join("plan.json"), r#"{"words":[{"name":"zarva-ti","vectors":1}]}"#)
        .unwrap();
    let rows = run.join("rows.bin");
    let mut writer = VectorsWriter::create(&rows, 1, width).unwrap();
    for step in 0..4u32 {
        let value = |i: usize| ((i as f32 + first) * (step as f32 + 1.0)).sin();
        writer.push(step, 0.1, &(0..width).map(value).collect::<Vec<_>>()).unwrap();
    }
    writer.sync().unwrap();
    run
}

/// Options that change no picture, or that a text cannot hold, and why.
const OTHER: &[(&str, &str)] = &[
    ("base", "another file; its hash is compared"),
    ("vae", "another file; its hash is compared"),
    ("embeddings", "folders; hashes are compared"),
    ("loras", "folders; hashes are compared"),
    ("wildcards", "the text holds what came of them"),
    ("combinatorial", "the text holds what came of it"),
    ("prompts", "the text holds what came of it"),
    ("from", "this"),
    ("count", "each picture has its own seed"),
    ("batch", "changes the last bits at most"),
    ("image", "the text does not hold it"),
    ("mask", "the text does not hold it"),
    ("detail_mask", "the text does not hold it"),
    ("out", "where it goes"),
    ("format", "where it goes"),
    ("preview_every", "events"),
    ("force", "the machine"),
    ("device", "the machine"),
    ("precision", "the machine; changes the last bits"),
    ("threads", "the machine; changes no bit"),
    ("json", "events"),
];

fn demo() -> PathBuf {
    wayword_testing::repository().join("demo/wayword-mini.safetensors")
}

fn draw(session: &Session, out: &Path, more: &[&Value]) -> Vec<u8> {
    let mut values = json!({ "command": "draw", "base": demo(), "out": out, "precision": "f32" });
    let values = values.as_object_mut().unwrap();
    more.iter().for_each(|more| values.extend(more.as_object().unwrap().clone()));
    let request = Request::from_json(values.clone()).unwrap();
    match &*session.submit(request).wait().unwrap_or_else(|e| panic!("{values:?}: {e:?}")) {
        Outcome::Draw(files) => std::fs::read(&files[0]).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_option_that_changes_a_picture_stands_in_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let start =
        json!({ "prompt": "a photo of a woman", "seed": 1, "steps": 2, "sampler": "Euler" });
    for (option, value, beside) in drawn() {
        let out = dir.path().join(format!("{option}.png"));
        let without = draw(&session, &dir.path().join("without.png"), &[&start, &beside]);
        let with = draw(&session, &out, &[&start, &beside, &json!({ option: value })]);
        assert!(with != without, "{option} changes nothing");
        let again = draw(&session, &dir.path().join("again.png"), &[&json!({ "from": out })]);
        assert!(with == again, "{option} does not come back: {}", text(&out));
    }
}

#[test]
fn what_is_done_with_a_picture_stands_in_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let image = wayword_testing::repository().join("demo/concepts/100_brovik man/01.png");
    let mask = dir.path().join("mask.png");
    let white = |x: u32, y: u32| image::Luma([if x > 40 && y > 60 && x < 100 { 255u8 } else { 0 }]);
    image::GrayImage::from_fn(128, 128, white).save(&mask).unwrap();
    let start = json!({ "prompt": "a woman", "seed": 1, "steps": 4, "sampler": "Euler" });
    for (option, value, beside) in from_a_picture(&image, &mask) {
        let out = dir.path().join(format!("{option}.png"));
        let without = draw(&session, &dir.path().join("without.png"), &[&start, &beside]);
        let with = draw(&session, &out, &[&start, &beside, &json!({ option: value })]);
        assert!(with != without, "{option} changes nothing");
        let mut again = json!({ "from": out });
        for file in ["image", "mask"].into_iter().filter(|file| !beside[*file].is_null()) {
            again[file] = beside[file].clone();
        }
        let again = draw(&session, &dir.path().join("again.png"), &[&again]);
        assert!(with == again, "{option} does not come back: {}", text(&out));
    }
}

#[test]
fn a_runs_steps_stand_in_a_pictures_settings() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let start =
        json!({ "prompt": "a photo of zarva-ti", "seed": 1, "steps": 2, "sampler": "Euler" });
    let run = run_of(&dir.path().join("words"), 0.0);
    for (option, value, beside) in of_a_run(&run) {
        let out = dir.path().join(format!("{option}.png"));
        let without = draw(&session, &dir.path().join("without.png"), &[&start, &beside]);
        let with = draw(&session, &out, &[&start, &beside, &json!({ option: value })]);
        assert!(with != without, "{option} changes nothing");
        let place = json!({ "from": out, "embeddings": [dir.path().join("words")] });
        let again = draw(&session, &dir.path().join("again.png"), &[&place]);
        assert!(with == again, "{option} does not come back: {}", text(&out));
        // One of them changes, the others stay; without a step it was the last.
        let last = draw(&session, &dir.path().join("last.png"), &[&place, &json!({ "step": "3" })]);
        assert_eq!(last == with, option != "step", "{option}: the last step is 3");
    }
    // Without the run's folder the picture cannot be drawn again, and says so.
    let drawn = dir.path().join("step.png");
    let request = json!({ "command": "draw", "base": demo(), "out": dir.path(), "from": drawn });
    let lost = |more: Value| {
        let mut values = request.as_object().unwrap().clone();
        values.extend(more.as_object().unwrap().clone());
        let job = session.submit(Request::from_json(values).unwrap());
        let ended = job.wait();
        (ended, job)
    };
    let failure = lost(json!({})).0.unwrap_err();
    assert!(failure.diagnostic.to_string().contains("zarva-ti.run, which was"), "{failure:?}");
    // Beside the picture it is found, and that it is another one is told.
    run_of(dir.path(), 5.0);
    let (ended, job) = lost(json!({}));
    ended.unwrap();
    let warned = |event: &Event| matches!(event, Event::Warned(w) if w.to_string().contains("step 1..2 of zarva-ti.run ["));
    assert!(job.events_since(0).iter().any(warned), "{:?}", job.events_since(0));
}

fn text(file: &Path) -> String {
    wayword_formats::picture_text::read(file).unwrap().text
}

#[test]
fn every_option_of_a_drawing_is_thought_of() {
    let known: Vec<&str> = drawn()
        .iter()
        .chain(&from_a_picture(Path::new("a"), Path::new("b")))
        .chain(&of_a_run(Path::new("a")))
        .map(|(name, ..)| *name)
        .chain(OTHER.iter().map(|(name, _)| *name))
        .collect();
    for spec in Request::specs("draw").unwrap() {
        assert!(
            known.contains(&spec.name),
            "{}: does it stand in a picture's settings?",
            spec.name
        );
    }
    for name in &known {
        assert!(Request::specs("draw").unwrap().iter().any(|spec| spec.name == *name), "{name}");
    }
}
