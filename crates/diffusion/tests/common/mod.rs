//! What the golden tests of models share: the device, the tiny model, and the order of pixels.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of it")]
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::Quiet;
use wayword_tensor::{CpuOptions, Device, Grid, Precision, Shape, Tensor, cpu};
use wayword_testing::HostTensor;

/// The processor, in f32 as the peers ran.
pub fn device() -> Device {
    cpu(CpuOptions { precision: Precision::F32, ..CpuOptions::default() })
}

/// The tiny model's single file.
pub fn tiny_file() -> PathBuf {
    wayword_testing::tiny_model().join("model_ldm_fp16.safetensors")
}

/// A loaded base.
pub fn load(path: &Path, vae: Option<&Path>) -> Base {
    let options = BaseOptions { vae: vae.map(Path::to_owned), ..BaseOptions::new(path, &device()) };
    Base::load(&options, &Quiet).unwrap_or_else(|e| panic!("{e}"))
}

/// The tiny model.
pub fn tiny() -> Base {
    load(&tiny_file(), None)
}

/// Values `[batch, channels, pixels]` as `[batch, pixels, channels]`.
pub fn channels_last(values: &[f32], batch: usize, channels: usize) -> Vec<f32> {
    let pixels = values.len() / batch / channels;
    let mut out = Vec::with_capacity(values.len());
    for sample in values.chunks_exact(channels * pixels) {
        for p in 0..pixels {
            out.extend((0..channels).map(|c| sample[c * pixels + p]));
        }
    }
    out
}

/// The inverse of [`channels_last`], for a tensor of a device.
pub fn channels_first(tensor: &Tensor) -> Vec<f32> {
    let Shape { tokens, channels, .. } = tensor.shape();
    let values = tensor.to_host().unwrap();
    let mut out = Vec::with_capacity(values.len());
    for sample in values.chunks_exact(channels * tokens) {
        for c in 0..channels {
            out.extend((0..tokens).map(|t| sample[t * channels + c]));
        }
    }
    out
}

/// A golden picture `[batch, channels, h, w]` on a device, and its size.
pub fn picture(device: &Device, golden: &HostTensor) -> (Tensor, Grid) {
    let [batch, channels, height, width] = golden.shape[..] else { panic!("{:?}", golden.shape) };
    let values = channels_last(&golden.f32(), batch, channels);
    let grid = Grid::new(height, width);
    let shape = Shape::new(batch, grid.tokens(), channels);
    (Tensor::from_host(device, shape, &values).unwrap(), grid)
}

/// Golden states `[batch, tokens, channels]` or `[tokens, channels]` on a device.
pub fn states(device: &Device, golden: &HostTensor) -> Tensor {
    let shape = match golden.shape[..] {
        [batch, tokens, channels] => Shape::new(batch, tokens, channels),
        [tokens, channels] => Shape::new(1, tokens, channels),
        _ => panic!("{:?}", golden.shape),
    };
    Tensor::from_host(device, shape, &golden.f32()).unwrap()
}

/// Case names: tensor names that end in `.suffix`, without it.
pub fn cases<'a>(names: impl Iterator<Item = &'a str>, suffix: &str) -> Vec<String> {
    names.filter_map(|n| n.strip_suffix(suffix)?.strip_suffix('.')).map(str::to_owned).collect()
}

/// The topic's tensor files that hold a tensor of one of these names or endings.
pub fn tensor_files(topic: &wayword_testing::Topic, ending: &str) -> Vec<wayword_testing::Tensors> {
    let all = topic.files("safetensors");
    let all = all.iter().map(|p| wayword_testing::Tensors::read(p));
    all.filter(|t| t.names().any(|n| n.ends_with(ending))).collect()
}
