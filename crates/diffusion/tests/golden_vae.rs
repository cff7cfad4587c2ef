//! The VAE against golden `vae`: statistics, samples, pictures, every block's output, another VAE.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::collections::BTreeMap;
use wayword_diffusion::vae::{Vae, VaeMid};
use wayword_interface::Stop;
use wayword_tensor::{Device, Grid, Shape, Stride, Tensor, ops};
use wayword_testing::{HostTensor, Report, Tensors, max_abs, topic};

/// A picture of bytes `[h, w, 3]` in -1..1.
fn pixels(device: &Device, golden: &HostTensor) -> (Tensor, Grid) {
    let [height, width, 3] = golden.shape[..] else { panic!("{:?}", golden.shape) };
    let values: Vec<f32> =
        golden.bytes.iter().map(|v| (f32::from(*v) / 255.0 - 0.5) / 0.5).collect();
    let grid = Grid::new(height, width);
    (Tensor::from_host(device, Shape::new(1, grid.tokens(), 3), &values).unwrap(), grid)
}

fn check(
    vae: &Vae,
    tensors: &Tensors,
    case: &str,
    prefix: &str,
    decoded: &str,
    report: &mut Report,
) {
    let device = common::device();
    let (x, grid) = pixels(&device, tensors.at(&format!("{case}.image_u8_hwc")));
    let get = |name: &str| tensors.get(&format!("{case}.{prefix}{name}"));
    let (mean, logvar) = vae.encode(&x, grid);
    let (mean, logvar) = (common::channels_first(&mean), common::channels_first(&logvar));
    for (name, got) in [("mean", &mean), ("logvar", &logvar)] {
        if let Some(want) = get(name) {
            report.within(case, name, max_abs(got, &want.f32()), 5e-5);
            report.ran();
        }
    }
    let Some(sample) = tensors.get(&format!("{case}.sample")) else { return };
    if let (Some(noise), "") = (tensors.get(&format!("{case}.noise")), prefix) {
        let noise = noise.f32();
        let got: Vec<f32> = mean
            .iter()
            .zip(&logvar)
            .zip(&noise)
            .map(|((m, v), n)| m + (0.5 * v).exp() * n)
            .collect();
        report.within(case, "sample", max_abs(&got, &sample.f32()), 5e-5);
    }
    let Some(want) = get(decoded) else { return };
    let (z, small) = common::picture(&device, sample);
    let got = common::channels_first(&vae.decode(&z, small, &Stop::default()).unwrap());
    report.within(case, "decoded", max_abs(&got, &want.f32()), 5e-5);
    report.ran();
}

#[test]
fn golden_vae_encode_decode() {
    let Some(topic) = topic("vae") else { return };
    let mut report = Report::new("golden_vae_encode_decode");
    let first = common::tiny();
    let file = wayword_testing::tiny_model().join("vae2_ldm.safetensors");
    let second = file.exists().then(|| common::load(&common::tiny_file(), Some(&file)));
    let files = common::tensor_files(&topic, ".image_u8_hwc");
    if files.is_empty() {
        report.skip("no file of tensors");
    }
    for tensors in files {
        for case in common::cases(tensors.names(), "image_u8_hwc") {
            check(&first.vae, &tensors, &case, "", "decoded_sample", &mut report);
            match &second {
                Some(b) => check(&b.vae, &tensors, &case, "vae2_", "decoded_sample", &mut report),
                None => report.skip("no file of the other VAE"),
            }
        }
        for case in common::cases(tensors.names(), "latent") {
            let (z, grid) =
                common::picture(&common::device(), tensors.at(&format!("{case}.latent")));
            let got =
                common::channels_first(&first.vae.decode(&z, grid, &Stop::default()).unwrap());
            let want = tensors.at(&format!("{case}.decoded")).f32();
            report.within(&case, "decoded batch", max_abs(&got, &want), 5e-5);
            report.ran();
        }
    }
    report.finish();
}

type Seen = BTreeMap<String, Vec<f32>>;

fn note(seen: &mut Seen, name: impl Into<String>, value: &Tensor) {
    seen.insert(name.into(), common::channels_first(value));
}

fn walk_mid(seen: &mut Seen, at: &str, mid: &VaeMid, h: &Tensor, grid: Grid) -> Tensor {
    let h = mid.resnets[0].forward(h, grid, None);
    note(seen, format!("{at}.resnets.0"), &h);
    let norm = ops::group_norm(&h, 32, 1e-6, &mid.attention.group_norm, false);
    note(seen, format!("{at}.attentions.0.group_norm"), &norm);
    let h = mid.attention.forward(&h);
    note(seen, format!("{at}.attentions.0"), &h);
    let h = mid.resnets[1].forward(&h, grid, None);
    note(seen, format!("{at}.resnets.1"), &h);
    h
}

/// Walks through encoder and decoder by their parts and notes every output.
fn walk(vae: &Vae, x: &Tensor, grid: Grid) -> Seen {
    let mut seen = Seen::new();
    let e = &vae.encoder;
    let mut h = ops::conv3x3(x, grid, Stride::One, &e.conv_in, None);
    note(&mut seen, "encoder.conv_in", &h);
    let mut size = grid;
    for (level, block) in e.down_blocks.iter().enumerate() {
        for (i, resnet) in block.resnets.iter().enumerate() {
            h = resnet.forward(&h, size, None);
            note(&mut seen, format!("encoder.down_blocks.{level}.resnets.{i}"), &h);
        }
        if let Some(conv) = &block.downsampler {
            h = ops::conv3x3(&h, size, Stride::TwoPadEnd, conv, None);
            size = Stride::TwoPadEnd.output(size);
            note(&mut seen, format!("encoder.down_blocks.{level}.downsamplers.0"), &h);
        }
    }
    h = walk_mid(&mut seen, "encoder.mid_block", &e.mid_block, &h, size);
    note(
        &mut seen,
        "encoder.conv_norm_out",
        &ops::group_norm(&h, 32, 1e-6, &e.conv_norm_out, false),
    );
    let h = ops::group_norm(&h, 32, 1e-6, &e.conv_norm_out, true);
    let h = ops::conv3x3(&h, size, Stride::One, &e.conv_out, None);
    note(&mut seen, "encoder.conv_out", &h);
    note(&mut seen, "quant_conv", &ops::linear(&h, &vae.quant_conv));
    let (mean, _) = vae.encode(x, grid);
    let d = &vae.decoder;
    let h = ops::linear(&mean, &vae.post_quant_conv);
    note(&mut seen, "post_quant_conv", &h);
    let h = ops::conv3x3(&h, size, Stride::One, &d.conv_in, None);
    note(&mut seen, "decoder.conv_in", &h);
    let mut h = walk_mid(&mut seen, "decoder.mid_block", &d.mid_block, &h, size);
    for (level, block) in d.up_blocks.iter().enumerate() {
        for (i, resnet) in block.resnets.iter().enumerate() {
            h = resnet.forward(&h, size, None);
            note(&mut seen, format!("decoder.up_blocks.{level}.resnets.{i}"), &h);
        }
        if let Some(conv) = &block.upsampler {
            let to = Grid::new(2 * size.height, 2 * size.width);
            h = ops::conv3x3(&ops::resize(&h, size, to), to, Stride::One, conv, None);
            size = to;
            note(&mut seen, format!("decoder.up_blocks.{level}.upsamplers.0"), &h);
        }
    }
    note(
        &mut seen,
        "decoder.conv_norm_out",
        &ops::group_norm(&h, 32, 1e-6, &d.conv_norm_out, false),
    );
    let h = ops::group_norm(&h, 32, 1e-6, &d.conv_norm_out, true);
    note(&mut seen, "decoder.conv_out", &ops::conv3x3(&h, size, Stride::One, &d.conv_out, None));
    let whole =
        vae.decode(&mean, Grid::new(grid.height / 8, grid.width / 8), &Stop::default()).unwrap();
    assert_eq!(common::channels_first(&whole), seen["decoder.conv_out"]);
    seen
}

#[test]
fn golden_vae_intermediate() {
    let Some(topic) = topic("vae") else { return };
    let mut report = Report::new("golden_vae_intermediate");
    let Some(tensors) = common::tensor_files(&topic, "post_quant_conv").into_iter().next() else {
        println!("ran 0, skipped 1: no file of outputs per block");
        return;
    };
    let base = common::tiny();
    let (x, grid) = common::picture(&common::device(), tensors.at("x"));
    let seen = walk(&base.vae, &x, grid);
    for name in tensors.names().filter(|n| *n != "x") {
        let want = tensors.at(name).f32();
        let Some(got) = seen.get(name) else {
            report.skip("a module whose output the walk does not note");
            continue;
        };
        // The limit of outputs around 1; inner values are larger.
        let scale = want.iter().fold(1f32, |m, v| m.max(v.abs()));
        // Diffusers gives the attention's norm with channels first.
        report.within(name, "outputs", max_abs(got, &want) / f64::from(scale), 5e-5);
        report.ran();
    }
    report.finish();
}
