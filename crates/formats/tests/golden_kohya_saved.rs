//! Embedding files that kohya's script wrote: read, and written back with the same contents.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::embedding::{self, Layout, write_kohya};
use wayword_formats::{Array, Dtype, ModelSpec, SafeTensors, pickle};
use wayword_testing::{Report, topic};

fn dtype(name: &str) -> Dtype {
    match name {
        "torch.float64" => Dtype::F64,
        "torch.float32" => Dtype::F32,
        "torch.float16" => Dtype::F16,
        "torch.bfloat16" => Dtype::BF16,
        other => panic!("dtype {other}"),
    }
}

/// The tensors of either container, by name.
fn tensors(path: &Path) -> BTreeMap<String, Array> {
    if path.extension().is_some_and(|e| e == "safetensors") {
        let file = SafeTensors::open(path).unwrap();
        return file.names().map(|n| (n.to_owned(), file.get(n).unwrap())).collect();
    }
    let value = pickle::read(path).unwrap();
    let entries = value.entries().unwrap().iter();
    let pair = |(k, v): &(pickle::Value, pickle::Value)| {
        (k.as_text().unwrap().to_owned(), v.as_tensor().unwrap().clone())
    };
    entries.map(pair).collect()
}

/// The metadata that the run's options ask for.
fn spec(case: &Value) -> BTreeMap<String, String> {
    let options: Vec<&str> =
        case["options"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
    let has = |name: &str| options.contains(&name);
    let after = |name: &str| {
        let at = options.iter().position(|o| *o == name)?;
        options.get(at + 1).map(|s| (*s).to_owned())
    };
    let number = |name: &str| after(name).map(|n| n.parse().unwrap());
    let theirs = |key: &str| case["metadata"][key].as_str().unwrap_or_default();
    let saved = Path::new(case["saved_as"].as_str().unwrap());
    let stem = saved.file_stem().unwrap().to_string_lossy().into_owned();
    let (w, h) = theirs("modelspec.resolution").split_once('x').unwrap();
    let text = |key: &str| Some((key.to_owned(), after(&format!("--metadata_{key}"))?));
    let texts = ["author", "description", "license", "tags"].into_iter().filter_map(text).collect();
    ModelSpec {
        title: after("--metadata_title").unwrap_or(stem),
        resolution: (w.parse().unwrap(), h.parse().unwrap()),
        date: theirs("modelspec.date").into(),
        v_prediction: has("--v_parameterization"),
        program: theirs("modelspec.implementation_version").into(),
        texts,
        timesteps: (number("--min_timestep"), number("--max_timestep")),
        clip_skip: number("--clip_skip"),
    }
    .metadata()
}

#[test]
fn golden_kohya_saved_files() {
    let Some(topic) = topic("kohya-saved") else { return };
    let mut report = Report::new("golden_kohya_saved_files");
    let index = topic.json("index.json", |j| j["cases"][0]["files_left"].is_array());
    let index = index.expect("the topic's list of cases");
    for case in index["cases"].as_array().unwrap() {
        let Some(file) = case["file"].as_str() else {
            report.skip("a listing of saved files, which the trainer's tests check");
            continue;
        };
        let Some(path) = topic.file(file) else {
            report.skip("no such file in this tree");
            continue;
        };
        let dtype = dtype(case["dtype"].as_str().unwrap());
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let exact: Vec<Vec<f32>> = serde_json::from_value(case["values_f32"].clone()).unwrap();
        let exact = exact.concat();
        // The rows rounded once to the saved type, and nothing else.
        let want = Array::from_f32_as(dtype, shape.clone(), &exact).unwrap();

        let read = embedding::read(&path).unwrap();
        assert_eq!((read.count, read.width), (shape[0], shape[1]), "{file}");
        assert_eq!((read.dtype, read.layout), (dtype, Layout::Kohya), "{file}");
        assert_eq!(read.vectors, want.to_f32().unwrap(), "{file}: values");
        let theirs: BTreeMap<String, String> = match case.get("metadata") {
            Some(map) => serde_json::from_value(map.clone()).unwrap(),
            None => BTreeMap::new(),
        };
        assert_eq!(read.metadata, theirs, "{file}: metadata read");
        if !theirs.is_empty() {
            assert_eq!(spec(case), theirs, "{file}: metadata made");
        }

        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join(case["saved_as"].as_str().unwrap());
        write_kohya(&copy, &exact, shape[1], dtype, &read.metadata).unwrap();
        let (ours, theirs) = (tensors(&copy), tensors(&path));
        let keys: Vec<&str> =
            case["keys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(ours.keys().map(String::as_str).collect::<Vec<_>>(), keys, "{file}");
        for (name, a) in &ours {
            let b = &theirs[name];
            assert_eq!((a.dtype(), a.shape()), (b.dtype(), b.shape()), "{file}: {name}");
            assert_eq!(a.bytes(), b.bytes(), "{file}: {name}");
        }
        assert_eq!(embedding::read(&copy).unwrap().metadata, read.metadata, "{file}");
        report.ran();
    }
    report.finish();
}
