//! Folders of a session: what lies in them, and bases that are found in them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::json;
use std::path::PathBuf;
use wayword_formats::hash;
use wayword_session::{Environment, Failure, Folders, Outcome, Request, Session};

fn demo(name: &str) -> PathBuf {
    wayword_testing::repository().join("demo").join(name)
}

fn draw(session: &Session, base: &str, more: &serde_json::Value) -> Result<Vec<PathBuf>, Failure> {
    let mut values = json!({ "command": "draw", "base": base, "steps": 1, "seed": 1 });
    let values = values.as_object_mut().unwrap();
    values.extend(more.as_object().unwrap().clone());
    match &*session.submit(Request::from_json(values.clone()).unwrap()).wait()? {
        Outcome::Draw(files) => Ok(files.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_base_is_found_by_its_hash_and_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let sha256 = hash::sha256(&demo("wayword-mini.safetensors")).unwrap();
    let out = json!({ "prompt": "a woman", "out": dir.path() });
    let failure = draw(&session, &sha256[..10], &out).unwrap_err();
    assert!(failure.message().contains("no such checkpoint"), "{failure:?}");
    session.set_folders(Folders { checkpoints: vec![demo("")], ..Folders::default() });
    for name in [&sha256[..10], &sha256.to_uppercase(), "wayword-mini", "wayword-mini.safetensors"]
    {
        assert!(draw(&session, name, &out).unwrap()[0].is_file(), "{name}");
    }
    assert_eq!(session.loaded_bases(), [demo("wayword-mini.safetensors")]);
    let failure = draw(&session, "wayword-mimi", &out).unwrap_err();
    assert_eq!(failure.diagnostic.hint.as_deref(), Some("did you mean wayword-mini?"));
}

#[test]
fn folders_are_looked_through_again_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let embeddings = dir.path().join("embeddings");
    std::fs::create_dir(&embeddings).unwrap();
    let folders = Folders {
        embeddings: vec![embeddings.clone()],
        loras: vec![demo("loras")],
        ..Folders::default()
    };
    session.set_folders(folders);
    assert!(session.library().embeddings.is_empty());
    assert!(!session.library().loras.is_empty(), "{:?}", session.library());
    let word = std::fs::read_dir(demo("words")).unwrap().filter_map(|e| Some(e.ok()?.path()));
    let word = word.into_iter().find(|p| p.extension().is_some_and(|e| e == "safetensors"));
    std::fs::copy(word.unwrap(), embeddings.join("fresh-ti.safetensors")).unwrap();
    assert!(session.library().embeddings.is_empty());
    session.rescan();
    assert_eq!(session.library().embeddings[0].name, "fresh-ti");
    // Jobs use the session's folders without being told.
    let request = json!({ "prompt": "photo of fresh-ti", "out": dir.path() });
    let base = demo("wayword-mini.safetensors");
    let files = draw(&session, base.to_str().unwrap(), &request).unwrap();
    let text = wayword_formats::picture_text::read(&files[0]).unwrap().text;
    assert!(text.contains("fresh-ti: "), "{text}");
}

#[test]
fn folders_of_other_programs_and_the_last_output_are_looked_through() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let webui = home.join("stable-diffusion-webui");
    for folder in ["embeddings", "models/Lora", "models/VAE"] {
        std::fs::create_dir_all(webui.join(folder)).unwrap();
    }
    std::fs::copy(demo("words/mirabo-ti.safetensors"), webui.join("embeddings/fresh-ti.pt"))
        .unwrap();
    std::fs::write(webui.join("embeddings/broken-ti.safetensors"), b"no embedding").unwrap();
    std::fs::copy(demo("wayword-mini.safetensors"), webui.join("models/VAE/mini.vae.safetensors"))
        .unwrap();
    let environment = Environment {
        home: Some(home.clone()),
        cache: Some(home.join(".cache")),
        folder: home,
        ..Environment::default()
    };
    let session = Session::new(environment.clone());
    session.set_folders(Folders::of_programs(&environment));
    let base = demo("wayword-mini.safetensors");
    let base = base.to_str().unwrap();
    let request = json!({ "prompt": "photo of fresh-ti", "out": dir.path(), "vae": "mini.vae" });
    let text = |files: &[PathBuf]| wayword_formats::picture_text::read(&files[0]).unwrap().text;
    let drawn = text(&draw(&session, base, &request).unwrap());
    assert!(drawn.contains("fresh-ti: ") && drawn.contains("VAE: mini.vae"), "{drawn}");

    let train = json!({
        "command": "train", "images": [demo("concepts/100_zarva woman")], "base": base,
        "name": "zarva-ti", "steps": 1, "out": dir.path().join("trained"),
    });
    let request = Request::from_json(train.as_object().unwrap().clone()).unwrap();
    session.submit(request).wait().unwrap();
    session.set_folders(Folders::of_programs(&environment));
    let request = json!({ "prompt": "photo of zarva-ti", "out": dir.path() });
    let drawn = text(&draw(&session, base, &request).unwrap());
    assert!(drawn.contains("zarva-ti: "), "{drawn}");
}
