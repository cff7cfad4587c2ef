//! The two orders of pictures in memory: planes as in torch and in files, pixels on a device.
use crate::Result;
use wayword_tensor::{Device, Grid, Shape, Tensor};

/// Pictures `[batch, channels, h, w]` of a host as `[batch, h w, channels]` on a device.
///
/// # Errors
/// If the number of values is not batch * channels * grid.
pub fn to_device(
    device: &Device,
    planes: &[f32],
    batch: usize,
    channels: usize,
    grid: Grid,
) -> Result<Tensor> {
    let pixels = grid.tokens();
    let mut values = Vec::with_capacity(planes.len());
    for sample in planes.chunks_exact(channels * pixels) {
        for p in 0..pixels {
            values.extend(sample[p..].iter().step_by(pixels).take(channels));
        }
    }
    Ok(Tensor::from_host(device, Shape::new(batch, pixels, channels), &values)?)
}

/// Pictures of a device as planes `[batch, channels, h, w]`; waits for them.
///
/// # Errors
/// If the device failed.
pub fn to_planes(pictures: &Tensor) -> Result<Vec<f32>> {
    let Shape { tokens, channels, .. } = pictures.shape();
    let values = pictures.to_host()?;
    let mut planes = Vec::with_capacity(values.len());
    for sample in values.chunks_exact(tokens * channels) {
        for c in 0..channels {
            planes.extend(sample[c..].iter().step_by(channels));
        }
    }
    Ok(planes)
}
