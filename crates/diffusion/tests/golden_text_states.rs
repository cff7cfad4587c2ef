//! The text encoder against golden `text`: states of every layer, clip skip, gradients.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use wayword_diffusion::TextEncoder;
use wayword_tensor::{Memory, Tape};
use wayword_testing::{Report, max_abs, relative_l2, topic};

fn ids(value: &serde_json::Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| u32::try_from(v.as_u64().unwrap()).unwrap()).collect()
}

/// The states for `name`: `last`, or `skipN` for clip skip N.
fn clip_skip(name: &str) -> Option<usize> {
    match name {
        "last" => Some(1),
        other => other.strip_prefix("skip")?.parse().ok(),
    }
}

#[test]
fn golden_text_states() {
    let Some(topic) = topic("text") else { return };
    let mut report = Report::new("golden_text_states");
    let json = topic.json("states.json", |v| v["cases"][0].get("ids").is_some());
    let tensors = common::tensor_files(&topic, ".last").into_iter().next();
    let (Some(json), Some(tensors)) = (json, tensors) else {
        println!("ran 0, skipped 1: no file of text states");
        return;
    };
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let text = model.text();
    let w = common::states(&common::device(), tensors.at("w"));
    for case in json["cases"].as_array().unwrap() {
        let (index, ids) = (case["index"].as_u64().unwrap(), ids(&case["ids"]));
        let prefix = format!("{index}.");
        for full in tensors.names().filter(|n| n.starts_with(&prefix)) {
            let name = &full[prefix.len()..];
            let want = tensors.at(full).f32();
            if let Some(skip) = clip_skip(name) {
                let got = text
                    .encode(&text.embed(&ids, 1, None).unwrap(), skip)
                    .unwrap()
                    .to_host()
                    .unwrap();
                report.within(full, "states", max_abs(&got, &want), 2e-5);
            } else if let Some(skip) = name.strip_suffix(".grad").and_then(clip_skip) {
                for memory in [Memory::Keep, Memory::Recompute] {
                    let tape = Tape::new(memory);
                    let embedded = tape.watch(&text.embed(&ids, 1, None).unwrap());
                    let states = text.encode(&embedded, skip).unwrap();
                    let grads = tape.backward(&states, &w);
                    let got = grads.of(&embedded).unwrap().to_host().unwrap();
                    report.within(full, "gradient", relative_l2(&got, &want), 1e-5);
                }
            } else if let Some(layer) = name.strip_prefix("layer") {
                let got = hidden(text, &ids, layer.parse().unwrap());
                report.within(full, "layers", max_abs(&got, &want), 2e-5);
            } else {
                report.skip(format!("unknown quantity {name}"));
                continue;
            }
            report.ran();
        }
    }
    long(text, &json["long150"], &tensors, &mut report);
    report.finish();
}

/// The state after `layer` layers, before the final norm.
fn hidden(text: &TextEncoder, ids: &[u32], layer: usize) -> Vec<f32> {
    let mut h = text.with_positions(&text.embed(ids, 1, None).unwrap()).unwrap();
    for layer in &text.layers[..layer] {
        h = layer.forward(&h);
    }
    h.to_host().unwrap()
}

/// Chunks of 77 joined as kohya does: the first mark, 75 of each chunk, the last mark.
fn long(
    text: &TextEncoder,
    case: &serde_json::Value,
    tensors: &wayword_testing::Tensors,
    report: &mut Report,
) {
    let Some(chunks) = case["ids"][0].as_array() else {
        report.skip("no case of more than one chunk");
        return;
    };
    let rows: Vec<Vec<u32>> = chunks.iter().map(ids).collect();
    let all = rows.concat();
    for (name, skip) in [("long150.last", 1), ("long150.skip2", 2)] {
        let Some(want) = tensors.get(name) else { continue };
        let states = text.encode(&text.embed(&all, rows.len(), None).unwrap(), skip).unwrap();
        let got = text.join_windows(&states, 1, rows.len()).unwrap().to_host().unwrap();
        report.within(name, "states", max_abs(&got, &want.f32()), 2e-5);
        report.ran();
    }
}

#[test]
fn extra_rows_stand_behind_the_table() {
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let text = model.text();
    let device = common::device();
    let row = text.token_row(320).unwrap();
    let shape = wayword_tensor::Shape::new(1, 1, text.width());
    let extra = wayword_tensor::Tensor::from_host(&device, shape, &row).unwrap();
    let beyond = u32::try_from(text.vocabulary()).unwrap();
    let a = text.embed(&[49406, 320], 1, None).unwrap().to_host().unwrap();
    let b = text.embed(&[49406, beyond], 1, Some(&extra)).unwrap().to_host().unwrap();
    assert_eq!(a, b);
    assert_eq!(text.table()[320 * text.width()..321 * text.width()], row);
    assert!(text.token_row(beyond).is_err());
}
