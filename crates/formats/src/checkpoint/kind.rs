//! What a file is that is no Stable Diffusion 1.x model: told by names and shapes, refused by name.
use super::Entries;
use crate::array::Array;
use crate::error::Fault;
use crate::pickle::Value;
use std::collections::BTreeMap;

/// Parts of keys that only one kind of file has, the kind, and what to do with it.
const FOREIGN: &[(&[&str], &str, &str)] = &[
    (&["conditioner.embedders.", "text_encoder_2."], "this is a Stable Diffusion XL model", SD1),
    (
        &["cond_stage_model.model.transformer.resblocks", "cond_stage_model.model.token_embedding"],
        "this is a Stable Diffusion 2.x model",
        SD1,
    ),
    (&["joint_blocks."], "this is a Stable Diffusion 3 model", SD1),
    (&["double_blocks.", "single_transformer_blocks."], "this is a Flux model", SD1),
    (
        &["control_model.", "controlnet_cond_embedding.", "input_hint_block."],
        "this is a ControlNet",
        "ControlNets are not supported; {any.base} needs a full model",
    ),
    (
        &[
            ".lora_down.",
            ".lora_up.",
            ".lora_A.",
            ".lora_B.",
            "lora_unet_",
            "lora_te_",
            ".hada_w1_",
            ".lokr_w",
            ".oft_",
            ".lora_linear_layer.",
        ],
        "this is a LoRA or a similar adapter, not a base model",
        "call it in the prompt, and pass a full model with {any.base}",
    ),
    (
        &["motion_modules."],
        "this is a motion module",
        "motion modules are not supported; {any.base} needs a full model",
    ),
    (
        &["emb_params", "string_to_param", "clip_g", "bundle_emb."],
        "this is an embedding, not a base model",
        "put it in a folder that you pass with {any.embeddings}, and pass a full model with {any.base}",
    ),
];

const SD1: &str =
    "only Stable Diffusion 1.x models (1.4, 1.5 and models fine-tuned from them) are supported";

/// Refuses files of other kinds by their keys.
pub(super) fn check(tensors: &BTreeMap<String, Array>) -> Result<(), Fault> {
    for (marks, what, hint) in FOREIGN {
        if tensors.keys().any(|key| marks.iter().any(|m| key.contains(m))) {
            return Err(Fault::kind(*what, *hint));
        }
    }
    if let [(key, array)] = tensors.iter().collect::<Vec<_>>()[..]
        && array.shape().len() <= 2
    {
        let what = format!("only one tensor, `{key}`, of shape {:?}", array.shape());
        return Err(Fault::kind(
            what,
            "put an embedding in a folder that you pass with {any.embeddings}",
        ));
    }
    Ok(())
}

/// Refuses pickles without tensors at the top, such as the web UI's embeddings.
pub(super) fn check_words(value: &Value) -> Result<(), Fault> {
    let (_, what, hint) = FOREIGN[FOREIGN.len() - 1];
    match value.get("string_to_param") {
        Some(_) => Err(Fault::kind(what, hint)),
        None => Ok(()),
    }
}

/// Refuses UNets of the same structure that want other inputs.
pub(super) fn check_unet(unet: &Entries) -> Result<(), Fault> {
    let shape = |name: &str| unet.get(name).map(|e| e.array.shape());
    let inputs = shape("conv_in.weight").and_then(|s| s.get(1).copied());
    let inputs = match inputs {
        Some(9) => Some("this is an inpainting model (9 input channels)"),
        Some(8) => Some("this is an InstructPix2Pix model (8 input channels)"),
        Some(7) => Some("this is an upscaling model (7 input channels)"),
        Some(5) => Some("this is a depth model (5 input channels)"),
        _ => None,
    };
    if let Some(what) = inputs {
        return Err(Fault::kind(what, "use the standard model (4 input channels) instead"));
    }
    let context = unet.iter().find(|(name, _)| name.ends_with(".attn2.to_k.weight"));
    let context = context.and_then(|(_, e)| e.array.shape().get(1).copied());
    match context {
        Some(1024) => {
            Err(Fault::kind("this is a Stable Diffusion 2.x UNet (text width 1024)", SD1))
        }
        Some(2048) => Err(Fault::kind("this is a Stable Diffusion XL UNet (text width 2048)", SD1)),
        Some(1280) => {
            Err(Fault::kind("this is a Stable Diffusion XL refiner (text width 1280)", SD1))
        }
        _ => Ok(()),
    }
}
