//! The face detailer on a real face: a portrait in the public domain, begun from by img2img.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Event, Outcome, Request, Session};

fn repository(name: &str) -> PathBuf {
    wayword_testing::repository().join(name)
}

/// The outcome and the notes of a command on the bundled model.
fn run(out: &Path, more: Value) -> (std::sync::Arc<Outcome>, Vec<String>) {
    let mut values = json!({
        "prompt": "a photo of a woman", "base": repository("demo/wayword-mini.safetensors"),
        "out": out, "seed": 1, "steps": 2, "cfg": 1,
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
    let job = Session::new(Environment::default()).submit(request);
    let outcome = job.wait().unwrap();
    let note = |event: &Event| match event {
        Event::Note { text } => Some(text.clone()),
        _ => None,
    };
    (outcome, job.events_since(0).iter().filter_map(note).collect())
}

/// Columns and rows in which two pictures differ.
fn changed(a: &Path, b: &Path) -> Option<[u32; 4]> {
    let [a, b] = [a, b].map(|path| image::open(path).unwrap().to_rgb8());
    let differ = a.enumerate_pixels().zip(b.pixels()).filter(|((_, _, a), b)| a != b);
    differ.fold(None, |seen: Option<[u32; 4]>, ((x, y, _), _)| {
        let [left, top, right, bottom] = seen.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

#[test]
fn a_real_face_is_found_and_drawn_again_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let photo = repository("crates/vision/tests/detail/photos/astronaut.png");
    let drawn = |name: &str, more: Value| {
        let mut values = json!({
            "command": "draw", "image": photo, "denoise": 0.0, "size": [512, 512],
        });
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (outcome, notes) = run(&dir.path().join(name), values);
        let Outcome::Draw(files) = &*outcome else { panic!("{outcome:?}") };
        (files[0].clone(), notes)
    };
    let (plain, notes) = drawn("plain", json!({}));
    assert!(!notes.iter().any(|note| note.contains("face detailer")), "{notes:?}");
    let size = ["ad_use_inpaint_width_height=true", "ad_inpaint_width=64", "ad_inpaint_height=64"];
    let (detailed, notes) = drawn("detail", json!({ "detail": true, "detail_set": size }));
    let note = notes.iter().find(|note| note.contains("face detailer")).unwrap();
    assert!(note.contains("64x64") && note.contains("denoise 0.4"), "{note}");
    // The face by OpenCV, the growth of its mask by 4 pixels and the reach of its blur by 4.
    let [left, top, right, bottom] = changed(&plain, &detailed).unwrap();
    assert!(left > 150 && top > 35 && right < 300 && bottom < 210, "{left} {top} {right} {bottom}");
    assert!(left < 200 && top < 90 && right > 245 && bottom > 150, "{left} {top} {right} {bottom}");
}

#[test]
fn cells_of_a_grid_have_their_masks_drawn_again() {
    let dir = tempfile::tempdir().unwrap();
    let mask = dir.path().join("mask.png");
    image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([if (8..24).contains(&x) && (8..24).contains(&y) { 255 } else { 0 }; 3])
    })
    .save(&mask)
    .unwrap();
    let cells = |name: &str, more: Value| {
        let mut values = json!({ "command": "grid", "x": "seed: 1, 2", "size": [64, 64] });
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (outcome, _) = run(&dir.path().join(name), values);
        let Outcome::Grid(files) = &*outcome else { panic!("{outcome:?}") };
        files.cells.clone()
    };
    let plain = cells("plain", json!({}));
    let detail = cells("detail", json!({ "detail": true, "detail_mask": [mask] }));
    for (plain, detail) in plain.iter().zip(&detail) {
        let [_, _, right, bottom] = changed(plain, detail).unwrap();
        assert!(right < 48 && bottom < 48, "{right} {bottom}");
    }
    // Where no face is sure enough, nothing is drawn again.
    let none = cells("none", json!({ "detail": true, "detail_confidence": 1.0 }));
    for (plain, detail) in plain.iter().zip(none) {
        assert_eq!(changed(plain, &detail), None);
    }
}
