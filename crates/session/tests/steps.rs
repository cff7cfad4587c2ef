//! Steps of a run as a slider, on the bundled model: drawn, converted, picked.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Event, Outcome, Request, Session};

fn demo(name: &str) -> String {
    wayword_testing::repository().join("demo").join(name).display().to_string()
}

fn submit(session: &Session, command: &str, mut values: Value) -> wayword_session::Job {
    values["command"] = command.into();
    session.submit(Request::from_json(values.as_object().unwrap().clone()).unwrap())
}

/// The pixels of a small picture; `more` says with which vectors.
fn drawn(session: &Session, out: &Path, more: Value) -> Vec<u8> {
    let mut values = json!({
        "prompt": "a photo of zarva-ti", "base": demo("wayword-mini.safetensors"), "out": out,
        "seed": 1, "steps": 2,
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match &*submit(session, "draw", values).wait().unwrap() {
        Outcome::Draw(files) => image::open(&files[0]).unwrap().to_rgb8().into_raw(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_is_drawn_converted_and_picked_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (out, files) = (dir.path().join("out"), dir.path().join("files"));
    std::fs::create_dir(&files).unwrap();
    let session = Session::new(Environment::default());
    let training = submit(
        &session,
        "train",
        json!({
            "images": [demo("concepts/100_zarva woman")], "base": demo("wayword-mini.safetensors"),
            "name": "zarva-ti", "out": out, "steps": 40, "save_every": 0, "seed": 3, "pick": true,
        }),
    );
    let ended = training.wait().unwrap();
    let Outcome::Train(trained) = &*ended else { panic!("{ended:?}") };
    let picked = trained.picked.as_ref().unwrap();
    let run = out.join("zarva-ti.run");
    let names: Vec<PathBuf> =
        ["zarva-ti.safetensors", "zarva-ti-last.safetensors"].map(|n| out.join(n)).into();
    let absolute: Vec<PathBuf> =
        picked.written.iter().map(|path| std::path::absolute(path).unwrap()).collect();
    assert_eq!(absolute, names);
    for name in ["pick.html", "pick.png", "pick.json"] {
        assert!(run.join(name).is_file(), "{name}");
    }
    assert!(picked.judged, "the bundled encoder knows the bundled model");
    let told =
        training.events_since(0).iter().any(|e| matches!(e, Event::Picked(p) if p == picked));
    assert!(told);

    let of_run = json!({ "run": run, "step": "20..30" });
    let by_run = drawn(&session, &files, of_run.clone());
    let file = files.join("zarva-ti.safetensors");
    let convert = json!({ "input": run, "output": file, "step": "20..30" });
    submit(&session, "convert", convert).wait().unwrap();
    let by_file = drawn(&session, &files, json!({ "embeddings": [files] }));
    assert!(by_run == by_file, "a run's steps are drawn as a file of them");
    let weaker = drawn(&session, &files, json!({ "run": run, "step": "20..30", "strength": 0.5 }));
    assert!(weaker != by_run);
    let last = drawn(&session, &files, json!({ "run": run }));
    assert!(
        last == drawn(
            &session,
            &files,
            json!({ "embeddings": [names[1]], "prompt": "a photo of zarva-ti-last" })
        )
    );

    let late = json!({
        "prompt": "zarva-ti", "base": demo("wayword-mini.safetensors"), "out": files, "run": run,
        "step": 41,
    });
    let late = submit(&session, "draw", late).wait().unwrap_err();
    assert!(late.diagnostic.hint.as_ref().unwrap().contains("steps 0 to 40"), "{late:?}");
    let alone = json!({
        "prompt": "a cat", "base": demo("wayword-mini.safetensors"), "out": files, "step": 4,
    });
    let alone = submit(&session, "draw", alone).wait().unwrap_err();
    assert!(alone.diagnostic.message.contains("{draw.run}"), "{alone:?}");
}
