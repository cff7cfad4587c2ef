//! A latent to a picture of bytes.
use super::{Texts, infotext};
use crate::plan::DrawPlan;
use crate::vae::LATENT_SCALE;
use crate::{Base, Error, Result, pixels};
use wayword_tensor::Grid;

/// A picture that was drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green, blue of each pixel, row by row.
    pub rgb: Vec<u8>,
    /// Its seed.
    pub seed: u64,
    /// The prompt and all settings, as the web UI writes them.
    pub infotext: String,
}

/// Decodes a latent of the UNet's scale, `[4, h, w]`, and writes the picture's text; `index` is the
/// picture's place in the plan.
///
/// # Errors
/// If the device fails, or the VAE gives something that is not a number: said, not black.
pub fn finish(
    base: &Base,
    plan: &DrawPlan,
    texts: &Texts,
    index: usize,
    latent: &[f32],
) -> Result<Picture> {
    let (height, width) = plan.latent_size();
    let grid = Grid::new(height, width);
    let z: Vec<f32> = latent.iter().map(|v| v * (1.0 / LATENT_SCALE)).collect();
    let z = pixels::to_device(base.device(), &z, 1, 4, grid)?;
    let values = base.vae.decode(&z, grid).to_host()?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Error::NotANumber { what: format!("the VAE's picture {}", index + 1) });
    }
    Ok(Picture {
        width: plan.settings().width,
        height: plan.settings().height,
        rgb: values.into_iter().map(byte).collect(),
        seed: plan.seed(index),
        infotext: infotext::write(base, plan, texts, index)?,
    })
}

/// -1..1 to a byte; cut off, not rounded, as the web UI does.
fn byte(v: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let byte = (f32::midpoint(v, 1.0).clamp(0.0, 1.0) * 255.0) as u8;
    byte
}
