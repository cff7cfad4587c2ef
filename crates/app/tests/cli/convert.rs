//! `convert` between the layouts, `inspect` of what came out, and what makes a file useless.
use super::program::{Program, model, repository};
use serde_json::Value;
use std::collections::BTreeMap;
use wayword_formats::{Dtype, embedding};

#[test]
fn values_survive_every_layout() {
    let program = Program::new();
    let start = repository("demo/words/mirabo-ti.safetensors");
    let first = embedding::read(&start).unwrap();
    let mut from = start.to_string_lossy().into_owned();
    // Each layout to the next one and at last back to the first.
    for (out, key) in [
        ("a.pt", "*"),
        ("b.bin", "mirabo-ti"),
        ("c.safetensors", "emb_params"),
        ("d.pt", "*"),
        ("mirabo-ti.safetensors", "emb_params"),
    ] {
        let mut arguments = vec!["convert", &from, out, "--json"];
        if key == "mirabo-ti" {
            arguments.extend(["--token", key]);
        }
        let told: Value = serde_json::from_str(&program.well(&arguments).out).unwrap();
        assert_eq!(told["key"], key, "{out}");
        let read = embedding::read(&program.path(out)).unwrap();
        assert_eq!((read.rows, &read.vectors), (first.rows, &first.vectors), "{out}");
        assert_eq!(read.dtype, first.dtype, "{out}");
        from = out.into();
    }
}

#[test]
fn metadata_stay_from_kohya_to_kohya() {
    let program = Program::new();
    let start = repository("demo/words/mirabo-ti.safetensors");
    let from = start.to_string_lossy();
    program.well(&["convert", &from, "x.safetensors", "--dtype", "f16"]);
    let (a, b) =
        (embedding::read(&start).unwrap(), embedding::read(&program.path("x.safetensors")));
    let b = b.unwrap();
    assert_eq!(b.dtype, Dtype::F16);
    assert_eq!(a.metadata.get("ss_optimizer"), b.metadata.get("ss_optimizer"));
    assert!(!b.metadata.keys().any(|k| k.starts_with("sshs_")));
}

#[test]
fn mistakes_are_told() {
    let program = Program::new();
    let word = repository("demo/words/mirabo-ti.safetensors").to_string_lossy().into_owned();
    std::fs::write(program.path("there.pt"), "x").unwrap();
    let shown = |arguments: &[&str]| {
        let run = program.run(&[&["convert"], arguments].concat());
        let err = run.err.replace(&word, "WORD").replace(&model(), "MODEL");
        format!("exit {}\n{err}", run.code.unwrap_or(-1))
    };
    let all = [
        shown(&[&word, "there.pt"]),
        shown(&[&word, "x.ckpt"]),
        shown(&["gone.pt", "x.pt"]),
        shown(&[&model(), "x.pt"]),
        shown(&[&word, "x.safetensors", "--layout", "a1111"]),
    ];
    insta::assert_snapshot!("convert_mistakes", all.join("\n"));
}

#[test]
fn useless_embeddings_are_shown_with_a_warning() {
    let program = Program::new();
    let none = BTreeMap::new();
    let write = |name: &str, rows: &[f32], width| {
        embedding::write_kohya(&program.path(name), rows, width, Dtype::F32, &none).unwrap();
    };
    write("zero.safetensors", &[0.0; 128], 128);
    write("other.safetensors", &[0.1; 768], 768);
    write("huge.safetensors", &[100.0; 128], 128);
    let warned = |name: &str| {
        let run = program.well(&["inspect", name, "--base", &model(), "--json"]);
        let told: Value = serde_json::from_str(&run.out).unwrap();
        told["warnings"].as_array().unwrap()[0].as_str().unwrap().to_owned()
    };
    assert!(warned("zero.safetensors").starts_with("all its values are 0"));
    assert!(warned("other.safetensors").contains("its rows have 768 values"));
    assert!(warned("huge.safetensors").contains("huge"));
    let word = repository("demo/words/mirabo-ti.safetensors");
    let run = program.well(&["inspect", &word.to_string_lossy(), "--base", &model(), "--json"]);
    assert!(!run.out.contains("warnings"), "{}", run.out);
}
