//! Key names of the programs that write LoRAs: each spelling means the same module and weight.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use wayword_formats::lora::{self, AdapterKind, Lora};
use wayword_formats::{Array, SafeTensors, safetensors};

const MODULE: &str = "up_blocks.3.attentions.1.transformer_blocks.0.attn2.to_v";
const KOHYA: &str = "lora_unet_up_blocks_3_attentions_1_transformer_blocks_0_attn2_to_v";

fn array(shape: &[usize]) -> Array {
    let n = shape.iter().product();
    Array::from_f32(shape.to_vec(), &vec![0.5; n]).unwrap()
}

fn read(tensors: &[(String, Array)], metadata: &[(&str, &str)]) -> Lora {
    let metadata: BTreeMap<String, String> =
        metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lora.safetensors");
    safetensors::write(&path, tensors, &metadata).unwrap();
    lora::from_safetensors(&SafeTensors::open(&path).unwrap()).unwrap()
}

fn pair(down: &str, up: &str) -> Vec<(String, Array)> {
    vec![(down.to_owned(), array(&[4, 8])), (up.to_owned(), array(&[6, 4]))]
}

#[test]
fn spellings_of_low_rank_pairs() {
    let m = MODULE;
    let parent = m.strip_suffix(".to_v").unwrap();
    let ldm = "output_blocks.10.1.transformer_blocks.0.attn2.to_v";
    for (down, up) in [
        // kohya, LyCORIS, A1111, OneTrainer
        (format!("{KOHYA}.lora_down.weight"), format!("{KOHYA}.lora_up.weight")),
        // PEFT, with and without the adapter's name, and under torch.compile
        (format!("unet.{m}.lora_A.weight"), format!("unet.{m}.lora_B.weight")),
        (
            format!("base_model.model.{m}.lora_A.style_1.weight"),
            format!("base_model.model.{m}.lora_B.style_1.weight"),
        ),
        (
            format!("unet.base_model.model.{m}.lora_A.weight"),
            format!("unet.base_model.model.{m}.lora_B.weight"),
        ),
        (format!("unet._orig_mod.{m}.lora_A"), format!("unet._orig_mod.{m}.lora_B")),
        // diffusers' attention processors, old and older
        (
            format!("unet.{parent}.processor.to_v_lora.down.weight"),
            format!("unet.{parent}.processor.to_v_lora.up.weight"),
        ),
        (format!("{parent}.to_v_lora.down.weight"), format!("{parent}.to_v_lora.up.weight")),
        (format!("unet.{m}.lora.down.weight"), format!("unet.{m}.lora.up.weight")),
        (format!("{KOHYA}_lora.down.weight"), format!("{KOHYA}_lora.up.weight")),
        // ComfyUI's extraction, SimpleTuner's LyCORIS
        (
            format!("diffusion_model.{ldm}.lora_down.weight"),
            format!("diffusion_model.{ldm}.lora_up.weight"),
        ),
        (
            KOHYA.replace("lora_unet_", "lycoris_") + ".lora_down.weight",
            KOHYA.replace("lora_unet_", "lycoris_") + ".lora_up.weight",
        ),
    ] {
        let found = read(&pair(&down, &up), &[]);
        assert_eq!(found.unknown, [], "{down}");
        assert_eq!(found.adapters[0].target.module, MODULE, "{down}");
        assert!(matches!(found.adapters[0].kind, AdapterKind::Lora { .. }), "{down}");
    }
}

#[test]
fn spellings_of_the_text_encoder() {
    let layer = "text_model.encoder.layers.3.self_attn";
    for (down, up) in [
        (
            format!("text_encoder.{layer}.q_proj.lora_linear_layer.down.weight"),
            format!("text_encoder.{layer}.q_proj.lora_linear_layer.up.weight"),
        ),
        (
            format!("text_encoder.{layer}.to_q_lora.down.weight"),
            format!("text_encoder.{layer}.to_q_lora.up.weight"),
        ),
        (
            format!("lora_te1_{}_q_proj.lora_down.weight", layer.replace('.', "_")),
            format!("lora_te1_{}_q_proj.lora_up.weight", layer.replace('.', "_")),
        ),
        (
            format!("clip_l.{layer}.q_proj.lora_down.weight"),
            format!("clip_l.{layer}.q_proj.lora_up.weight"),
        ),
    ] {
        let found = read(&pair(&down, &up), &[]);
        assert_eq!(found.unknown, [], "{down}");
        let target = found.adapters[0].target.diffusers();
        assert_eq!(target, format!("text_encoder.{layer}.q_proj"), "{down}");
    }
}

/// Diffusers' conversion to kohya's names leaves the last dots of the magnitudes' keys.
#[test]
fn magnitudes_under_every_name() {
    let plain = pair(&format!("{KOHYA}.lora_down.weight"), &format!("{KOHYA}.lora_up.weight"));
    let mixed = KOHYA.strip_suffix("_to_v").unwrap();
    for key in [
        format!("{KOHYA}.dora_scale"),
        format!("{KOHYA}.lora_magnitude_vector"),
        format!("{mixed}.to_v.lora_magnitude_vector"),
        format!("unet.{MODULE}.lora_magnitude_vector"),
        format!("unet.{MODULE}.lora_magnitude_vector.weight"),
        format!("unet.{MODULE}.lora_magnitude_vector.default"),
        format!("base_model.model.{MODULE}.lora_magnitude_vector.default.weight"),
    ] {
        let mut tensors = plain.clone();
        tensors.push((key.clone(), array(&[6])));
        let found = read(&tensors, &[]);
        assert_eq!(found.unknown, [], "{key}");
        assert_eq!(found.adapters.len(), 1, "{key}");
        assert!(found.adapters[0].dora_scale.is_some(), "{key}");
    }
}

#[test]
fn the_bias_of_the_second_layer_is_scaled() {
    let mut tensors =
        pair(&format!("unet.{MODULE}.lora_A.weight"), &format!("unet.{MODULE}.lora_B.weight"));
    tensors.push((format!("unet.{MODULE}.lora_B.bias"), array(&[6])));
    let found = read(&tensors, &[("lora_adapter_metadata", r#"{"unet.lora_alpha": 8}"#)]);
    let bias = found.adapters[0].bias_diff.as_ref().unwrap().to_f32().unwrap();
    // alpha 8 over rank 4, times 0.5.
    assert_eq!((found.unknown.len(), bias), (0, vec![1.0; 6]));
}

#[test]
fn methods_that_are_not_read_are_named() {
    let mut tensors =
        pair(&format!("{KOHYA}.lora_down.weight"), &format!("{KOHYA}.lora_up.weight"));
    tensors.push((format!("unet.{MODULE}.oft_R.weight"), array(&[2, 3])));
    tensors.push((format!("unet.{MODULE}.base_layer.weight"), array(&[2, 3])));
    tensors.push(("transformer.single_blocks.0.lora_A.weight".into(), array(&[2, 3])));
    let reasons: Vec<String> = read(&tensors, &[]).unknown.into_iter().map(|u| u.reason).collect();
    assert!(reasons[0].contains("another model"), "{reasons:?}");
    assert!(reasons[1].contains("copy of the model"), "{reasons:?}");
    assert!(reasons[2].contains("OneTrainer"), "{reasons:?}");
}

#[test]
fn an_alpha_that_no_module_has_is_said() {
    let plain = pair(&format!("{KOHYA}.lora_down.weight"), &format!("{KOHYA}.lora_up.weight"));
    let header = [("ss_network_alpha", "2.0"), ("ss_network_dim", "4")];
    let unknown = read(&plain, &header).unknown;
    assert!(unknown[0].reason.contains("weight 0.5"), "{unknown:?}");
    let mut stored = plain;
    stored.push((format!("{KOHYA}.alpha"), array(&[])));
    assert_eq!(read(&stored, &header).unknown, []);
}

#[test]
fn bundled_words_under_any_single_key() {
    let lora = pair(&format!("{KOHYA}.lora_down.weight"), &format!("{KOHYA}.lora_up.weight"));
    for key in ["emb_params", "emp_params", "clip_l", "string_to_param.*", "zzword", "*"] {
        let mut tensors = lora.clone();
        tensors.push((format!("bundle_emb.zzword.{key}"), array(&[2, 768])));
        let found = read(&tensors, &[]);
        assert_eq!(found.unknown, [], "{key}");
        assert_eq!(found.embeddings[0].0, "zzword", "{key}");
        assert_eq!(found.embeddings[0].1.count, 2, "{key}");
    }
    let mut tensors = lora;
    tensors.push(("bundle_emb.two.clip_l".into(), array(&[2, 768])));
    tensors.push(("bundle_emb.two.clip_g".into(), array(&[2, 1280])));
    let found = read(&tensors, &[]);
    assert!(found.embeddings.is_empty());
    assert!(found.unknown.iter().all(|u| u.reason.contains("SDXL")), "{:?}", found.unknown);
}

#[test]
fn eight_bit_floats_are_read() {
    // 1.5, -2, 448, the smallest, in e4m3; 1.5, -2, 57344, the smallest, in e5m2.
    for (dtype, bytes, values) in [
        ("F8_E4M3", [0x3c_u8, 0xc0, 0x7e, 0x01], [1.5, -2.0, 448.0, 0.001_953_125]),
        ("F8_E5M2", [0x3e, 0xc0, 0x7b, 0x01], [1.5, -2.0, 57344.0, 1.525_878_9e-5]),
    ] {
        let header = format!(r#"{{"a":{{"dtype":"{dtype}","shape":[4],"data_offsets":[0,4]}}}}"#);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend(bytes);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        std::fs::write(&path, file).unwrap();
        let array = SafeTensors::open(&path).unwrap().get("a").unwrap();
        assert_eq!(array.to_f32().unwrap(), values, "{dtype}");
    }
}
