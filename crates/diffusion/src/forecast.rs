//! What a drawing will hold in memory and how long it will take, before it is begun.
mod time;

pub use time::{DrawSpeed, DrawWork, unet_calls};

use crate::pictures::Pixels;
use crate::{Base, BaseOptions, DrawPlan, DrawSettings, Result, draw};
use std::sync::Arc;
use wayword_interface::{Quiet, Stop};
use wayword_tensor::{Profile, profiling};

/// What a process holds beside tensors: the program, its buffers between operations, pictures.
pub const BESIDE: usize = 150 << 20;

/// What a process holds whose tensors take `bytes` at most. Buffers that wait for their next use are
/// a small part of those in use.
#[must_use]
pub fn whole(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 20).saturating_add(BESIDE)
}

/// A base of which only sizes are known, on a memory-estimating backend.
///
/// # Errors
/// As loading it.
pub fn dry_load(options: &BaseOptions) -> Result<Base> {
    let device = options.device.memory_estimator();
    Base::dry_load(&BaseOptions { device, ..options.clone() }, &Quiet)
}

/// Bytes that a drawing holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawForecast {
    /// At most, weights included.
    pub peak: usize,
    /// Of these the weights.
    pub weights: usize,
}

/// A base of which only sizes are known; it counts the bytes and the arithmetic of drawings.
#[derive(Debug)]
pub struct SizedBase {
    base: Base,
    weights: usize,
    profile: Profile,
}

impl SizedBase {
    /// Reads the sizes of a base.
    ///
    /// # Errors
    /// As loading it.
    pub fn load(options: &BaseOptions) -> Result<Self> {
        let (device, profile) = profiling(&options.device.memory_estimator());
        let base = Base::dry_load(&BaseOptions { device, ..options.clone() }, &Quiet)?;
        let weights = base.device().memory().held;
        Ok(Self { base, weights, profile })
    }

    /// Counts one step of each pass of a group of pictures, and the VAE. `own_size` draws at the base's
    /// own size.
    ///
    /// # Errors
    /// If the settings cannot be drawn.
    pub fn memory(&self, settings: &DrawSettings, own_size: bool) -> Result<DrawForecast> {
        let base = &self.base;
        base.device().forget_peak();
        let size = if own_size { base.info.resolution } else { (settings.width, settings.height) };
        let mut one = DrawSettings::plain("", size);
        one.count = settings.batch.min(settings.count).max(1);
        one.batch = one.count;
        one.steps = 1;
        one.cfg = settings.cfg;
        one.hires = settings.hires.clone().map(|mut hires| {
            hires.steps = Some(1);
            (hires.prompts, hires.negatives) = (Vec::new(), Vec::new());
            hires
        });
        let blank = |(width, height): (u32, u32)| {
            Arc::new(Pixels::filled(width as usize, height as usize, 3, 0))
        };
        one.image = settings.image.clone().map(|mut image| {
            image.picture = blank(size);
            image.mask = None;
            image
        });
        // Each face is drawn at a size of its own; one that fills the picture takes the most.
        let (width, height) = DrawPlan::new(base, one.clone())?.whole_size();
        one.detail = settings.detail.clone();
        for detail in &mut one.detail {
            (detail.prompts, detail.negatives) = (Vec::new(), Vec::new());
            detail.masks = vec![Arc::new(Pixels::filled(width, height, 1, u8::MAX))];
            detail.ratio = (0.0, 1.0);
            detail.steps.value = 1;
        }
        draw(base, &DrawPlan::new(base, one)?, &Quiet, &Stop::default())?;
        let _ = self.profile.take();
        Ok(DrawForecast { peak: whole(base.device().memory().peak), weights: self.weights })
    }

    /// Multiplications and additions of the products in what `work` does with the base.
    fn flops(&self, work: impl FnOnce(&Base) -> Result<()>) -> Result<f64> {
        let _ = self.profile.take();
        work(&self.base)?;
        let flops: u64 = self.profile.take().values().map(|total| total.flops).sum();
        #[expect(clippy::cast_precision_loss, reason = "a forecast")]
        Ok(flops as f64)
    }
}
