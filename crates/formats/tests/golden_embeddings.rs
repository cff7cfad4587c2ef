//! Embedding files of every kind against what A1111 reads, and the hostile ones.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use wayword_formats::embedding::{self, Embedding, scan};
use wayword_formats::hash;
use wayword_testing::{Report, Topic, topic};

/// The width that the peers' programs were set to.
const WIDTH: usize = 768;

fn cases(json: &Value) -> &[Value] {
    json["cases"].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(case: &'a Value, key: &str) -> Option<&'a str> {
    case[key].as_str()
}

/// Compares every number that the case brings.
fn check(report: &mut Report, case: &Value, path: &Path, e: &Embedding, named: bool) {
    let name = path.file_name().unwrap().to_string_lossy();
    let same = |key: &str, ours: Option<Value>| {
        if let Some(theirs) = case.get(key).filter(|v| !v.is_null() || ours.is_some()) {
            assert_eq!(ours.as_ref(), Some(theirs), "{name}: {key}");
        }
    };
    if named {
        same("trigger", Some(e.trigger(path).into()));
    }
    same("vectors", Some(e.count.into()));
    same("dim", Some(e.width.into()));
    if case.get("step").is_some() {
        assert_eq!(e.step, case["step"].as_i64(), "{name}: step");
        assert_eq!(e.sd_checkpoint.as_deref(), text(case, "sd_checkpoint"), "{name}");
        assert_eq!(e.sd_checkpoint_name.as_deref(), text(case, "sd_checkpoint_name"), "{name}");
    }
    same("checksum4", Some(e.checksum4().into()));
    if let Some(first) = case["first8"].as_array() {
        let first: Vec<f32> = first.iter().map(|v| v.as_f64().unwrap() as f32).collect();
        assert_eq!(e.vectors[..first.len()], first, "{name}: first values");
    }
    if let Some(norms) = case["norms"].as_array() {
        assert_eq!(norms.len(), e.count, "{name}: norms");
        for (ours, theirs) in e.norms().iter().zip(norms) {
            let theirs = theirs.as_f64().unwrap();
            report.within(&name, "norm, relative", (ours - theirs).abs() / theirs, 1e-6);
        }
    }
    let sha = hash::sha256(path).unwrap();
    same("sha256", Some(sha.as_str().into()));
    same("infotext_short_hash", Some(hash::short_network(&sha).into()));
}

/// Scans a folder that holds nothing but one link-free copy of the file.
fn alone(path: &Path) -> One {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(path, dir.path().join(path.file_name().unwrap())).unwrap();
    let found = scan(dir.path(), Some(WIDTH)).unwrap();
    let count = (found.loaded.len(), found.skipped.len());
    let reason = found.skipped.first().map(|s| s.reason.to_string());
    One { count, reason }
}

/// What a scan of one file gave: how many loaded and left out, and why.
struct One {
    count: (usize, usize),
    reason: Option<String>,
}

#[test]
fn golden_embeddings_made() {
    let Some(topic) = topic("embeddings") else { return };
    let mut report = Report::new("golden_embeddings_made");
    let Some(made) = topic.json("made.json", |j| text(&cases(j)[0], "expected").is_some()) else {
        report.skip("no made.json");
        return report.finish();
    };
    let topic_dir = std::fs::canonicalize(&topic.dir).unwrap();
    // The hostile files would create a file in the working folder: it must stay empty.
    let empty = tempfile::tempdir().unwrap();
    std::env::set_current_dir(empty.path()).unwrap();
    for case in cases(&made) {
        let file = text(case, "file").unwrap();
        let path = topic_dir.join("made").join(file);
        if !path.is_file() {
            report.skip("no such file in this tree");
            continue;
        }
        let read = embedding::read(&path);
        let one = alone(&path);
        let expected = text(case, "expected").unwrap();
        let words = |w: &str| expected.split([' ', ',']).any(|e| e == w);
        if expected == "accept" {
            let e = read.unwrap_or_else(|e| panic!("{e}"));
            check(&mut report, case, &path, &e, true);
            assert_eq!(one.count, (1, 0), "{file}: {:?}", one.reason);
        } else if expected == "skip" {
            assert_eq!(one.count, (0, 1), "{file}");
            let reason = one.reason.unwrap();
            let dim = case["dim"].to_string();
            let sdxl = reason.contains("SDXL");
            assert!(sdxl || reason.contains(&dim), "{file}: {reason}");
        } else if expected == "ignore" {
            assert_eq!(one.count, (0, 0), "{file}: {:?}", one.reason);
        } else if words("accept") {
            // Either is fine, as long as it ends in bounded time and memory.
            assert!(one.count.0 + one.count.1 <= 1);
        } else if words("ignore") {
            assert_eq!(one.count.0, 0, "{file}");
        } else if words("refuse") {
            assert!(read.is_err(), "{file} was read");
            assert_eq!(one.count, (0, 1), "{file}");
        } else {
            panic!("{file}: unknown expectation {expected}");
        }
        report.ran();
    }
    let left = std::fs::read_dir(empty.path()).unwrap().count();
    assert_eq!(left, 0, "a file was created by reading");
    whole_folder(&topic_dir.join("made"), &made);
    report.finish();
}

/// All files at once: what is loaded and what is left out add up.
fn whole_folder(folder: &Path, made: &Value) {
    let found = scan(folder, Some(WIDTH)).unwrap();
    for case in cases(made) {
        let path = folder.join(text(case, "file").unwrap());
        let loaded = found.loaded.iter().any(|f| f.path == path);
        let skipped = found.skipped.iter().find(|s| s.path == path);
        match text(case, "expected").unwrap() {
            "accept" if path.is_file() => {
                let taken =
                    skipped.is_some_and(|s| s.reason.to_string().contains("is already used by"));
                assert!(loaded || taken, "{}", path.display());
            }
            "skip" | "refuse" => assert!(!loaded && skipped.is_some() == path.is_file()),
            "ignore" => assert!(!loaded && skipped.is_none(), "{}", path.display()),
            _ => {}
        }
    }
    assert!(found.loaded.is_sorted_by(|a, b| a.path < b.path));
}

/// The files of the folder by their hash: another tree may name them otherwise.
fn files(topic: &Topic) -> Vec<(PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(topic.dir.join("files")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| p.is_file());
    paths.sort();
    paths.into_iter().map(|p| (p.clone(), hash::sha256(&p).unwrap())).collect()
}

#[test]
fn golden_embeddings_real() {
    let Some(topic) = topic("embeddings") else { return };
    let mut report = Report::new("golden_embeddings_real");
    let real = topic.json("real.json", |j| text(&cases(j)[0], "a1111").is_some());
    let Some(real) = real else {
        report.skip("no real.json");
        return report.finish();
    };
    let files = files(&topic);
    for case in cases(&real) {
        let file = files.iter().find(|(_, sha)| Some(sha.as_str()) == text(case, "sha256"));
        let Some((path, _)) = file else {
            report.skip("no such file in this tree");
            continue;
        };
        let named = path.file_name().is_some_and(|n| n.to_str() == text(case, "file"));
        let result = text(case, "a1111").unwrap_or_default();
        let read = embedding::read(path);
        if result == "accepted" {
            let e = read.unwrap_or_else(|e| panic!("{e}"));
            check(&mut report, case, path, &e, named);
            assert!(e.fits(WIDTH).is_ok());
        } else if result.starts_with("skipped") {
            let e = read.unwrap_or_else(|e| panic!("{e}"));
            check(&mut report, case, path, &e, named);
            assert!(e.fits(WIDTH).is_err());
        } else {
            report.skip("A1111 gives no values");
            continue;
        }
        report.ran();
    }
    report.finish();
}
