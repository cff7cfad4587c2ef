//! Pictures as latents: the VAE's mean and spread of each, computed once, drawn from at every use.
//!
//! kohya draws once and keeps the noise of that draw for the whole run; by default every use draws
//! anew, which costs nothing and is what the VAE's output means.
use crate::dataset::{crop, image, resize};
use crate::event::{Event, Events};
use crate::plan::{PlannedPicture, TrainPlan};
use crate::{Error, Result};
use wayword_diffusion::vae::{LATENT_SCALE, LATENT_SIZE};
use wayword_diffusion::{Base, Stop};
use wayword_formats::hash;
use wayword_tensor::random::TorchGenerator;
use wayword_tensor::{Grid, Tensor};

/// The distribution of one picture's latents, `[4, h, w]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Latent {
    /// Size of the latents.
    pub grid: Grid,
    /// Mean of each value.
    pub mean: Vec<f32>,
    /// Standard deviation of each value.
    pub deviation: Vec<f32>,
}

impl Latent {
    /// Latents drawn from the distribution, times 0.18215 as the UNet wants them.
    #[must_use]
    pub fn draw(&self, generator: &mut TorchGenerator) -> Vec<f32> {
        let noise = generator.randn(self.mean.len());
        let values = self.mean.iter().zip(&self.deviation).zip(noise);
        values.map(|((mean, deviation), n)| (mean + deviation * n) * LATENT_SCALE).collect()
    }
}

/// Encodes all pictures of a plan; `None` where it was asked to stop.
///
/// # Errors
/// If a picture cannot be read, was changed since the plan was made, or becomes no finite numbers.
pub fn encode(
    base: &Base,
    plan: &TrainPlan,
    events: &dyn Events,
    stop: &Stop,
) -> Result<Option<Vec<Latent>>> {
    let mut latents = Vec::with_capacity(plan.pictures.len());
    for (done, picture) in plan.pictures.iter().enumerate() {
        if stop.asked() {
            return Ok(None);
        }
        latents.push(one(base, picture, !plan.kohya_numbers)?);
        events.event(Event::Encoded { done: done + 1, of: plan.pictures.len() });
    }
    Ok(Some(latents))
}

fn one(base: &Base, picture: &PlannedPicture, orient: bool) -> Result<Latent> {
    let name = || picture.path.display();
    if hash::sha256(&picture.path)? != picture.sha256 {
        return Err(Error::data(format!("{}: was changed since the run began", name()))
            .with_hint("put the old picture back, or start again with --overwrite"));
    }
    let pixels = image::read(&picture.path, orient)?.rgb;
    let pixels = resize::resize(&pixels, picture.resized, None);
    let (width, height) = picture.bucket;
    let pixels = crop::crop(&pixels, crop::middle(pixels.size(), (width, height)), (width, height));
    let grid = Grid::new(height, width);
    let input = crate::recipe::micro::pixels(base.device(), &pixels.to_input(), 1, grid)?;
    let (mean, logvar) = base.vae.encode(&input, grid);
    let small = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
    let mean = to_planes(&mean)?;
    let logvar = to_planes(&logvar)?;
    if mean.iter().chain(&logvar).any(|v| !v.is_finite()) {
        return Err(Error::data(format!("{}: its latents are not finite", name()))
            .with_hint("the VAE cannot encode it; use another by --vae"));
    }
    let deviation = logvar.iter().map(|v| (v.clamp(-30.0, 20.0) * 0.5).exp()).collect();
    Ok(Latent { grid: small, mean, deviation })
}

/// `[1, h w, channels]` of the device to `[channels, h, w]` of the host.
fn to_planes(tensor: &Tensor) -> Result<Vec<f32>> {
    let (shape, values) = (tensor.shape(), tensor.to_host()?);
    let (tokens, channels) = (shape.tokens, shape.channels);
    Ok((0..tokens * channels).map(|i| values[i % tokens * channels + i / tokens]).collect())
}
