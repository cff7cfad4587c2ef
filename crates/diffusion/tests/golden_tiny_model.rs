//! All layouts of the tiny model load to equal numbers, which proof.json vouches for.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::checkpoint::{Checkpoint, Layout};
use wayword_formats::{Array, Component, SafeTensors, hash, safetensors};
use wayword_testing::{Report, json, tiny_model, topic};

/// SHA-256 over names and f32 bytes of all tensors, sorted by name; and how many there are.
fn fingerprint(file: &Checkpoint) -> (usize, String) {
    let mut sorted = BTreeMap::new();
    for (component, prefix) in
        [(Component::Unet, "unet"), (Component::Vae, "vae"), (Component::Text, "te")]
    {
        for (name, entry) in file.part(component).unwrap() {
            sorted.insert(format!("{prefix}.{name}"), entry.array.to_f32().unwrap());
        }
    }
    let mut bytes = Vec::new();
    for (name, values) in &sorted {
        bytes.extend_from_slice(name.as_bytes());
        values.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    }
    (sorted.len(), hash::sha256_bytes(&bytes))
}

/// Writes a copy of a safetensors file with every float widened to f32.
fn widen(from: &Path, to: &Path) {
    let file = SafeTensors::open(from).unwrap();
    let wide = |name: &str| {
        let array = file.get(name).unwrap();
        let wide = if array.dtype().is_float() {
            Array::from_f32(array.shape().to_vec(), &array.to_f32().unwrap()).unwrap()
        } else {
            array
        };
        (name.to_owned(), wide)
    };
    let tensors: Vec<_> = file.names().map(wide).collect();
    safetensors::write(to, &tensors, file.metadata()).unwrap();
}

#[test]
fn golden_tiny_model_layouts() {
    let Some(topic) = topic("tiny-model") else { return };
    let mut report = Report::new("golden_tiny_model_layouts");
    let dir = &topic.dir;
    let Some(proof) = topic.json("proof.json", |v| v.get("file_sha256").is_some()) else {
        println!("ran 0, skipped 1: no proof");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let wide = temporary.path().join("wide.safetensors");
    for (kind, path) in [
        ("fp16", dir.join("model_ldm_fp16.safetensors")),
        ("fp32", wide),
        ("ckpt", dir.join("model.ckpt")),
        ("diffusers", dir.join("diffusers")),
    ] {
        if kind == "fp32" && dir.join("model_ldm_fp16.safetensors").exists() {
            widen(&dir.join("model_ldm_fp16.safetensors"), &path);
        }
        let want = &proof[kind];
        if !path.exists() || want.is_null() {
            report.skip("a layout that this tree has no file of");
            continue;
        }
        let file = Checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let (count, sha256) = fingerprint(&file);
        assert_eq!(count as u64, want["tensors"].as_u64().unwrap(), "{kind}");
        assert_eq!(sha256, want["sha256_of_all_fp32"].as_str().unwrap(), "{kind}");
        assert_eq!(file.layout == Some(Layout::Diffusers), path.is_dir());
        report.ran();
        // And all of it is used by the models, without a remainder.
        let base = common::load(&path, None);
        assert_eq!(base.info.report.tensors, count, "{kind}: {}", base.info.report);
        assert!(base.info.report.unused.is_empty(), "{kind}: {}", base.info.report);
        if path.is_file() {
            assert_eq!(base.sha256().unwrap(), Some(hash::sha256(&path).unwrap()));
        }
    }
    report.finish();
}

#[test]
fn golden_tiny_model_vae_layouts() {
    let Some(topic) = topic("tiny-model") else { return };
    let mut report = Report::new("golden_tiny_model_vae_layouts");
    let whole = Checkpoint::open_vae(&common::tiny_file()).unwrap();
    let values = |file: &Checkpoint| -> BTreeMap<String, Vec<f32>> {
        let part = file.part(Component::Vae).unwrap();
        part.iter().map(|(name, e)| (name.clone(), e.array.to_f32().unwrap())).collect()
    };
    // The same VAE as a folder and as a file of its own.
    for path in ["diffusers/vae", "diffusers/vae/diffusion_pytorch_model.safetensors", "diffusers"]
    {
        let Some(path) = topic.file(path) else {
            report.skip("a layout that this tree has no file of");
            continue;
        };
        let alone = Checkpoint::open_vae(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(values(&alone) == values(&whole), "{}", path.display());
        report.ran();
    }
    // Another VAE, without a prefix, and one with everybody else's prefix.
    let other = tiny_model().join("vae2_ldm.safetensors");
    if other.exists() {
        let other = Checkpoint::open_vae(&other).unwrap();
        assert_eq!(other.left_out.len(), 1, "its training loss");
        assert_eq!(values(&other).len(), values(&whole).len());
        assert!(values(&other) != values(&whole));
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_tiny_model_widths() {
    let Some(topic) = topic("tiny-model") else { return };
    let mut report = Report::new("golden_tiny_model_widths");
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let path = topic.file("config.json").unwrap_or_else(|| tiny_model().join("config.json"));
    let config = json(&path);
    let number = |v: &serde_json::Value| usize::try_from(v.as_u64().unwrap()).unwrap();
    let text = &config["text"];
    assert_eq!(model.text().width(), number(&text["hidden_size"]));
    assert_eq!(model.text().layers.len(), number(&text["num_hidden_layers"]));
    assert_eq!(model.text().layers[0].heads, number(&text["num_attention_heads"]));
    let widths = |v: &serde_json::Value| -> Vec<usize> {
        v["block_out_channels"].as_array().unwrap().iter().map(number).collect()
    };
    let down: Vec<usize> = model.unet().down_blocks.iter().map(|b| b.outputs()).collect();
    assert_eq!(down, widths(&config["unet"]));
    assert_eq!(model.unet().context_width(), number(&config["unet"]["cross_attention_dim"]));
    let vae: Vec<usize> =
        base.vae.encoder.down_blocks.iter().map(|b| b.resnets[0].outputs()).collect();
    assert_eq!(vae, widths(&config["vae"]));
    report.ran();
    report.finish();
}

#[test]
fn what_is_missing_or_misshapen_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = SafeTensors::open(&common::tiny_file()).unwrap();
    let gone = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight";
    let bent = "first_stage_model.decoder.conv_out.weight";
    let mut tensors: Vec<(String, Array)> = file
        .names()
        .filter(|n| *n != gone && *n != bent)
        .map(|n| (n.to_owned(), file.get(n).unwrap()))
        .collect();
    tensors.push((bent.into(), Array::from_f32(vec![2, 32, 3, 3], &[0.0; 576]).unwrap()));
    tensors.push(("nobody.knows".into(), Array::from_f32(vec![1], &[0.0]).unwrap()));
    let path = dir.path().join("broken.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    let options = wayword_diffusion::BaseOptions::new(&path, &common::device());
    let error = wayword_diffusion::Base::load(&options, &wayword_interface::Quiet).unwrap_err();
    let text = error.to_string();
    for words in [
        "unet.down_blocks.0.resnets.0.conv1.weight",
        "vae.decoder.conv_out.weight: expected [3, 32, 3, 3], found [2, 32, 3, 3]",
        "nobody.knows",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}
