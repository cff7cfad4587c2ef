//! Small made-up files of each kind: what loads, what is refused and in which words.
use super::*;
use crate::safetensors;

fn zeros(shape: &[usize]) -> Array {
    let n = shape.iter().product();
    Array::from_f32_as(Dtype::F16, shape.to_vec(), &vec![0.0; n]).unwrap()
}

fn file(dir: &Path, name: &str, keys: &[(&str, &[usize])]) -> PathBuf {
    let tensors: Vec<(String, Array)> =
        keys.iter().map(|(k, s)| ((*k).to_owned(), zeros(s))).collect();
    let path = dir.join(name);
    safetensors::write(&path, &tensors, &BTreeMap::new()).unwrap();
    path
}

/// The message of a file that is refused.
fn refusal(keys: &[(&str, &[usize])]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "x.safetensors", keys);
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(error.hint().is_some(), "{error} has no hint");
    error.fault.to_string()
}

#[test]
fn other_kinds_are_refused_by_name() {
    let conv = "model.diffusion_model.input_blocks.0.0.weight";
    for (keys, word) in [
        (&[("conditioner.embedders.0.x", &[2usize][..]), (conv, &[8, 4, 3, 3])][..], "XL"),
        (
            &[("cond_stage_model.model.transformer.resblocks.0.x", &[2]), (conv, &[8, 4, 3, 3])],
            "2.x",
        ),
        (&[(conv, &[8, 9, 3, 3]), ("betas", &[2])], "inpainting"),
        (&[(conv, &[8, 8, 3, 3]), ("betas", &[2])], "Pix2Pix"),
        (&[("lora_unet_down_blocks_0.lora_down.weight", &[2, 2]), ("x", &[1])], "LoRA"),
        (&[("emb_params", &[1, 768])], "embedding"),
        (&[("<my-word>", &[1, 768])], "one tensor"),
        (&[("decoder.conv_in.weight", &[8, 4, 3, 3]), ("quant_conv.bias", &[8])], "no UNet"),
        (&[("foo", &[1]), ("bar", &[1])], "no tensor that belongs to"),
    ] {
        let text = refusal(keys);
        assert!(text.contains(word), "{text:?} does not name {word:?}");
    }
}

#[test]
fn junk_is_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(
        dir.path(),
        "x.safetensors",
        &[
            ("first_stage_model.decoder.conv_in.weight", &[8, 4, 3, 3]),
            ("model_ema.decay", &[1]),
            ("betas", &[4]),
            ("cond_stage_model.transformer.embeddings.position_ids", &[1, 77]),
            ("first_stage_model.decoder.what", &[1]),
        ],
    );
    let found = Checkpoint::open_vae(&path).unwrap();
    let vae = found.part(Component::Vae).unwrap();
    assert_eq!(vae.len(), 1);
    assert_eq!(vae["decoder.conv_in.weight"].key, "first_stage_model.decoder.conv_in.weight");
    assert_eq!(found.left_out.len(), 3, "{:?}", found.left_out);
    assert_eq!(found.unknown, ["first_stage_model.decoder.what"]);
    assert_eq!(found.dtype(), Some(Dtype::F16));
}

#[test]
fn folder_and_its_variants() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, name, key, shape) in [
        ("unet", "diffusion_pytorch_model.fp16.safetensors", "conv_in.weight", &[8, 4, 3, 3][..]),
        ("vae", "diffusion_pytorch_model.safetensors", "decoder.conv_in.weight", &[8, 4, 3, 3]),
        ("text_encoder", "model.safetensors", "text_model.final_layer_norm.weight", &[8]),
    ] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        // A second tensor, because one alone looks like an embedding.
        file(
            &dir.path().join(folder),
            name,
            &[(key, shape), ("text_model.embeddings.position_ids", &[1])],
        );
    }
    std::fs::write(dir.path().join("text_encoder/config.json"), "{\"num_attention_heads\": 4}")
        .unwrap();
    let found = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(found.layout, Some(Layout::Diffusers));
    assert_eq!(found.naming, Some(Naming::Diffusers));
    assert_eq!(found.configs[&Component::Text]["num_attention_heads"], 4);
    assert!(Checkpoint::open_vae(&dir.path().join("vae")).is_ok());
    std::fs::create_dir(dir.path().join("text_encoder_2")).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("XL"), "{error}");
}

#[test]
fn pickle_with_state_dict() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ckpt");
    let tensor = |shape: &[usize]| Value::Tensor(zeros(shape));
    let state = Value::dict([
        ("model.diffusion_model.input_blocks.0.0.weight", tensor(&[8, 4, 3, 3])),
        ("model_ema.diffusion_modelinput_blocks00weight", tensor(&[8, 4, 3, 3])),
    ]);
    let all = Value::dict([("epoch", Value::Int(3)), ("state_dict", state)]);
    pickle::write(&path, &all).unwrap();
    let found = Checkpoint::inspect(&path).unwrap();
    assert_eq!(found.layout, Some(Layout::Pickle));
    assert_eq!(found.naming, Some(Naming::Ldm));
    assert_eq!(found.part(Component::Unet).unwrap().len(), 1);
    assert_eq!(found.left_out.len(), 2);
}
