//! The face detector's numbers equal golden `detail`: OpenCV's faces, and the network's raw outputs.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use wayword_testing::{Report, Tensors, max_abs, topic};
use wayword_vision::{Detector, Rgb, Turn, View};

/// The tree's folder where it has what OpenCV found, else the repository's copy.
fn folder() -> Option<PathBuf> {
    let dir = topic("detail")?.dir;
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detail");
    Some(if dir.join("yunet.json").exists() { dir } else { own })
}

fn read(path: &Path) -> Option<Rgb> {
    let picture = image::open(path).ok()?.to_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Some(Rgb { width, height, rgb: picture.into_raw() })
}

/// A part of a picture: every `step`th pixel of rows and columns.
fn part(p: &Rgb, rows: (usize, usize), columns: (usize, usize), step: usize) -> Rgb {
    let places = |(from, to): (usize, usize)| (from..to).step_by(step);
    let mut rgb = Vec::new();
    for y in places(rows) {
        for x in places(columns) {
            rgb.extend_from_slice(&p.rgb[(y * p.width + x) * 3..][..3]);
        }
    }
    Rgb { width: places(columns).count(), height: places(rows).count(), rgb }
}

fn mirrored(p: &Rgb) -> Rgb {
    let rows = p.rgb.chunks_exact(p.width * 3);
    let rgb = rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().copied()).flatten();
    Rgb { rgb: rgb.collect(), ..*p }
}

/// `a | b` beside each other and `c | d` below.
fn mosaic(parts: [&Rgb; 4]) -> Rgb {
    let (width, height) = (parts[0].width, parts[0].height);
    let mut rgb = Vec::new();
    for two in parts.chunks_exact(2) {
        for y in 0..height {
            for p in two {
                rgb.extend_from_slice(&p.rgb[y * width * 3..][..width * 3]);
            }
        }
    }
    Rgb { width: 2 * width, height: 2 * height, rgb }
}

/// `100:400` behind a word of a description.
fn range(words: &[&str], name: &str) -> Option<(usize, usize)> {
    let at = words.iter().position(|word| *word == name)?;
    let (from, to) = words.get(at + 1)?.split_once(':')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// The picture that a description such as `a.png every 2nd pixel` speaks of.
fn picture(dir: &Path, text: &str, size: (usize, usize)) -> Option<Rgb> {
    if text.starts_with("all black") {
        return Some(Rgb { width: size.0, height: size.1, rgb: vec![0; size.0 * size.1 * 3] });
    }
    let (file, how) = text.split_once(' ')?;
    let whole = read(&dir.join("photos").join(file))?;
    let words: Vec<&str> = how.split_whitespace().collect();
    let (rows, columns) = ((0, whole.height), (0, whole.width));
    if let (Some(rows), Some(columns)) = (range(&words, "rows"), range(&words, "cols")) {
        return Some(part(&whole, rows, columns, 1));
    }
    if let ["every", step, ..] = words[..] {
        let step = step.trim_end_matches(|c: char| c.is_alphabetic()).parse().ok()?;
        return Some(part(&whole, rows, columns, step));
    }
    if how.contains("mosaic") {
        let half = part(&whole, rows, columns, 2);
        let other = mirrored(&half);
        return Some(mosaic([&half, &other, &other, &half]));
    }
    match words[..] {
        ["full"] => Some(whole),
        ["mirrored"] => Some(mirrored(&whole)),
        ["rotated", "90", "degrees", "clockwise"] => Some(Turn::Right.apply(&whole)),
        _ => None,
    }
}

fn is_the_one(picture: &Rgb, sha256: &str) -> bool {
    let bgr: Vec<u8> =
        picture.rgb.as_chunks::<3>().0.iter().flat_map(|p| [p[2], p[1], p[0]]).collect();
    let hash: String = Sha256::digest(&bgr).iter().map(|b| format!("{b:02x}")).collect();
    hash == sha256
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

#[test]
fn golden_detail_faces() {
    let Some(dir) = folder() else { return };
    let head = wayword_testing::json(&dir.join("yunet.json"));
    let detector = Detector::bundled().unwrap();
    let mut report = Report::new("golden_detail_faces");
    for case in head["cases"].as_array().unwrap() {
        let id = case["image"].as_str().unwrap();
        let size = numbers(&case["size_wh"]);
        let found = picture(&dir, id, (size[0] as usize, size[1] as usize));
        let Some(picture) =
            found.filter(|p| is_the_one(p, case["sha256_of_bgr_bytes"].as_str().unwrap()))
        else {
            report.skip("no such photo, or another derivation of it");
            continue;
        };
        for (key, want) in case.as_object().unwrap() {
            let Some(rest) = key.strip_prefix("score>=") else { continue };
            let score = rest.split(' ').next().unwrap().parse().unwrap();
            let got = detector.detect(picture.view(), score).unwrap();
            if let Some(count) = want.as_u64() {
                assert_eq!(got.len() as u64, count, "{id}, {key}");
                continue;
            }
            let want = want.as_array().unwrap();
            assert_eq!(got.len(), want.len(), "{id}, {key}: {got:?}");
            for (face, want) in got.iter().zip(want) {
                let area = [face.area.left, face.area.top, face.area.width, face.area.height];
                report.within(id, "box", max_abs(&area, &numbers(&want["box_xywh"])), 0.05);
                let points = want["landmarks_xy"].as_array().unwrap();
                let points: Vec<f32> = points.iter().flat_map(numbers).collect();
                let own = face.landmarks.concat();
                report.within(id, "landmarks", max_abs(&own, &points), 0.05);
                let score = want["score"].as_f64().unwrap() as f32;
                report.within(id, "score", max_abs(&[face.score], &[score]), 1e-4);
            }
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_detail_raw_outputs() {
    let Some(dir) = folder() else { return };
    let tensors = Tensors::read(&dir.join("yunet_raw.safetensors"));
    let mut report = Report::new("golden_detail_raw_outputs");
    for name in tensors.names() {
        let Some(prefix) = name.strip_suffix(".input_bgr_nchw") else { continue };
        let input = tensors.at(name);
        let (height, width) = (input.shape[2], input.shape[3]);
        let plane = |c: usize| &input.bytes[c * height * width..][..height * width];
        let planes = [plane(2), plane(1), plane(0)];
        let rgb: Vec<u8> = (0..height * width).flat_map(|i| planes.map(|plane| plane[i])).collect();
        let view = View::new(width, height, &rgb).unwrap();
        for (output, got) in Detector::bundled().unwrap().outputs(view).unwrap() {
            if let Some(want) = tensors.get(&format!("{prefix}.{output}")) {
                report.within(name, &output, max_abs(&got, &want.f32()), 1e-4);
                report.ran();
            }
        }
    }
    report.finish();
}
