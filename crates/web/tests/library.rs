//! Changes to the library, kohya's options for the form, drawings while a training runs.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod common;

use common::{Folder, Running, demo, options};
use serde_json::{Value, json};

/// A server whose own folder holds one embedding, and that embedding's path.
fn with_embedding() -> (Running, Folder, std::path::PathBuf) {
    let dir = Folder::new();
    let folder = dir.path().join("out/embeddings");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("fresh-ti.safetensors");
    std::fs::copy(demo().join("words/pascoe-ti.safetensors"), &file).unwrap();
    let file = file.canonicalize().unwrap();
    (Running::start(&options(dir.path())), dir, file)
}

fn names(server: &Running) -> Vec<String> {
    let library = server.get("/api/v1/library").json();
    let names = library["embeddings"].as_array().unwrap().iter();
    names.filter(|one| one["own"] == true).map(|one| one["name"].as_str().unwrap().into()).collect()
}

#[test]
fn an_embedding_is_renamed_with_the_name_in_it() {
    let (server, _dir, file) = with_embedding();
    assert_eq!(names(&server), ["fresh-ti"]);
    let rename =
        |name: &str| server.post("/api/v1/library/rename", &json!({ "path": file, "name": name }));
    for bad in ["../x", "a/b", "", "con"] {
        assert_eq!(rename(bad).status, 422, "{bad:?}");
    }
    let answer = rename("newer-ti");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(names(&server), ["newer-ti"]);
    assert!(!file.exists() && file.with_file_name("newer-ti.safetensors").is_file());
    // What was not made here is not changed.
    let other = demo().join("words/pascoe-ti.safetensors");
    let answer = server.post("/api/v1/library/rename", &json!({ "path": other, "name": "x-ti" }));
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[test]
fn a_deleted_embedding_comes_back() {
    let (server, _dir, file) = with_embedding();
    let before = std::fs::read(&file).unwrap();
    let told = server.post("/api/v1/library/delete", &json!({ "path": file })).json();
    assert!(names(&server).is_empty() && !file.exists(), "{told}");
    let restore = |undo: &Value| server.post("/api/v1/library/restore", &json!({ "undo": undo }));
    assert_eq!(restore(&json!("../pictures")).status, 404);
    assert_eq!(restore(&told["undo"]).status, 200);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(restore(&told["undo"]).status, 404, "it came back already");
    let other = demo().join("words/pascoe-ti.safetensors");
    assert_eq!(server.post("/api/v1/library/delete", &json!({ "path": other })).status, 403);
}

#[test]
fn previews_lie_beside_files_as_a1111_has_them() {
    let (server, _dir, file) = with_embedding();
    let find = || {
        let library = server.post("/api/v1/library/rescan", &json!({})).json();
        let mut all = library["embeddings"].as_array().unwrap().iter();
        all.find(|one| one["name"] == "fresh-ti").unwrap()["preview"].clone()
    };
    assert_eq!(find(), Value::Null);
    std::fs::write(file.with_extension("preview.png"), b"a picture").unwrap();
    let address = find().as_str().unwrap().to_owned();
    let answer = server.get(&address);
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"a picture"[..]));
    assert_eq!(answer.header("content-type"), Some("image/png"));
    for path in ["embeddings/other-ti", "embeddings/..%2f..%2fx", "files/fresh-ti"] {
        assert_eq!(server.get(&format!("/api/v1/library/preview/{path}")).status, 404, "{path}");
    }
}

#[test]
fn what_a_files_maker_wrote_stands_in_the_list() {
    let dir = Folder::new();
    let folder = dir.path().join("out/embeddings");
    std::fs::create_dir_all(&folder).unwrap();
    let words =
        wayword_formats::embedding::read(&demo().join("words/pascoe-ti.safetensors")).unwrap();
    let write = |name: &str, metadata: &[(&str, &str)]| {
        let metadata = metadata.iter().map(|(key, text)| ((*key).into(), (*text).into())).collect();
        let (path, f32) = (folder.join(format!("{name}.safetensors")), wayword_formats::Dtype::F32);
        let (vectors, width) = (&words.vectors, words.width);
        wayword_formats::embedding::write_kohya(&path, vectors, width, f32, &metadata).unwrap();
    };
    write(
        "comment-ti",
        &[("ss_training_comment", " photos of 2024 "), ("modelspec.description", "x")],
    );
    write("described-ti", &[("ss_training_comment", "None"), ("modelspec.description", "a man")]);
    write("hint-ti", &[("modelspec.usage_hint", "at weight 0.8")]);
    write("plain-ti", &[("ss_training_comment", "")]);
    let server = Running::start(&options(dir.path()));
    let library = server.get("/api/v1/library").json();
    let notes = |name: &str| {
        let mut all = library["embeddings"].as_array().unwrap().iter();
        all.find(|one| one["name"] == name).unwrap()["notes"].clone()
    };
    assert_eq!(notes("comment-ti"), "photos of 2024");
    assert_eq!(notes("described-ti"), "a man");
    assert_eq!(notes("hint-ti"), "at weight 0.8");
    assert_eq!(notes("plain-ti"), Value::Null);
}

#[test]
fn an_embedding_is_converted_for_another_program_and_offered() {
    let (server, dir, file) = with_embedding();
    // What the page's dialog sends.
    let convert = |input: &std::path::Path, program: &str, ending: &str| {
        let output = format!("converted/fresh-ti.{program}.{ending}");
        let request = json!({ "command": "convert", "input": input, "output": output,
            "for_program": program, "token": "fresh-ti", "overwrite": true });
        let answer = server.post("/api/v1/jobs", &request);
        (answer, output)
    };
    let done = |answer: &common::Answer| {
        assert_eq!(answer.status, 202, "{}", answer.text());
        server.wait(answer.json()["id"].as_str().unwrap())
    };
    let schema = server.get("/api/v1/schema/convert").json();
    let programs = schema["properties"]["for_program"]["oneOf"].as_array().unwrap().clone();
    assert!(programs.len() > 3, "{schema}");
    let vectors = wayword_formats::embedding::read(&file).unwrap().vectors;
    for program in programs {
        let name = program["const"].as_str().unwrap();
        let (answer, output) = convert(&file, name, "safetensors");
        let told = done(&answer);
        if told["state"] != "finished" {
            assert!(told["error"]["hint"].is_string(), "{name}: {told}");
            continue;
        }
        let bytes = server.get(&format!("/files/{output}"));
        assert_eq!(bytes.status, 200, "{name}");
        let place = dir.path().join("back.safetensors");
        std::fs::write(&place, bytes.body).unwrap();
        assert_eq!(wayword_formats::embedding::read(&place).unwrap().vectors, vectors, "{name}");
    }
    // A file that nobody opened is not read.
    let outside = std::path::Path::new("/etc/passwd");
    let (answer, _) = convert(outside, "a1111", "pt");
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[test]
fn the_last_used_base_is_that_of_the_next_server() {
    let dir = Folder::new();
    let models = dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    for name in ["one.safetensors", "two.safetensors"] {
        std::fs::copy(demo().join("wayword-mini.safetensors"), models.join(name)).unwrap();
    }
    let options = wayword_session::request::Serve {
        base: None,
        models: vec![models.clone()],
        ..options(dir.path())
    };
    let server = Running::start(&options);
    assert_eq!(server.get("/api/v1/server").json()["base"], Value::Null, "there are two");
    let draw = json!({ "command": "draw", "prompt": "a", "steps": 1, "size": [64, 64],
        "base": models.join("two.safetensors") });
    let id = server.post("/api/v1/jobs", &draw).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.wait(&id)["state"], "finished");
    drop(server);
    let server = Running::start(&options);
    let base = server.get("/api/v1/server").json()["base"].as_str().unwrap().to_owned();
    assert!(base.ends_with("two.safetensors"), "{base}");
}

#[test]
fn kohyas_options_fill_the_form() {
    let (server, _dir) = Running::new();
    let gui = json!({
        "train_data_dir": "/photos", "output_name": "sks", "token_string": "sks",
        "init_word": "woman", "num_vectors_per_token": 4, "learning_rate": 0.005,
        "max_train_steps": "1200", "max_resolution": "512,512", "xformers": "xformers",
    });
    let told = server.post("/api/v1/kohya", &gui).json();
    assert_eq!(told["values"]["steps"], json!(1200), "{told}");
    assert_eq!(told["values"]["vectors"], json!(4), "{told}");
    assert!(!told["translated"].as_array().unwrap().is_empty());
    let answer =
        server.post("/api/v1/kohya", &json!({ "max_train_steps": "many", "output_name": "x" }));
    assert_eq!(answer.status, 422, "{}", answer.text());
}

#[test]
fn a_small_drawing_comes_between_the_steps_of_a_training() {
    let dir = Folder::new();
    let server = Running::start(&options(dir.path()));
    let train = json!({
        "command": "train", "images": [demo().join("concepts/100_zarva woman")], "name": "zarva-ti",
        "steps": 100_000, "save_every": 0,
    });
    let training = server.post("/api/v1/jobs", &train).json()["id"].as_str().unwrap().to_owned();
    let draw = json!({ "command": "draw", "prompt": "photo of a woman", "steps": 2, "seed": 1 });
    let drawing = server.post("/api/v1/jobs", &draw).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.wait(&drawing)["state"], "finished");
    let told = server.get(&format!("/api/v1/jobs/{training}")).json();
    assert_eq!(told["state"], "running", "{told}");
    server.post(&format!("/api/v1/jobs/{training}/stop"), &json!({}));
    assert_eq!(server.wait(&training)["state"], "stopped");
}
