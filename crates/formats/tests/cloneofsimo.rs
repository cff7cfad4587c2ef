//! Cloneofsimo's numbered files mean the same as the same tensors under kohya's keys, and the words
//! that they bring are embeddings.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use wayword_formats::lora::{self, Adapter, AdapterKind};
use wayword_formats::{Array, safetensors};

/// Modules of the UNet in the order of its first version's training: blocks down, up, the middle;
/// in each the first attention, the gate, the second attention. With input and output widths.
fn unet() -> Vec<(String, usize, usize)> {
    let widths = [4, 8, 16];
    let mut blocks = Vec::new();
    for (level, width) in widths.into_iter().enumerate() {
        blocks.extend((0..2).map(|j| (format!("down_blocks_{level}_attentions_{j}"), width)));
    }
    for (level, width) in [16, 8, 4].into_iter().enumerate() {
        blocks.extend((0..3).map(|j| (format!("up_blocks_{}_attentions_{j}", level + 1), width)));
    }
    blocks.push(("mid_block_attentions_0".into(), 16));
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
            add(layer, if reads_text { 24 } else { width }, width);
        }
    }
    out
}

/// Modules of the text encoder: key, value, query, output.
fn text() -> Vec<(String, usize, usize)> {
    let parts = ["k_proj", "v_proj", "q_proj", "out_proj"];
    let name = |layer: usize, part: &str| {
        format!("lora_te_text_model_encoder_layers_{layer}_self_attn_{part}")
    };
    (0..12).flat_map(|layer| parts.map(|part| (name(layer, part), 24, 24))).collect()
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
    for (part, modules) in [("unet", unet()), ("text_encoder", text())] {
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
    assert!(ours.unknown.is_empty() && truth.unknown.is_empty(), "{:?}", ours.unknown);
    assert_eq!((ours.adapters.len(), truth.adapters.len()), (192, 192));
    for (a, b) in ours.adapters.iter().zip(&truth.adapters) {
        assert_eq!(a.target, b.target);
        assert_eq!(values(a), values(b), "{}", a.target);
        assert_eq!((a.alpha, a.scale), (b.alpha, b.scale), "{}", a.target);
    }
    let words: Vec<(&str, f32)> =
        ours.embeddings.iter().map(|(name, e)| (name.as_str(), e.vectors[0])).collect();
    assert_eq!(words, [("<s1>", 9_000_000.0), ("<s2>", 9_001_000.0)]);
}

fn values(adapter: &Adapter) -> (Vec<f32>, Vec<f32>) {
    let AdapterKind::Lora { up, down, mid: None } = &adapter.kind else { panic!("no LoRA") };
    (up.to_f32().unwrap(), down.to_f32().unwrap())
}
