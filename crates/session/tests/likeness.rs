//! The bundled image encoder compares images of the demo and refuses others.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::json;
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Failure, Outcome, Request, Session};

fn likeness(pictures: &[&Path], to: &Path) -> Result<f64, Failure> {
    let session = Session::new(Environment::default());
    let values = json!({ "command": "likeness", "pictures": pictures, "to": [to] });
    let job = session.submit(Request::from_json(values.as_object().unwrap().clone()).unwrap());
    match &*job.wait()? {
        Outcome::Likeness(report) => Ok(report.mean),
        other => panic!("{other:?}"),
    }
}

fn concepts() -> Vec<PathBuf> {
    let folder = wayword_testing::repository().join("demo/concepts");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn images_of_the_demo_are_compared() {
    for folder in concepts() {
        let mean = likeness(&[&folder], &folder).unwrap();
        assert!(mean > 0.2, "{}: {mean}", folder.display());
    }
}

#[test]
fn photos_are_refused_with_what_to_do() {
    let photos = wayword_testing::repository().join("golden/dataset/images");
    let photos: Vec<PathBuf> = ["02_duck.jpg", "05_chelsea.bmp", "06_clock.jpg", "03_vase.png"]
        .map(|name| photos.join(name))
        .into();
    let folder = &concepts()[0];
    let all: Vec<&Path> = photos.iter().map(PathBuf::as_path).collect();
    for pictures in all.iter().map(std::slice::from_ref).chain([&all[..]]) {
        let failure = likeness(pictures, folder).unwrap_err();
        let text = failure.diagnostic.to_string();
        assert!(text.contains("only knows images of the demo"), "{pictures:?}: {text}");
        assert!(
            failure.diagnostic.hint.as_deref().unwrap().contains("{likeness.judge}"),
            "{failure:?}"
        );
        // Also where they are what is compared with.
        assert!(likeness(&[folder], pictures[0]).is_err(), "{pictures:?}");
    }
}
