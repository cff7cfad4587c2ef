//! What a drawing will hold in memory, counted before anything is loaded.
use crate::pictures::Pixels;
use crate::{Base, BaseOptions, DrawPlan, DrawSettings, Result, draw};
use std::sync::Arc;
use wayword_interface::{Quiet, Stop};

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

impl DrawForecast {
    /// Counts one step of each pass of a group of pictures, and the VAE, on a base of which only
    /// sizes are known. `own_size` draws at the base's own size.
    ///
    /// # Errors
    /// If the base cannot be read, or the settings cannot be drawn.
    pub fn of(options: &BaseOptions, settings: &DrawSettings, own_size: bool) -> Result<Self> {
        let base = dry_load(options)?;
        let weights = base.device().memory().held;
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
        one.image = settings.image.clone().map(|mut image| {
            let (width, height) = (size.0 as usize, size.1 as usize);
            image.picture = Arc::new(Pixels::filled(width, height, 3, 0));
            image.mask = None;
            image
        });
        draw(&base, &DrawPlan::new(&base, one)?, &Quiet, &Stop::default())?;
        Ok(Self { peak: whole(base.device().memory().peak), weights })
    }
}
