//! Image encoders of usual kinds, made for it: recognized by their shapes, and a face network sees
//! aligned faces.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Failure, LikenessReport, Outcome, Request, Session};
use wayword_testing::onnx::Network;

/// A network of a face's size: means of 7 x 7 pixels.
fn face_network() -> Network {
    Network {
        input: "data",
        size: Some((112, 112)),
        outputs: vec![("fc1", vec![1, 768])],
        blocks: Some(7),
        metadata: Vec::new(),
    }
}

fn clip() -> Network {
    Network {
        input: "pixel_values",
        size: None,
        outputs: vec![("image_embeds", vec![1, 512])],
        blocks: None,
        metadata: Vec::new(),
    }
}

fn portrait(side: u32) -> RgbImage {
    let file = "crates/vision/tests/detail/photos/astronaut.png";
    let picture = image::open(wayword_testing::repository().join(file)).unwrap().to_rgb8();
    imageops::resize(&picture, side, side, FilterType::Lanczos3)
}

fn likeness(
    environment: Environment,
    picture: &Path,
    to: &Path,
    judge: &str,
) -> Result<LikenessReport, Failure> {
    let values =
        json!({ "command": "likeness", "pictures": [picture], "to": [to], "judge": judge });
    let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
    let outcome = Session::new(environment).submit(request).wait()?;
    let Outcome::Likeness(report) = &*outcome else { panic!("{outcome:?}") };
    Ok(report.clone())
}

/// The portrait, and the same person small in the corner of a wide picture.
fn pictures(dir: &Path) -> (PathBuf, PathBuf) {
    let (one, other) = (dir.join("one.png"), dir.join("other.png"));
    portrait(512).save(&one).unwrap();
    let mut wide = RgbImage::from_pixel(900, 500, Rgb([30, 90, 160]));
    imageops::replace(&mut wide, &portrait(300), 580, 190);
    wide.save(&other).unwrap();
    (one, other)
}

#[test]
fn a_face_network_sees_aligned_faces() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = pictures(dir.path());
    let file = dir.path().join("face.onnx");
    std::fs::write(&file, face_network().to_bytes()).unwrap();
    let judge = file.to_str().unwrap();
    let aligned = likeness(Environment::default(), &other, &one, judge).unwrap().mean;
    // The same pixels without alignment are far from it.
    let plain = dir.path().join("plain.onnx");
    let second = ("again", vec![1, 768]);
    let outputs = vec![("fc1", vec![1, 768]), second];
    let network = Network { outputs, metadata: vec![("input", "-1..1")], ..face_network() };
    std::fs::write(&plain, network.to_bytes()).unwrap();
    let judge = plain.to_str().unwrap();
    let plain = likeness(Environment::default(), &other, &one, judge).unwrap().mean;
    println!("aligned {aligned:.3}, not {plain:.3}");
    assert!(aligned > 0.9 && aligned > plain + 0.3, "{aligned} {plain}");
}

#[test]
fn pictures_without_a_face_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = pictures(dir.path());
    let file = dir.path().join("face.onnx");
    std::fs::write(&file, face_network().to_bytes()).unwrap();
    let folder = dir.path().join("drawn");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&other, folder.join("a.png")).unwrap();
    RgbImage::from_pixel(200, 200, Rgb([90; 3])).save(folder.join("wall.png")).unwrap();
    let judge = file.to_str().unwrap();
    let report = likeness(Environment::default(), &folder, &one, judge).unwrap();
    assert_eq!((report.pictures.len(), report.without_face.len()), (1, 1));
    let wall = folder.join("wall.png");
    let error = likeness(Environment::default(), &wall, &one, judge).unwrap_err();
    assert!(error.message().contains("shows a face"), "{error:?}");
}

#[test]
fn auto_takes_the_network_of_the_users_folder_that_fits() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = pictures(dir.path());
    let wall = dir.path().join("wall.png");
    RgbImage::from_pixel(200, 200, Rgb([90, 20, 20])).save(&wall).unwrap();
    let environment =
        || Environment { cache: Some(dir.path().join("cache")), ..Environment::default() };
    let error = likeness(environment(), &other, &one, "auto").unwrap_err();
    assert!(error.message().contains("judges"), "{error:?}");
    let folder = dir.path().join("cache/wayword/judges");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.onnx"), clip().to_bytes()).unwrap();
    std::fs::write(folder.join("b.onnx"), face_network().to_bytes()).unwrap();
    std::fs::write(folder.join("broken.onnx"), b"no network").unwrap();
    let events_for = |to: &Path| {
        let values =
            json!({ "command": "likeness", "pictures": [other], "to": [to], "judge": "auto" });
        let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
        let job = Session::new(environment()).submit(request);
        job.wait().unwrap();
        serde_json::to_string(&job.events_since(0)).unwrap()
    };
    assert!(events_for(&one).contains("a face network"), "people are compared by their faces");
    assert!(events_for(&wall).contains("CLIP"), "what shows no face is not");
}

#[test]
fn pixels_are_normalized_as_the_kind_wants() {
    use wayword_train::image_encoder::{
        ImageEncoder as _, NetworkKind, OnnxImageEncoder, OnnxOptions,
    };
    let picture = RgbImage::from_pixel(40, 40, Rgb([200, 100, 50]));
    let states = ("last_hidden_state", vec![1, 257, 768]);
    let dino = Network { size: Some((224, 224)), outputs: vec![states], ..clip() };
    let cases: [(Network, NetworkKind, [f32; 3], [f32; 3]); 3] = [
        (clip(), NetworkKind::Clip, [0.481, 0.458, 0.408], [0.269, 0.261, 0.276]),
        (dino, NetworkKind::Dino, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        (Network { blocks: None, ..face_network() }, NetworkKind::Face, [0.5; 3], [0.5; 3]),
    ];
    for (network, kind, mean, deviation) in cases {
        let bytes = network.to_bytes();
        let options = OnnxOptions::default();
        let encoder = OnnxImageEncoder::from_bytes(Path::new("x.onnx"), bytes, &options).unwrap();
        assert_eq!(encoder.kind(), kind);
        let vector = encoder.vector(&picture).unwrap();
        for c in 0..3 {
            let want = (f32::from([200u8, 100, 50][c]) / 255.0 - mean[c]) / deviation[c];
            assert!((vector[c] - want).abs() < 0.01, "{kind:?}: {} {want}", vector[c]);
        }
    }
    // What is none of them must be said.
    let other = Network { outputs: vec![("logits", vec![1, 10])], ..clip() };
    let error = OnnxImageEncoder::from_bytes(
        Path::new("x.onnx"),
        other.to_bytes(),
        &OnnxOptions::default(),
    );
    assert!(error.unwrap_err().to_string().contains("normalized"));
}

#[test]
fn prepare_chooses_the_person_who_recurs() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    // Another person, by the network of means: the same face mirrored and darker, and larger.
    let mut other = imageops::flip_horizontal(&portrait(700));
    other.pixels_mut().for_each(|p| p.0 = p.0.map(|v| v / 2));
    for (name, left) in [("a.png", 40), ("b.png", 120)] {
        let mut photo = RgbImage::from_pixel(1700, 900, Rgb([60, 60, left as u8]));
        imageops::replace(&mut photo, &portrait(600), left, 100);
        if name == "a.png" {
            imageops::replace(&mut photo, &other, 900, 100);
        }
        photo.save(folder.join(name)).unwrap();
    }
    let file = dir.path().join("face.onnx");
    std::fs::write(&file, face_network().to_bytes()).unwrap();
    let main = |judge: Option<&Path>| {
        let mut values = json!({
            "command": "prepare", "photos": [folder], "out": dir.path().join("out"), "dry_run": true,
        });
        if let Some(judge) = judge {
            values["judge"] = Value::from(judge.to_str().unwrap());
        }
        let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
        let outcome = Session::new(Environment::default()).submit(request).wait().unwrap();
        let Outcome::Prepare(report) = &*outcome else { panic!("{outcome:?}") };
        let photo = &report.pictures[0];
        assert_eq!(photo.faces, 2, "{photo:?}");
        photo.face.unwrap().area.left
    };
    assert!(main(None) > 900.0, "the larger face");
    assert!(main(Some(&file)) < 700.0, "the one that is in both photos");
}
