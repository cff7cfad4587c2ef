//! How often files are opened: a training's pictures and base, photos that are prepared, embeddings
//! that a prompt calls or not.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use inotify::{Inotify, WatchMask};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Folders, Outcome, Request, Session};

/// Waits until nothing more comes, and counts by name what was opened.
fn opened(watch: &mut Inotify) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut buffer = [0; 1 << 16];
    while let Ok(events) = watch.read_events(&mut buffer) {
        for name in events.filter_map(|event| event.name) {
            *counts.entry(name.to_string_lossy().into_owned()).or_default() += 1;
        }
    }
    counts
}

fn demo(name: &str) -> PathBuf {
    wayword_testing::repository().join("demo").join(name)
}

/// A folder with some of the bundled files.
fn copies<'n>(folder: &Path, files: impl IntoIterator<Item = &'n str>) {
    std::fs::create_dir(folder).unwrap();
    for file in files {
        let from = demo(file);
        std::fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
    }
}

fn run(session: &Session, request: &Value) -> std::sync::Arc<Outcome> {
    let request = Request::from_json(request.as_object().unwrap().clone()).unwrap();
    session.submit(request).wait().unwrap()
}

/// What a short training with these options opens of its pictures' and its base's folders.
fn opened_by_training(more: &Value) -> BTreeMap<String, usize> {
    let dir = tempfile::tempdir().unwrap();
    let (photos, models) = (dir.path().join("photos"), dir.path().join("models"));
    copies(
        &photos,
        ["01", "02", "03"]
            .map(|n| format!("concepts/100_zarva woman/{n}.png"))
            .iter()
            .map(String::as_str),
    );
    copies(&models, ["wayword-mini.safetensors"]);
    let mut watch = Inotify::init().unwrap();
    for folder in [&photos, &models] {
        watch.watches().add(folder, WatchMask::OPEN).unwrap();
    }
    let mut train = json!({
        "command": "train", "images": [photos], "base": models.join("wayword-mini.safetensors"),
        "name": "x-ti", "init": "woman", "steps": 2, "save_every": 0,
        "out": dir.path().join("out"),
    });
    train.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run(&Session::new(Environment::default()), &train);
    opened(&mut watch)
}

#[test]
fn pictures_and_the_base_are_not_read_again_and_again() {
    let counts = opened_by_training(&json!({}));
    // Once for size and hash, for what is odd about it, for its latents and for the run's page.
    for name in ["01.png", "02.png", "03.png"] {
        assert_eq!(counts[name], 1, "{counts:?}");
    }
    // Once for its sizes, once for its weights, by which it is hashed as well.
    assert_eq!(counts["wayword-mini.safetensors"], 2, "{counts:?}");
}

#[test]
fn pictures_that_are_cropped_around_faces_are_read_once() {
    let counts = opened_by_training(&json!({ "crop": "face", "resolution": "128x64" }));
    for name in ["01.png", "02.png", "03.png"] {
        assert_eq!(counts[name], 1, "{counts:?}");
    }
}

#[test]
fn photos_that_are_prepared_are_decoded_once() {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    copies(&photos, ["../crates/vision/tests/detail/photos/astronaut.png"]);
    let mut watch = Inotify::init().unwrap();
    // Openings alone would be told as one, as they come without another event between them.
    watch.watches().add(&photos, WatchMask::OPEN | WatchMask::CLOSE).unwrap();
    let out = dir.path().join("out");
    let prepare = json!({
        "command": "prepare", "photos": [photos], "out": out, "resolution": "128,128",
    });
    run(&Session::new(Environment::default()), &prepare);
    assert!(out.join("astronaut.png").is_file());
    // Opened and closed for its size, by which photos wait for each other, and for all that is made.
    assert_eq!(opened(&mut watch)["astronaut.png"], 2 * 2);
}

#[test]
fn embeddings_of_the_sessions_folders_that_no_prompt_calls_are_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let embeddings = dir.path().join("embeddings");
    copies(&embeddings, ["words/mirabo-ti.safetensors"]);
    let called = embeddings.join("mirabo-ti.safetensors");
    std::fs::copy(&called, embeddings.join("fresh-ti.safetensors")).unwrap();
    std::fs::copy(&called, embeddings.join("other-ti.safetensors")).unwrap();
    let session = Session::new(Environment::default());
    session.set_folders(Folders { embeddings: vec![embeddings.clone()], ..Folders::default() });
    let mut watch = Inotify::init().unwrap();
    watch.watches().add(&embeddings, WatchMask::OPEN).unwrap();
    let requests = [
        json!({ "command": "explain", "prompt": "photo of {mirabo-ti|mirabo-ti}, a fresh-to" }),
        json!({
            "command": "draw", "prompt": "photo of mirabo-ti", "out": dir.path().join("a.png"),
        }),
        json!({
            "command": "grid", "prompt": "photo of mirabo-ti", "x": "weight: 0.5, 1",
            "y": "replace: photo, painting", "out": dir.path().join("grid"),
        }),
    ];
    for mut request in requests {
        let base = demo("wayword-mini.safetensors");
        let values = request.as_object_mut().unwrap();
        values.insert("base".into(), json!(base));
        if values["command"] != "explain" {
            values.insert("steps".into(), json!(1));
        }
        let outcome = run(&session, &request);
        if let Outcome::Explain(explained) = &*outcome {
            let text = explained.to_lines().join("\n");
            assert!(text.contains("did you mean `fresh-ti`"), "names are known unread: {text}");
        }
        let counts = opened(&mut watch);
        let count = counts.get("mirabo-ti.safetensors").copied().unwrap_or_default();
        assert!(count > 0 && counts.len() == 1, "{request}: {counts:?}");
    }
}
