//! A latent to a picture of bytes, and back.
use crate::pictures::Pixels;
use crate::vae::{LATENT_SCALE, LATENT_SIZE};
use crate::{Base, Error, Event, Result, Vae, pixels};
use wayword_interface::{Events, Stop, Warning};
use wayword_tensor::{Device, Grid, Shape, Tensor};

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

/// A small picture of a drawing in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallPicture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Red, green, blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

/// Latents along the longer side of a preview: 128 pixels, which the VAE decodes in some
/// hundredths of the time of 512.
const PREVIEW_SIDE: usize = 16;

/// A small picture of the clean latents as they are at a step, `[4, h, w]` on the UNet's scale: the
/// means of blocks of latents, through the VAE itself, so that it fits every VAE.
pub(super) fn preview(base: &Base, latent: &[f32], grid: Grid) -> Result<SmallPicture> {
    let step = grid.height.max(grid.width).div_ceil(PREVIEW_SIDE);
    let small = Grid::new(grid.height.div_ceil(step), grid.width.div_ceil(step));
    let mut values = Vec::with_capacity(4 * small.tokens());
    for plane in latent.chunks_exact(grid.tokens()) {
        for (y, x) in (0..small.height).flat_map(|y| (0..small.width).map(move |x| (y, x))) {
            let rows = y * step..((y + 1) * step).min(grid.height);
            let columns = x * step..((x + 1) * step).min(grid.width);
            let count = rows.len() * columns.len();
            let sum: f32 = rows
                .flat_map(|row| columns.clone().map(move |column| plane[row * grid.width + column]))
                .sum();
            #[expect(clippy::cast_precision_loss, reason = "a few latents")]
            values.push(sum / count as f32);
        }
    }
    let Pixels { width, height, data, .. } =
        decode(base, &values, small, &wayword_interface::Quiet, &Stop::default())?;
    Ok(SmallPicture { width, height, rgb: data })
}

/// Decodes a latent of the UNet's scale, `[4, h, w]`.
pub(super) fn decode(
    base: &Base,
    latent: &[f32],
    grid: Grid,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Pixels> {
    let z: Vec<f32> = latent.iter().map(|v| v * (1.0 / LATENT_SCALE)).collect();
    let decoded = |vae: &Vae, device: &Device| -> Result<Vec<f32>> {
        let z = pixels::to_device(device, &z, 1, 4, grid)?;
        Ok(vae.decode(&z, grid, stop)?.to_host()?)
    };
    let values = with_vae(base, "the image from the VAE", events, decoded)?;
    let (width, height) = (LATENT_SIZE * grid.width, LATENT_SIZE * grid.height);
    Ok(Pixels { width, height, channels: 3, data: values.into_iter().map(byte).collect() })
}

/// Calls the VAE, and where it overflows in half precision, the same VAE in f32 on the same device.
/// Drawing, previews and the latents of a training all go through here. `call` gives values, and
/// `what` names them in the error.
///
/// # Errors
/// If the device fails, or the values are not finite in f32 either.
pub fn with_vae(
    base: &Base,
    what: &str,
    events: &dyn Events<Event>,
    call: impl Fn(&Vae, &Device) -> Result<Vec<f32>>,
) -> Result<Vec<f32>> {
    let is_number = |values: &[f32]| values.iter().all(|v| v.is_finite());
    let values = call(&base.vae, base.device())?;
    if is_number(&values) {
        return Ok(values);
    }
    if let Some((vae, device)) = base.exact_vae()? {
        let text = "the VAE overflows in this precision and is used in f32";
        let hint =
            Some("pass a VAE that is fixed for half precision with {any.vae}: it is faster".into());
        events.event(Event::Warned(Warning::new(text).with_hint_if(hint)));
        let values = call(vae, device)?;
        if is_number(&values) {
            return Ok(values);
        }
    }
    Err(Error::NotANumber { what: what.into() })
}

/// -1..1 to a byte; cut off, not rounded, as the web UI does.
fn byte(v: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let byte = (f32::midpoint(v, 1.0).clamp(0.0, 1.0) * 255.0) as u8;
    byte
}

/// A picture of bytes, RGB, to the mean of its latents on the UNet's scale, `[4, h / 8, w / 8]`.
/// The web UI draws from around the mean with numbers that depend on what it did before.
///
/// # Errors
/// If the device fails or a latent is not a number.
pub fn encode_picture(
    base: &Base,
    picture: &Pixels,
    events: &dyn Events<Event>,
) -> Result<Vec<f32>> {
    // The order of the web UI: bytes to 0..1, then to -1..1.
    let levels: Vec<f32> = picture.data.iter().map(|v| f32::from(*v) / 255.0 * 2.0 - 1.0).collect();
    let grid = Grid::new(picture.height, picture.width);
    let encoded = |vae: &Vae, device: &Device| -> Result<Vec<f32>> {
        let x = Tensor::from_host(device, Shape::new(1, grid.tokens(), 3), &levels)?;
        let planes = pixels::to_planes(&vae.encode(&x, grid).0)?;
        Ok(planes.iter().map(|v| v * LATENT_SCALE).collect())
    };
    with_vae(base, "the latent from the VAE", events, encoded)
}
