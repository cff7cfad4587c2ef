//! Latents where the VAE overflows in half precision.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{demo, load, options, plan};
use std::sync::Mutex;
use wayword_formats::{Array, SafeTensors, safetensors};
use wayword_interface::Stop;
use wayword_tensor::{CpuOptions, Precision, cpu};
use wayword_train::{Event, latents};

/// A VAE that overflows in half precision used to end a training's latent pass, while drawing used
/// it in f32.
#[test]
fn a_vae_that_overflows_in_half_precision_trains_in_f32() {
    let dir = tempfile::tempdir().unwrap();
    let file = SafeTensors::open(&demo().join("wayword-mini.safetensors")).unwrap();
    let tensors: Vec<(String, Array)> = file
        .names()
        .map(|name| {
            let array = file.get(name).unwrap();
            let filled = |value: f32| {
                let values = vec![value; array.shape().iter().product()];
                Array::from_f32(array.shape().to_vec(), &values).unwrap()
            };
            let array = match name.strip_prefix("first_stage_model.encoder.") {
                Some("norm_out.weight") => filled(1e-39),
                Some("norm_out.bias" | "conv_out.bias") => filled(0.0),
                Some("conv_out.weight") => filled(3.4e38),
                _ => array,
            };
            (name.to_owned(), array)
        })
        .collect();
    let path = dir.path().join("overflowing.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    let device = cpu(CpuOptions { precision: Precision::Bf16, ..CpuOptions::default() });
    let base = load(&path, &device);
    let mut options = options(&dir.path().join("out"));
    options.steps = Some(1);
    let plan = plan(&options);
    let warnings = Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Draw(wayword_diffusion::Event::Warned(warning)) = event {
            warnings.lock().unwrap().push(warning.to_string());
        }
    };
    let run = latents::encode(&base, &plan, dir.path(), &events, &Stop::default());
    assert_eq!(run.unwrap().unwrap().len(), plan.pictures.len());
    let warnings = warnings.into_inner().unwrap();
    if base.device().is_exact() {
        println!("skipped: this processor has no bf16 products");
    } else {
        assert_eq!(warnings.len(), 1, "said once for all pictures: {warnings:?}");
        assert!(warnings[0].contains("f32"), "{warnings:?}");
    }
}
