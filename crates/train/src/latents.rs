//! Pictures as latents: the VAE's mean and spread of each, computed once, drawn from at every use.
//!
//! kohya draws once and keeps the noise of that draw for the whole run; by default every use draws
//! anew, which costs nothing and is what the VAE's output means. Pictures whose pixels change at
//! every use (color, random crops) are encoded at every use.
mod cache;
pub(crate) mod kohya;

use crate::dataset::augment::{AugmentOptions, Drawn, face, face_crop};
use crate::dataset::reads::{ScaledPicture, changed};
use crate::dataset::{Filter, Pixels, crop, resize};
use crate::error::about;
use crate::event::Event;
use crate::plan::{PictureSet, PlannedFile, PlannedPicture, TrainPlan};
use crate::{Result, loss, report};
use cache::Cache;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wayword_diffusion::generate::with_vae;
use wayword_diffusion::vae::{LATENT_SCALE, LATENT_SIZE};
use wayword_diffusion::{Base, pixels};
use wayword_formats::hash;
use wayword_interface::{Events, Quiet, Stop};
use wayword_prompt::RandomSource;
use wayword_tensor::Grid;
use wayword_tensor::random::TorchGenerator;

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

/// A picture as it is used once.
#[derive(Debug, Clone, PartialEq)]
pub struct LatentView {
    /// Its latents.
    pub latent: Latent,
    /// How much each place of the latents counts, `[h w]` from 0 to 1; `None`: all in full.
    pub mask: Option<Vec<f32>>,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// Whether it was encoded for this use alone.
    pub fresh: bool,
}

/// A picture that can be used.
#[derive(Debug)]
pub enum LatentSource {
    /// Its latents are at hand, and those of its mirror image where it is mirrored at times.
    Cached {
        /// As it is.
        plain: LatentView,
        /// Mirrored.
        mirrored: Option<LatentView>,
    },
    /// Its pixels change at every use.
    AugmentedSource(Box<AugmentedSource>),
}

/// A picture whose pixels change at every use.
#[derive(Debug)]
pub struct AugmentedSource {
    /// As it was read where a face is cut out of it, else at the resized size.
    pixels: Pixels,
    mask: Option<Pixels>,
    window: (usize, usize),
    /// Where the window lies in the resized picture, unless that is drawn.
    corner: (usize, usize),
    augment: AugmentOptions,
    face: Option<(f64, f64, f64, f64)>,
    filter: Option<Filter>,
    name: String,
}

impl LatentSource {
    /// The picture unchanged.
    ///
    /// # Errors
    /// If the device fails.
    pub fn plain(&self, base: &Base) -> Result<Cow<'_, LatentView>> {
        match self {
            Self::Cached { plain, .. } => Ok(Cow::Borrowed(plain)),
            Self::AugmentedSource(picture) => {
                let (pixels, mask) = picture.resized();
                let place = picture.place(&pixels);
                let drawn = Drawn { flip: false, place, color: None };
                picture.encode(base, &pixels, mask.as_deref(), drawn).map(Cow::Owned)
            }
        }
    }

    /// The picture as chance changes it for one use.
    ///
    /// # Errors
    /// If the device fails.
    pub fn drawn(&self, base: &Base, rng: &mut dyn RandomSource) -> Result<Cow<'_, LatentView>> {
        match self {
            Self::Cached { plain, mirrored: None } => Ok(Cow::Borrowed(plain)),
            Self::Cached { plain, mirrored: Some(mirrored) } => {
                Ok(Cow::Borrowed(if rng.next_f64() < 0.5 { mirrored } else { plain }))
            }
            Self::AugmentedSource(picture) => picture.drawn(base, rng).map(Cow::Owned),
        }
    }
}

impl AugmentedSource {
    /// Pixels and mask at the size that covers the window.
    fn resized(&self) -> (Cow<'_, Pixels>, Option<Cow<'_, Pixels>>) {
        if self.face.is_none() {
            return (Cow::Borrowed(&self.pixels), self.mask.as_ref().map(Cow::Borrowed));
        }
        let ((w, h), (to_w, to_h)) = (self.pixels.size(), self.window);
        let scale = (to_w as f64 / w as f64).max(to_h as f64 / h as f64);
        let side = |v: usize, least: usize| ((v as f64 * scale + 0.5) as usize).max(least);
        self.scaled((side(w, to_w), side(h, to_h)))
    }

    /// Where the window lies where it is not drawn.
    fn place(&self, resized: &Pixels) -> (usize, usize) {
        if self.face.is_none() { self.corner } else { crop::middle(resized.size(), self.window) }
    }

    fn scaled(&self, size: (usize, usize)) -> (Cow<'_, Pixels>, Option<Cow<'_, Pixels>>) {
        let mask = self.mask.as_ref().map(|mask| Cow::Owned(resize::resize(mask, size, None)));
        (Cow::Owned(resize::resize(&self.pixels, size, self.filter)), mask)
    }

    fn drawn(&self, base: &Base, rng: &mut dyn RandomSource) -> Result<LatentView> {
        if let (Some(face), Some(range)) = (self.face, self.augment.face_crop) {
            let (size, place) = face_crop(rng, self.pixels.size(), face, self.window, range);
            let (pixels, mask) = self.scaled(size);
            let drawn = self.augment.draw(rng, size, self.window);
            return self.encode(base, &pixels, mask.as_deref(), Drawn { place, ..drawn });
        }
        let (pixels, mask) = self.resized();
        let mut drawn = self.augment.draw(rng, pixels.size(), self.window);
        if !self.augment.random_crop {
            drawn.place = self.place(&pixels);
        }
        self.encode(base, &pixels, mask.as_deref(), drawn)
    }

    fn encode(
        &self,
        base: &Base,
        pixels: &Pixels,
        mask: Option<&Pixels>,
        drawn: Drawn,
    ) -> Result<LatentView> {
        let latent = encode_pixels(base, &drawn.apply(pixels, self.window), &self.name, &Quiet)?;
        let mask = mask.map(|mask| to_latent(&drawn.apply_to_mask(mask, self.window)));
        Ok(LatentView { latent, mask, mirrored: drawn.flip, fresh: true })
    }
}

/// Reads and encodes all pictures of a plan; `None` where it was asked to stop. `run` is the run's
/// folder, in which latents are kept unless the plan names another.
///
/// # Errors
/// If a picture cannot be read, was changed since the plan was made, or becomes no finite numbers.
pub fn encode(
    base: &Base,
    plan: &TrainPlan,
    run: &Path,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Option<Vec<LatentSource>>> {
    let folder = plan.latent_cache.clone().unwrap_or_else(|| run.join("latents"));
    let cache = Cache::new(base, &folder, !plan.kohya_numbers)?;
    let has_warned = AtomicBool::new(false);
    // One warning of the VAE is enough for all pictures.
    let draw_events = |event| {
        if !has_warned.swap(true, Ordering::Relaxed) {
            events.event(Event::Draw(event));
        }
    };
    let mut sources = Vec::with_capacity(plan.pictures.len());
    for (done, picture) in plan.pictures.iter().enumerate() {
        if stop.is_requested() {
            return Ok(None);
        }
        let (set, cache) = (&plan.sets[picture.set], &cache);
        let reader = Reader { base, plan, picture, set, cache, events: &draw_events };
        sources.push(reader.source()?);
        events.event(Event::Encoded { done: done + 1, of: plan.pictures.len() });
    }
    plan.reads.keep_only(report::shown(plan));
    Ok(Some(sources))
}

/// What is left to encode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// Pixels that [`encode`] will encode, mirror images included.
    pub once: u64,
    /// Pixels of an epoch that are encoded at every use.
    pub every_epoch: u64,
}

/// What of a plan's pictures is still to be encoded; all where the base's files cannot be known
/// again.
#[must_use]
pub fn missing(base: &Base, plan: &TrainPlan) -> Missing {
    let folder = plan.latent_cache.clone().unwrap_or_else(|| plan.run().join("latents"));
    let cache = Cache::new(base, &folder, !plan.kohya_numbers).ok();
    let has = |picture: &PlannedPicture, filter, mirrored| {
        cache.as_ref().is_some_and(|cache| cache.has(picture, filter, mirrored))
    };
    let mut missing = Missing::default();
    for picture in &plan.pictures {
        let set = &plan.sets[picture.set];
        let pixels = (picture.bucket.0 * picture.bucket.1) as u64;
        if set.augment().forbids_caching() {
            missing.every_epoch += pixels * picture.repeats;
        } else if picture.latents.is_none() {
            let views = [false, true].into_iter().filter(|m| !m || set.augment().flip);
            let left = views.filter(|mirrored| !has(picture, set.filter(), *mirrored));
            missing.once += pixels * left.count() as u64;
        }
    }
    missing
}

/// One picture and all that is needed to read it.
struct Reader<'a> {
    base: &'a Base,
    plan: &'a TrainPlan,
    picture: &'a PlannedPicture,
    set: &'a PictureSet,
    cache: &'a Cache,
    events: &'a dyn Events<wayword_diffusion::Event>,
}

impl Reader<'_> {
    fn source(&self) -> Result<LatentSource> {
        let picture = self.picture;
        let augment = self.set.augment();
        if augment.forbids_caching() {
            return self.changing(augment).map(|c| LatentSource::AugmentedSource(Box::new(c)));
        }
        let mut scaled = None;
        let mask = self.mask(&mut scaled)?;
        let found = match &picture.latents {
            None => None,
            Some(PlannedFile { path, sha256 }) => {
                unchanged(path, sha256)?;
                let read = kohya::read(path, picture);
                Some(read.map_err(|unfit| about(path, unfit))?)
            }
        };
        let mut view = |mirrored: bool| -> Result<LatentView> {
            let window = picture.bucket;
            let drawn = Drawn { flip: mirrored, place: picture.corner(), color: None };
            let found = found.as_ref().and_then(|found| found.latent(mirrored));
            let latent = match found {
                Some(latent) => latent,
                None => self.cached(mirrored, || {
                    let pixels = drawn.apply(&self.scaled(&mut scaled)?.rgb, window);
                    let name = picture.path.display().to_string();
                    encode_pixels(self.base, &pixels, &name, self.events)
                })?,
            };
            let mask = mask.as_ref().map(|mask| to_latent(&drawn.apply_to_mask(mask, window)));
            Ok(LatentView { latent, mask, mirrored, fresh: false })
        };
        let plain = view(false)?;
        let mirrored = augment.flip.then(|| view(true)).transpose()?;
        if scaled.is_none() && !self.plan.reads.has(&picture.path, &picture.sha256) {
            // Its latents were there; it must be the same picture all the same.
            unchanged(&picture.path, &picture.sha256)?;
        }
        Ok(LatentSource::Cached { plain, mirrored })
    }

    fn cached(&self, mirrored: bool, make: impl FnOnce() -> Result<Latent>) -> Result<Latent> {
        let (width, height) = self.picture.bucket;
        let grid = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
        let filter = self.set.filter();
        self.cache.get(self.picture, grid, filter, mirrored, make)
    }

    fn changing(&self, augment: AugmentOptions) -> Result<AugmentedSource> {
        let picture = self.picture;
        let stem = picture.path.file_stem().map(|s| s.to_string_lossy().into_owned());
        let face = stem.and_then(|s| face(&s)).filter(|_| augment.face_crop.is_some());
        let mut scaled = None;
        let mask = self.mask(&mut scaled)?;
        let (pixels, mask) = match face {
            None => (self.scaled(&mut scaled)?.rgb.clone(), mask),
            // Scaled at every use; the mask grows and shrinks with it.
            Some(_) => {
                let orient = !self.plan.kohya_numbers;
                let rgb = self.plan.reads.decoded(&picture.path, orient, &picture.sha256)?.rgb;
                let size = rgb.size();
                (rgb, mask.map(|mask| resize::resize(&mask, size, None)))
            }
        };
        Ok(AugmentedSource {
            pixels,
            mask,
            window: picture.bucket,
            corner: picture.corner(),
            augment,
            face,
            filter: self.set.filter(),
            name: picture.path.display().to_string(),
        })
    }

    /// The picture at the size that it is resized to.
    fn scaled<'s>(
        &self,
        slot: &'s mut Option<Arc<ScaledPicture>>,
    ) -> Result<&'s Arc<ScaledPicture>> {
        let scaled = match slot.take() {
            Some(scaled) => scaled,
            None => {
                let orient = !self.plan.kohya_numbers;
                self.plan.reads.scaled(self.picture, self.set.filter(), orient)?
            }
        };
        Ok(slot.insert(scaled))
    }

    /// The mask at the same size; white counts in full.
    fn mask(&self, slot: &mut Option<Arc<ScaledPicture>>) -> Result<Option<Pixels>> {
        let size = self.picture.resized;
        if let Some(PlannedFile { path, sha256 }) = &self.picture.mask {
            let decoded = self.plan.reads.decoded(path, !self.plan.kohya_numbers, sha256)?;
            // The red channel, as in kohya; masks are gray, so any would do.
            return Ok(Some(resize::resize(&decoded.rgb.channel(0), size, None)));
        }
        if !self.set.alpha_mask {
            return Ok(None);
        }
        let alpha = self.scaled(slot)?.alpha.clone();
        Ok(Some(alpha.unwrap_or_else(|| Pixels::filled(size.0, size.1, 1, 255))))
    }
}

/// A file must be the one that the plan was made with.
fn unchanged(path: &Path, sha256: &str) -> Result<()> {
    if hash::sha256(path)? == sha256 {
        return Ok(());
    }
    Err(changed(path))
}

/// A mask of pixels at the size of latents.
fn to_latent(mask: &Pixels) -> Vec<f32> {
    loss::to_latent(mask, (mask.width / LATENT_SIZE, mask.height / LATENT_SIZE))
}

/// Mean and deviation of a picture's latents; a VAE that overflows in half precision is used in f32.
fn encode_pixels(
    base: &Base,
    picture: &Pixels,
    name: &str,
    events: &dyn Events<wayword_diffusion::Event>,
) -> Result<Latent> {
    let (width, height) = picture.size();
    let grid = Grid::new(height, width);
    let levels = picture.to_input();
    let both = with_vae(base, &format!("the latent of {name}"), events, |vae, device| {
        let input = pixels::to_device(device, &levels, 1, 3, grid)?;
        let (mean, logvar) = vae.encode(&input, grid);
        let mut values = pixels::to_planes(&mean)?;
        values.extend(pixels::to_planes(&logvar)?);
        Ok(values)
    })?;
    let small = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
    let (mean, logvar) = both.split_at(both.len() / 2);
    let mean = mean.to_vec();
    let deviation = logvar.iter().map(|v| (v.clamp(-30.0, 20.0) * 0.5).exp()).collect();
    Ok(Latent { grid: small, mean, deviation })
}
