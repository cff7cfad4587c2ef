//! Cloneofsimo's numbered files mean the same as the same tensors under kohya's keys, and the words
//! that they bring are embeddings.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use wayword_formats::lora::{self, Adapter, AdapterKind};
use wayword_formats::{Array, SafeTensors, safetensors};
use wayword_testing::{Report, files, tree};

/// Modules of the UNet in the order of its first version's training: blocks down, up, the middle;
/// in each the first attention, the gate, the second attention. With input and output widths.
fn unet(widths: [usize; 3], context: usize) -> Vec<(String, usize, usize)> {
    let mut blocks = Vec::new();
    for (level, width) in widths.into_iter().enumerate() {
        blocks.extend((0..2).map(|j| (format!("down_blocks_{level}_attentions_{j}"), width)));
    }
    for (level, width) in widths.into_iter().rev().enumerate() {
        blocks.extend((0..3).map(|j| (format!("up_blocks_{}_attentions_{j}", level + 1), width)));
    }
    blocks.push(("mid_block_attentions_0".into(), widths[2]));
    let mut out = Vec::new();
    for (block, width) in blocks {
        let mut add = |layer: &str, input, output| {
            out.push((format!("lora_unet_{block}_transformer_blocks_0_{layer}"), input, output));
        };
        for layer in ["attn1_to_q", "attn1_to_k", "attn1_to_v", "attn1_to_out_0"] {
            add(layer, width, width);
        }
        add("ff_net_0_proj", width, 8 * width);
        for layer in ["attn2_to_q", "attn2_to_k", "attn2_to_v", "attn2_to_out_0"] {
            let reads_text = layer.ends_with("_k") || layer.ends_with("_v");
            add(layer, if reads_text { context } else { width }, width);
        }
    }
    out
}

/// Modules of the text encoder: key, value, query, output.
fn text(width: usize) -> Vec<(String, usize, usize)> {
    let parts = ["k_proj", "v_proj", "q_proj", "out_proj"];
    let name = |layer: usize, part: &str| {
        format!("lora_te_text_model_encoder_layers_{layer}_self_attn_{part}")
    };
    (0..12).flat_map(|layer| parts.map(|part| (name(layer, part), width, width))).collect()
}

/// A tensor whose values tell it from all others.
fn array(shape: [usize; 2], seed: usize) -> Array {
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| (seed * 1000 + i) as f32).collect();
    Array::from_f32(shape.to_vec(), &values).unwrap()
}

#[test]
fn numbered_files_are_those_of_kohyas_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (mut numbered, mut named) = (Vec::new(), Vec::new());
    for (part, modules) in [("unet", unet([4, 8, 16], 24)), ("text_encoder", text(24))] {
        for (i, (name, input, output)) in modules.into_iter().enumerate() {
            let seed = named.len();
            let (up, down) = (array([output, 1], seed), array([1, input], seed + 1));
            numbered.push((format!("{part}:{i}:up"), up.clone()));
            numbered.push((format!("{part}:{i}:down"), down.clone()));
            named.push((format!("{name}.lora_up.weight"), up));
            named.push((format!("{name}.lora_down.weight"), down));
        }
    }
    for (i, word) in ["<s1>", "<s2>"].into_iter().enumerate() {
        numbered.push((word.to_owned(), array([1, 24], 9000 + i)));
    }
    let metadata = BTreeMap::from([("unet:0:rank".to_owned(), "1".to_owned())]);
    let (ours, truth) = (dir.path().join("a.safetensors"), dir.path().join("b.safetensors"));
    safetensors::write(&ours, &numbered, &metadata).unwrap();
    safetensors::write(&truth, &named, &BTreeMap::new()).unwrap();
    let (ours, truth) = (lora::read(&ours).unwrap(), lora::read(&truth).unwrap());
    assert_eq!((ours.adapters.len(), truth.adapters.len()), (192, 192));
    equal(&ours, &truth);
    let words: Vec<(&str, f32)> =
        ours.embeddings.iter().map(|(name, e)| (name.as_str(), e.vectors[0])).collect();
    assert_eq!(words, [("<s1>", 9_000_000.0), ("<s2>", 9_001_000.0)]);
}

fn equal(ours: &lora::Lora, truth: &lora::Lora) {
    assert!(ours.unknown.is_empty() && truth.unknown.is_empty(), "{:?}", ours.unknown);
    assert_eq!(ours.adapters.len(), truth.adapters.len());
    for (a, b) in ours.adapters.iter().zip(&truth.adapters) {
        assert_eq!(a.target, b.target);
        assert_eq!(values(a), values(b), "{}", a.target);
        assert_eq!((a.alpha, a.scale), (b.alpha, b.scale), "{}", a.target);
    }
}

/// The author's own files, which lie beside a golden tree where there are any: the same tensors
/// under kohya's keys are the same adapters, and the words `<s1>`, `<s2>` are embeddings.
#[test]
fn golden_lora_cloneofsimo_is_kohya_by_other_names() {
    let mut report = Report::new("golden_lora_cloneofsimo_is_kohya_by_other_names");
    let places = [tree().join("assets"), tree().with_file_name("assets")];
    let found: Vec<_> = places
        .iter()
        .flat_map(|place| files(&place.join("lora/cloneofsimo"), "safetensors"))
        .collect();
    if found.is_empty() {
        println!("ran 0, skipped 1: no file of cloneofsimo's beside {}", tree().display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for path in found {
        let file = SafeTensors::open(&path).unwrap();
        let mut named = Vec::new();
        for (part, modules) in [("unet", unet([320, 640, 1280], 768)), ("text_encoder", text(768))]
        {
            for (i, (name, input, output)) in modules.into_iter().enumerate() {
                let (up, down) = (
                    file.get(&format!("{part}:{i}:up")).unwrap(),
                    file.get(&format!("{part}:{i}:down")).unwrap(),
                );
                assert_eq!((up.shape()[0], down.shape()[1]), (output, input), "{name}");
                named.push((format!("{name}.lora_up.weight"), up));
                named.push((format!("{name}.lora_down.weight"), down));
            }
        }
        let truth = dir.path().join("truth.safetensors");
        safetensors::write(&truth, &named, &BTreeMap::new()).unwrap();
        let ours = lora::read(&path).unwrap();
        equal(&ours, &lora::read(&truth).unwrap());
        let words: Vec<&str> = file.names().filter(|name| name.starts_with('<')).collect();
        assert_eq!(words.len() + named.len(), file.names().count(), "{}", path.display());
        assert_eq!(ours.embeddings.len(), words.len(), "{}", path.display());
        for (name, word) in &ours.embeddings {
            assert!(words.contains(&name.as_str()), "{name}");
            assert_eq!((word.count, word.width), (1, 768), "{name}");
            assert_eq!(word.vectors, file.get(name).unwrap().to_f32().unwrap(), "{name}");
        }
        println!("{}: {} words", path.display(), words.len());
        report.ran();
    }
    report.finish();
}

fn values(adapter: &Adapter) -> (Vec<f32>, Vec<f32>) {
    let AdapterKind::Lora { up, down, mid: None } = &adapter.kind else { panic!("no LoRA") };
    (up.to_f32().unwrap(), down.to_f32().unwrap())
}
