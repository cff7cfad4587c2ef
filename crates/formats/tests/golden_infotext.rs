//! A1111's infotext: written, taken apart, and kept in pictures.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use std::collections::BTreeMap;
use wayword_formats::infotext::{DrawnSettings, Field, python_float, records_ensd};
use wayword_formats::png_text::{self, PngText};
use wayword_formats::{Infotext, exif, picture_text};
use wayword_testing::{Report, Topic, topic};

/// A value as Python's `str` prints it; `None` for a missing one.
fn python(value: &Value, index: usize) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) if n.is_f64() => python_float(n.as_f64().unwrap()),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        Value::Array(each) => return python(each.get(index)?, index),
        Value::Object(_) => panic!("an object as a value"),
    })
}

/// The job that a case describes, over the file's defaults.
fn job(defaults: &Value, case: &Value) -> DrawnSettings {
    let index = case["index"].as_u64().unwrap_or(0);
    let at = usize::try_from(index).unwrap();
    let get = |key: &str| case.get(key).or_else(|| defaults.get(key)).unwrap_or(&Value::Null);
    let text = |key: &str| python(get(key), at);
    let number = |key: &str| get(key).as_u64().unwrap();
    let option = |key: &str| case["options"].get(key).unwrap_or(&Value::Null);
    let wanted = |key: &str| option(key).as_bool().unwrap_or(true);
    let kw = |key: &str| case["kw"].get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let flag = |key: &str| case["kw"][key].as_bool().unwrap_or(false);
    let sampler = text("sampler").unwrap();
    let prompts = case["all_prompts"].as_array();
    let side = |key: &str| kw(key) as u32;
    let strength = &case["kw"]["subseed_strength"];
    let (w, h) = (side("seed_resize_from_w"), side("seed_resize_from_h"));
    let extra = case["extra"].as_object();
    DrawnSettings {
        prompt: prompts.map_or_else(
            || text("prompt").unwrap_or_default(),
            |all| all[at].as_str().unwrap().to_owned(),
        ),
        negative: text("neg").unwrap_or_default(),
        steps: number("steps") as u32,
        schedule: text("scheduler"),
        cfg: text("cfg").unwrap(),
        seed: number("seed") + index,
        face_restoration: flag("restore_faces").then(|| "CodeFormer".into()),
        size: (number("w") as u32, number("h") as u32),
        model_hash: text("model_hash").filter(|_| wanted("add_model_hash_to_info")),
        model: text("model").filter(|_| wanted("add_model_name_to_info")),
        vae_hash: text("vae_hash").filter(|_| wanted("add_vae_hash_to_info")),
        vae: text("vae").filter(|_| wanted("add_vae_name_to_info")),
        variation: python(strength, at)
            .filter(|_| strength.as_f64() != Some(0.0))
            .map(|s| (number("subseed") + index, s)),
        seed_resize: (w > 0 && h > 0).then_some((w, h)),
        clip_skip: get("clip_skip_option").as_u64().unwrap_or(1) as u32,
        ensd: option("eta_noise_seed_delta").as_i64().filter(|_| records_ensd(&sampler, None)),
        rng: option("randn_source").as_str().filter(|s| *s != "GPU").map(str::to_owned),
        tiling: flag("tiling"),
        extra: extra.map_or_else(Vec::new, |e| {
            e.iter().filter_map(|(k, v)| Some((k.clone(), python(v, at)?))).collect()
        }),
        version: wanted("add_version_to_infotext").then(String::new),
        sampler,
        ..DrawnSettings::default()
    }
}

fn same_fields(name: &str, text: &str, expected: &Value) {
    let ours: BTreeMap<String, Value> = Infotext::parse(text)
        .fields()
        .into_iter()
        .map(|(k, v)| match v {
            Field::Text(t) => (k, t.into()),
            Field::Number(n) => (k, n.into()),
            Field::Flag(b) => (k, b.into()),
        })
        .collect();
    let theirs: BTreeMap<String, Value> =
        expected.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(ours, theirs, "{name}: {text:?}");
}

#[test]
fn golden_infotext_write() {
    let Some(topic) = topic("infotext") else { return };
    let mut report = Report::new("golden_infotext_write");
    let file = topic
        .json("write.json", |j| j["job_defaults"].is_object() && j["cases"][0]["job"].is_object());
    let Some(file) = file else {
        report.skip("no list of written texts");
        return report.finish();
    };
    for case in file["cases"].as_array().unwrap() {
        let name = format!("case {}", case["id"]);
        let expected = case["infotext"].as_str().unwrap();
        let mut job = job(&file["job_defaults"], &case["job"]);
        // The version is the program's own; everything else must be equal.
        job.version = job.version.and(
            Infotext::parse(expected).get("Version").map(str::to_owned).or(Some(String::new())),
        );
        let ours = job.infotext();
        assert_eq!(ours.to_string(), expected, "{name}");
        same_fields(&name, expected, &case["parsed"]);
        // What is written back from the parts reads the same again.
        let parts = Infotext::parse(expected);
        assert_eq!(Infotext::parse(&parts.to_string()), parts, "{name}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_infotext_parse() {
    let Some(topic) = topic("infotext") else { return };
    let mut report = Report::new("golden_infotext_parse");
    let file = topic.json("parse.json", |j| j["cases"][0]["text"].is_string());
    let Some(file) = file else {
        report.skip("no list of parsed texts");
        return report.finish();
    };
    for case in file["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        same_fields(&format!("case {}", case["id"]), text, &case["parsed"]);
        report.ran();
    }
    report.finish();
}

/// The kind of chunk that holds a PNG's text.
fn chunk(png: &[u8]) -> &'static str {
    let has = |kind: &[u8]| png.windows(4).any(|w| w == kind);
    if has(b"iTXt") { "iTXt" } else { "tEXt" }
}

fn image_cases(topic: &Topic, report: &mut Report) -> Vec<Value> {
    let list = topic.json("images.json", |j| j[0]["read_back"].is_string());
    if list.is_none() {
        report.skip("no list of pictures");
    }
    list.and_then(|l| l.as_array().cloned()).unwrap_or_default()
}

#[test]
fn golden_infotext_images() {
    let Some(topic) = topic("infotext") else { return };
    let mut report = Report::new("golden_infotext_images");
    for case in image_cases(&topic, &mut report) {
        let name = case["file"].as_str().unwrap();
        let Some(path) = topic.file(name) else {
            report.skip("no such picture in this tree");
            continue;
        };
        let bytes = std::fs::read(&path).unwrap();
        let text = case["written"].as_str().unwrap();
        let read = |bytes: &[u8]| picture_text::from_bytes(bytes).ok().map(|found| found.text);
        assert_eq!(read(&bytes).as_deref(), case["read_back"].as_str(), "{name}");
        let ours = match name.rsplit_once('.').unwrap().1 {
            "png" => {
                let texts = [PngText { key: "parameters".into(), text: text.into() }];
                let ours = png_text::encode_rgb8(8, 8, &[7; 192], &texts).unwrap();
                assert_eq!(chunk(&ours), chunk(&bytes), "{name}");
                assert_eq!(png_text::read(&ours).unwrap(), texts, "{name}");
                ours
            }
            "webp" => exif::webp_with_comment(&bytes, text).unwrap(),
            "jpg" | "jpeg" => exif::jpeg_with_comment(&bytes, text).unwrap(),
            other => {
                report.skip(format!("pictures of kind {other} are not written"));
                continue;
            }
        };
        assert_eq!(read(&ours).as_deref(), Some(text), "{name}");
        // Another reader opens the picture too.
        let size = |b: &[u8]| image::load_from_memory(b).unwrap().to_rgb8().into_raw().len();
        assert_eq!(size(&ours), size(&bytes), "{name}");
        report.ran();
    }
    report.finish();
}
