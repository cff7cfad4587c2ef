//! Previews of a training are compared with its images, where there is an image encoder.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Event, Job, Outcome, Request, Session};
use wayword_testing::onnx::Network;

fn demo(name: &str) -> PathBuf {
    wayword_testing::repository().join("demo").join(name)
}

fn submit(session: &Session, values: Value) -> Job {
    session.submit(Request::from_json(values.as_object().unwrap().clone()).unwrap())
}

fn train(out: &Path, base: &Path, more: &Value) -> Value {
    let mut values = json!({
        "command": "train", "images": [demo("concepts/100_zarva woman")], "base": base,
        "name": "zarva-ti", "init": "woman", "out": out, "steps": 4, "save_every": 0, "seed": 3,
        "sample_every": 2, "sample_steps": 3, "resolution": [64, 64],
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

/// Steps, files and values of what was told.
fn told(job: &Job) -> Vec<(usize, PathBuf, f64)> {
    let of = |event: &Event| match event {
        Event::Similarity { path, step, similarity } => Some((*step, path.clone(), *similarity)),
        _ => None,
    };
    job.events_since(0).iter().filter_map(of).collect()
}

fn lines(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("similarity.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn previews_are_compared_as_likeness_compares_them() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let base = demo("wayword-mini.safetensors");
    let job = submit(&session, train(dir.path(), &base, &json!({})));
    job.wait().unwrap();
    let all = told(&job);
    assert_eq!(all.iter().map(|one| one.0).collect::<Vec<_>>(), [2, 4]);
    for (_, path, value) in &all {
        let likeness = json!({
            "command": "likeness", "pictures": [path], "to": [demo("concepts/100_zarva woman")],
            "judge": demo("judge.onnx"),
        });
        let outcome = submit(&session, likeness).wait().unwrap();
        let Outcome::Likeness(report) = &*outcome else { panic!("{outcome:?}") };
        assert!((report.mean - value).abs() < 1e-6, "{} {value}", report.mean);
    }
    let run = dir.path().join("zarva-ti.run");
    let first = lines(&run);
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["step"], 2);
    // A run that ended before its last preview was compared goes on with that.
    let half = format!("{}\n", first[0]);
    std::fs::write(run.join("similarity.jsonl"), half).unwrap();
    let resume = json!({ "command": "train", "resume": run, "base": base, "extend": 2 });
    let job = submit(&session, resume);
    job.wait().unwrap();
    assert_eq!(told(&job).iter().map(|one| one.0).collect::<Vec<_>>(), [4, 6]);
    let again = lines(&run);
    assert_eq!((&again[..2], again.len()), (&first[..], 3));
    // A run that begins again begins with none.
    let job = submit(&session, train(dir.path(), &base, &json!({ "overwrite": true })));
    job.wait().unwrap();
    assert_eq!(lines(&run), first);
}

#[test]
fn nothing_is_compared_without_an_encoder_or_previews() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let tiny = wayword_testing::repository().join("golden/tiny-model/model_ldm_fp16.safetensors");
    let run = |name: &str, base: &Path, more: Value| {
        let job = submit(&session, train(&dir.path().join(name), base, &more));
        job.wait().unwrap();
        let warned = serde_json::to_string(&job.events_since(0)).unwrap();
        (told(&job).len(), warned.contains("compares nothing"))
    };
    assert_eq!(run("other", &tiny, json!({})), (0, false), "the bundled one knows the demo's");
    let file = dir.path().join("encoder.onnx");
    let network = Network {
        input: "pixel_values",
        size: None,
        outputs: vec![("image_embeds", vec![1, 512])],
        blocks: None,
        metadata: Vec::new(),
    };
    std::fs::write(&file, network.to_bytes()).unwrap();
    assert_eq!(run("named", &tiny, json!({ "judge": file })), (2, false));
    let none = json!({ "judge": file, "sample_every": 0 });
    assert_eq!(run("none", &tiny, none), (0, true));
    let bad = train(&dir.path().join("bad"), &tiny, &json!({ "judge": tiny }));
    let failure = submit(&session, bad).wait().unwrap_err();
    assert!(failure.message().contains("model_ldm_fp16"), "{failure:?}");
    assert!(!dir.path().join("bad/zarva-ti.run/plan.json").exists(), "before anything is begun");
}
