//! `convert` between the layouts, `inspect` of what came out, and what makes a file useless.
use super::program::{Program, model, repository};
use serde_json::Value;
use std::collections::BTreeMap;
use wayword_formats::{Array, Dtype, embedding, safetensors};

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
        assert_eq!((read.count, &read.vectors), (first.count, &first.vectors), "{out}");
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
fn every_layout_turns_into_every_other_and_back() {
    let program = Program::new();
    let start = repository("demo/words/mirabo-ti.safetensors").to_string_lossy().into_owned();
    let all = [
        ("kohya", "safetensors"),
        ("kohya", "pt"),
        ("a1111", "pt"),
        ("a1111", "bin"),
        ("diffusers", "safetensors"),
        ("diffusers", "bin"),
    ];
    let convert = |from: &str, to: &str, layout: &str| -> Value {
        let more = ["--layout", layout, "--overwrite", "--json"];
        serde_json::from_str(&program.well(&[&["convert", from, to][..], &more].concat()).out)
            .unwrap()
    };
    let read = |name: &str| embedding::read(&program.path(name)).unwrap();
    let first = embedding::read(std::path::Path::new(&start)).unwrap();
    for (layout, ending) in all {
        let one = format!("one.{ending}");
        let told = convert(&start, &one, layout);
        let dropped = told.get("dropped").map_or(0, |d| d.as_array().unwrap().len());
        let lost = if ending == "safetensors" { 0 } else { first.metadata.len() };
        assert_eq!(dropped, lost, "{layout} {ending}: {told}");
        for (other, ending) in all {
            let (two, back) = (format!("two.{ending}"), "back.safetensors");
            convert(&one, &two, other);
            convert(&two, back, "kohya");
            let (one, two, back) = (read(&one), read(&two), read(back));
            for read in [&one, &two, &back] {
                assert_eq!((read.count, read.width, read.dtype), (first.count, 128, first.dtype));
                assert_eq!(read.vectors, first.vectors, "{layout} to {other}");
            }
            assert_eq!(one.metadata.is_empty(), lost > 0, "{layout}");
            let kept = lost == 0 && ending == "safetensors";
            assert_eq!(back.metadata == first.metadata, kept, "{layout} to {other} {ending}");
        }
    }
}

#[test]
fn what_has_no_place_is_named() {
    let program = Program::new();
    let word = repository("demo/words/mirabo-ti.safetensors").to_string_lossy().into_owned();
    let shown = |arguments: &[&str]| {
        let run = program.well(&[&["convert"], arguments].concat());
        let warnings = run.out.lines().filter(|line| line.starts_with("warning"));
        warnings.collect::<Vec<_>>().join("\n")
    };
    let mut all = vec![shown(&[&word, "a.pt"]), shown(&[&word, "h.safetensors", "--dtype", "f16"])];
    let rows = wayword_formats::Embedding {
        step: Some(400),
        sd_checkpoint_name: Some("some-model".into()),
        ..embedding::read(std::path::Path::new(&word)).unwrap()
    };
    embedding::write_a1111(&program.path("b.pt"), &rows, "w", Dtype::F32).unwrap();
    all.push(shown(&["b.pt", "c.safetensors"]));
    all.push(shown(&["b.pt", "d.bin", "--layout", "a1111"]));
    insta::assert_snapshot!("convert_lost", all.join("\n---\n"));
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
    assert!(warned("other.safetensors").contains("its vectors have 768 values"));
    assert!(warned("huge.safetensors").contains("huge"));
    // What cannot be drawn with can be looked at; drawing says what is wrong and where.
    let mut rows = [0.1_f32; 256];
    rows[131] = f32::NAN;
    rows[200] = f32::INFINITY;
    let rows = Array::from_f32(vec![2, 128], &rows).unwrap();
    let nan = program.path("nan.safetensors");
    safetensors::write(&nan, &[("emb_params".to_owned(), rows)], &none).unwrap();
    let told = warned("nan.safetensors");
    assert!(told.starts_with("2 of 256 values are not finite"), "{told}");
    assert!(told.contains("row 1, column 3"), "{told}");
    let lines = program.well(&["inspect", "nan.safetensors"]).out;
    assert!(lines.contains("vectors") && lines.contains("warning"), "{lines}");
    for refused in [
        program.run(&["draw", "nan", "--base", &model(), "--embeddings", "nan.safetensors"]),
        program.run(&["convert", "nan.safetensors", "x.pt"]),
    ] {
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        let names = refused.err.contains("nan.safetensors") && refused.err.contains("finite");
        assert!(names && refused.err.contains("NaN in row 1, column 3"), "{}", refused.err);
    }
    let word = repository("demo/words/mirabo-ti.safetensors");
    let run = program.well(&["inspect", &word.to_string_lossy(), "--base", &model(), "--json"]);
    assert!(!run.out.contains("warnings"), "{}", run.out);
}

#[test]
fn each_program_gets_what_it_reads() {
    let program = Program::new();
    let start = repository("demo/words/mirabo-ti.safetensors").to_string_lossy().into_owned();
    for (name, out, key, dtype) in [
        ("a1111", "a.safetensors", "emb_params", None),
        ("a1111", "a.pt", "*", None),
        ("comfyui", "b.safetensors", "emb_params", None),
        ("diffusers", "mirabo.safetensors", "mirabo", None),
        ("invokeai", "d.safetensors", "emb_params", None),
        ("onetrainer", "e.safetensors", "emp_params", None),
        ("sdnext", "f.pt", "*", None),
        ("sdcpp", "g.safetensors", "emb_params", Some(Dtype::F32)),
    ] {
        program.well(&["convert", &start, "half.safetensors", "--dtype", "f16", "--overwrite"]);
        program.well(&["convert", "half.safetensors", out, "--for", name]);
        let read = embedding::read(&program.path(out)).unwrap();
        let found = (read.key.as_deref(), read.dtype);
        assert_eq!(found, (Some(key), dtype.unwrap_or(Dtype::F16)), "{name} {out}");
    }
    for (name, out) in [("sdcpp", "x.bin"), ("sdnext", "x.bin"), ("onetrainer", "x.pt")] {
        let run = program.run(&["convert", &start, out, "--for", name]);
        assert!(run.err.contains("does not read"), "{name}: {}", run.err);
        assert!(!program.path(out).exists());
    }
}
