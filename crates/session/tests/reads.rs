//! How often a training opens its pictures and its base.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use inotify::{Inotify, WatchMask};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use wayword_session::{Environment, Request, Session};

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

#[test]
fn pictures_and_the_base_are_not_read_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let demo = wayword_testing::repository().join("demo");
    let (photos, models) = (dir.path().join("photos"), dir.path().join("models"));
    std::fs::create_dir(&photos).unwrap();
    std::fs::create_dir(&models).unwrap();
    let base = models.join("mini.safetensors");
    std::fs::copy(demo.join("wayword-mini.safetensors"), &base).unwrap();
    for name in ["01.png", "02.png", "03.png"] {
        std::fs::copy(demo.join("concepts/100_zarva woman").join(name), photos.join(name)).unwrap();
    }
    let mut watch = Inotify::init().unwrap();
    let add = |folder: &Path| watch.watches().add(folder, WatchMask::OPEN).unwrap();
    add(&photos);
    add(&models);
    let train = json!({
        "command": "train", "images": [photos], "base": base, "name": "x-ti", "init": "woman",
        "steps": 2, "save_every": 0, "out": dir.path().join("out"),
    });
    let request = Request::from_json(train.as_object().unwrap().clone()).unwrap();
    Session::new(Environment::default()).submit(request).wait().unwrap();
    let counts = opened(&mut watch);
    // Once for size and hash, for what is odd about it, for its latents and for the run's page.
    for name in ["01.png", "02.png", "03.png"] {
        assert_eq!(counts[name], 1, "{counts:?}");
    }
    // Once for its sizes, once for its weights, by which it is hashed as well.
    assert_eq!(counts["mini.safetensors"], 2, "{counts:?}");
}
