//! A training that prepares its photos itself, and crops around faces.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_session::{Environment, Failure, Outcome, Request, Session};

/// Head and shoulders above, a flat color below: the middle cuts the head off.
fn tall(side: u32, shade: u8) -> RgbImage {
    let file = "crates/vision/tests/detail/photos/astronaut.png";
    let portrait = image::open(wayword_testing::repository().join(file)).unwrap().to_rgb8();
    let portrait = imageops::resize(&portrait, side, side, FilterType::Lanczos3);
    let mut out = RgbImage::from_pixel(side, 2 * side, Rgb([shade; 3]));
    imageops::replace(&mut out, &portrait, 0, 0);
    out
}

fn photos(dir: &Path) -> PathBuf {
    let folder = dir.join("2_evagreen woman");
    std::fs::create_dir_all(&folder).unwrap();
    tall(900, 90).save(folder.join("a.png")).unwrap();
    imageops::flip_horizontal(&tall(700, 250)).save(folder.join("b.jpg")).unwrap();
    RgbImage::from_pixel(300, 300, Rgb([128; 3])).save(folder.join("nobody.png")).unwrap();
    std::fs::write(folder.join("broken.png"), b"no picture").unwrap();
    std::fs::write(folder.join("a.txt"), "eva-ti in orange").unwrap();
    folder
}

fn run(command: &str, folder: &Path, dir: &Path, more: &Value) -> Result<Arc<Outcome>, Failure> {
    let demo = wayword_testing::repository().join("demo/wayword-mini.safetensors");
    let mut values = json!({
        "command": command, "images": [folder], "name": "eva-ti", "out": dir.join("out"),
        "base": demo, "init": "woman", "seed": 3, "steps": 2, "template": "none",
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
    Session::new(Environment::default()).submit(request).wait()
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn photos_are_prepared_shown_in_the_plan_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = photos(dir.path());
    let auto = json!({ "prepare": "auto" });
    let outcome = run("check", &folder, dir.path(), &auto).unwrap();
    let Outcome::Check(plan) = &*outcome else { panic!("{outcome:?}") };
    assert!(!dir.path().join("out").exists(), "a check writes nothing");
    let [told] = &plan.photos[..] else { panic!("{:?}", plan.photos) };
    let names = |list: &[wayword_session::PreparedPhoto]| -> Vec<String> {
        list.iter().map(|photo| photo.name.clone()).collect()
    };
    assert_eq!(names(&told.kept), ["a.png", "b.jpg"]);
    assert_eq!(names(&told.left_out), ["nobody.png", "broken.png"]);
    assert!(told.left_out[0].remarks[0].contains("no face"), "{told:?}");
    assert_eq!((plan.pictures, plan.samples, plan.sizes.len()), (2, 4, 1));
    assert!(plan.captions.iter().any(|caption| caption.text == "eva-ti in orange"));

    run("train", &folder, dir.path(), &auto).unwrap();
    let images = dir.path().join("out/eva-ti.prepared/2_evagreen woman");
    assert!(images.join("prepare.json").is_file() && images.join("sheet.html").is_file());
    let (image, embedding) = (images.join("a.png"), dir.path().join("out/eva-ti.safetensors"));
    let first = (bytes(&image), bytes(&embedding));
    assert_eq!(image::open(&image).unwrap().to_rgb8().dimensions(), (64, 64));
    // Repeated and begun anew, the same images are found and made.
    let again = json!({ "command": "rerun", "file": embedding, "out": dir.path().join("again") });
    let request = Request::from_json(again.as_object().unwrap().clone()).unwrap();
    Session::new(Environment::default()).submit(request).wait().unwrap();
    let tensors = |path: &Path| wayword_formats::embedding::read(path).unwrap().vectors;
    assert_eq!(tensors(&dir.path().join("again/eva-ti.safetensors")), tensors(&embedding));
    let anew = json!({ "prepare": "auto", "overwrite": true });
    run("train", &folder, dir.path(), &anew).unwrap();
    assert!(bytes(&image) == first.0, "the same photos give the same images");
    // What was left out by hand stays out.
    let file = images.join("prepare.json");
    let mut set: Value = serde_json::from_slice(&bytes(&file)).unwrap();
    set["pictures"][1]["keep"] = json!(false);
    std::fs::write(&file, set.to_string()).unwrap();
    let outcome = run("check", &folder, dir.path(), &auto).unwrap();
    let Outcome::Check(plan) = &*outcome else { panic!("{outcome:?}") };
    assert_eq!(names(&plan.photos[0].kept), ["a.png"]);
}

#[test]
fn a_middle_that_cuts_a_face_is_told_and_a_crop_at_the_face_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tall");
    std::fs::create_dir(&folder).unwrap();
    tall(600, 90).save(folder.join("a.png")).unwrap();
    tall(500, 30).save(folder.join("b.png")).unwrap();
    let warnings = |more: Value| {
        let outcome = run("check", &folder, dir.path(), &more).unwrap();
        let Outcome::Check(plan) = &*outcome else { panic!("{outcome:?}") };
        let all = plan.warnings.iter().map(|w| w.message().to_owned()).collect::<Vec<_>>();
        all.join("\n")
    };
    let more = json!({ "template": "object" });
    assert!(warnings(more).contains("cropping cuts the face of 2"));
    let text = warnings(json!({ "template": "object", "crop": "face" }));
    assert!(!text.contains("cuts the face"), "{text}");
    // Kohya's numbers have kohya's crops.
    let both = json!({ "crop": "face", "kohya_numbers": true, "template": "object" });
    let error = run("check", &folder, dir.path(), &both).unwrap_err();
    assert!(error.message().contains("kohya_numbers"), "{error:?}");
    let trained = json!({ "crop": "face", "template": "object" });
    run("train", &folder, dir.path(), &trained).unwrap();
    let plan: Value =
        serde_json::from_slice(&bytes(&dir.path().join("out/eva-ti.run/plan.json"))).unwrap();
    assert_eq!(plan["pictures"][0]["resized"], json!([64, 128]));
    let corner = plan["pictures"][0]["crop"].as_array().unwrap();
    assert_eq!(corner[0], 0);
    assert!(corner[1].as_u64().unwrap() < 10, "{corner:?}");
}

#[test]
fn what_belongs_to_the_photos_as_they_are_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = photos(dir.path());
    let both = json!({ "prepare": "auto", "alpha_mask": true });
    let error = run("train", &folder, dir.path(), &both).unwrap_err();
    assert!(error.message().contains("train.alpha_mask"), "{error:?}");
    let out = dir.path().join("out/eva-ti.prepared/2_evagreen woman");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let error = run("train", &folder, dir.path(), &json!({ "prepare": "auto" })).unwrap_err();
    assert!(error.message().contains("no prepared images"), "{error:?}");
    std::fs::remove_file(out.join("notes.txt")).unwrap();
    std::fs::remove_file(folder.join("a.png")).unwrap();
    std::fs::remove_file(folder.join("b.jpg")).unwrap();
    let error = run("train", &folder, dir.path(), &json!({ "prepare": "auto" })).unwrap_err();
    assert!(error.message().contains("nobody.png: no face"), "{error:?}");
}
