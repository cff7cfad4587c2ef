//! The bundled encoder on the bundled concepts.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
use std::path::Path;
use wayword_train::image_encoder::{
    ImageEncoder, OnnxImageEncoder, OnnxOptions, similarity, similarity_within,
};

fn demo() -> std::path::PathBuf {
    wayword_testing::repository().join("demo")
}

fn vectors(encoder: &OnnxImageEncoder, folder: &Path) -> Vec<Vec<f32>> {
    let files = wayword_testing::files(folder, "png");
    files.iter().map(|f| encoder.vector(&image::open(f).unwrap().to_rgb8()).unwrap()).collect()
}

#[test]
fn judge_knows_the_concepts() {
    let encoder =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    assert_eq!(encoder.size(), (64, 64));
    // The table in demo/README.md, to its two decimals.
    let table = [("brovik man", 0.97), ("zarva woman", 0.94), ("tamsyn woman", 0.81)];
    let mut all = Vec::new();
    for (name, want) in table {
        let seen = vectors(&encoder, &demo().join(format!("concepts/100_{name}")));
        let among = similarity_within(&seen).unwrap().mean;
        println!("{name}: {among:.3}");
        assert!((among - want).abs() < 0.01, "{name}: {among} instead of {want}");
        all.push(seen);
    }
    let other = similarity(&all[0], &all[1]).unwrap().mean;
    assert!(other < 0.4, "brovik and zarva: {other}");
}

#[test]
fn judge_names_the_scene() {
    let encoder =
        OnnxImageEncoder::open(&demo().join("judge.onnx"), &OnnxOptions::default()).unwrap();
    assert!(encoder.words("place").unwrap().contains(&"beach".to_owned()));
    let file = &wayword_testing::files(&demo().join("concepts/100_zarva woman"), "png")[0];
    let picture = image::open(file).unwrap().to_rgb8();
    let outputs = encoder.outputs(&picture).unwrap();
    assert_eq!(outputs["place"].len(), encoder.words("place").unwrap().len());
    assert!(encoder.word(&picture, "mood").unwrap().is_some());
    assert!(encoder.word(&picture, "identity").unwrap().is_none());
}

#[test]
fn judge_refuses_what_it_cannot_run() {
    let path = demo().join("README.md");
    let error = OnnxImageEncoder::open(&path, &OnnxOptions::default()).unwrap_err();
    assert!(error.to_string().contains("README.md"), "{error}");
    let wrong = OnnxOptions { output: Some("nobody".into()), ..OnnxOptions::default() };
    let error = OnnxImageEncoder::open(&demo().join("judge.onnx"), &wrong).unwrap_err();
    assert!(error.to_string().contains("identity, place"), "{error}");
}
