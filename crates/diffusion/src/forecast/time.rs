//! How long a drawing will take: its arithmetic is counted on a base of which only sizes are known,
//! and how fast the loaded base does it is measured on small latents.
use super::SizedBase;
use crate::generate::groups;
use crate::sigmas::{SamplerInfo, SamplerKind, img2img_steps};
use crate::vae::LATENT_SIZE;
use crate::{Base, DrawPlan, Result};
use std::collections::BTreeMap;
use std::time::Instant;
use wayword_interface::Stop;
use wayword_tensor::{Grid, Shape, Tensor};

/// Sides of the latents on which the speed is measured: small enough that it takes a small part of a
/// drawing, and two of them, because a call takes some time whatever its size.
const MEASURED: [usize; 2] = [8, 16];

/// Tokens that the text encoder gives for a short prompt.
const TOKENS: usize = 77;

/// How often a sampler with these steps calls the UNet: once a step, or twice in all but the last.
#[must_use]
pub fn unet_calls(sampler: &SamplerInfo, steps: usize) -> usize {
    if sampler.second_order { (2 * steps).saturating_sub(1) } else { steps }
}

/// What drawings do: height and width in latents, how many at once, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrawWork {
    unet: BTreeMap<(usize, usize, usize), usize>,
    decode: BTreeMap<(usize, usize), usize>,
    encode: BTreeMap<(usize, usize), usize>,
}

impl DrawWork {
    /// Adds the work of a plan. How many faces a detailer will find nobody knows: one is counted for
    /// each pass over each picture. The text encoder's share is too small to count.
    pub fn add(&mut self, plan: &DrawPlan) {
        let s = plan.settings();
        let size = plan.latent_size();
        if s.image.is_some() {
            *self.encode.entry(size).or_default() += 1;
        }
        for group in groups(plan) {
            let count = group.len();
            let begun = s.image.as_ref().map(|image| (image.denoise, image.exact_steps));
            self.pass(size, (count, s.cfg), s.sampler, s.steps, begun);
            let mut last = size;
            if let Some(hires) = &s.hires {
                let (width, height) = hires.size.target((s.width, s.height)).latents();
                last = (height, width);
                let (sampler, steps) =
                    (hires.sampler.unwrap_or(s.sampler), hires.steps.unwrap_or(s.steps));
                self.pass(last, (count, s.cfg), sampler, steps, Some((hires.denoise, true)));
                if hires.upscaler.on_pixels() {
                    *self.decode.entry(size).or_default() += count;
                    *self.encode.entry(last).or_default() += count;
                }
            }
            *self.decode.entry(last).or_default() += count;
            let pixels = |latents: usize| u32::try_from(latents * LATENT_SIZE).unwrap_or(u32::MAX);
            let whole = (pixels(last.1), pixels(last.0));
            for detail in &s.detail {
                let (width, height) = detail.size_in((s.width, s.height), whole);
                let face = (height as usize / LATENT_SIZE, width as usize / LATENT_SIZE);
                let sampler = detail.sampler.get().map_or(s.sampler, |(sampler, _)| sampler);
                let steps = detail.steps.get().unwrap_or(s.steps);
                let cfg = detail.cfg.get().unwrap_or(s.cfg);
                for _ in 0..count {
                    self.pass(face, (1, cfg), sampler, steps, Some((detail.denoise, false)));
                    *self.encode.entry(face).or_default() += 1;
                    *self.decode.entry(face).or_default() += 1;
                }
            }
        }
    }

    /// A sampling pass over some pictures, from noise or from a picture.
    fn pass(
        &mut self,
        (height, width): (usize, usize),
        (count, cfg): (usize, f64),
        sampler: SamplerKind,
        steps: u32,
        begun: Option<(f64, bool)>,
    ) {
        let steps = match begun.map(|(denoise, exact)| {
            let part = img2img_steps(steps as usize, denoise, exact);
            part.steps.min(part.t_enc + 1)
        }) {
            Some(part) => part,
            None => steps as usize,
        };
        let sides = if cfg == 1.0 { 1 } else { 2 };
        let calls = self.unet.entry((height, width, count * sides)).or_default();
        *calls += unet_calls(sampler.info(), steps);
    }
}

/// Seconds of a call by its arithmetic: a part that every call takes, and one that grows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Line {
    fixed: f64,
    per_flop: f64,
}

impl Line {
    /// Through two measurements of `(multiplications and additions, seconds)`, the smaller first.
    fn through(small: (f64, f64), large: (f64, f64)) -> Self {
        let slope = (large.1 - small.1) / (large.0 - small.0);
        if slope.is_finite() && slope > 0.0 {
            return Self { fixed: (small.1 - slope * small.0).max(0.0), per_flop: slope };
        }
        let per_flop = if large.0 > 0.0 { large.1 / large.0 } else { 0.0 };
        Self { fixed: 0.0, per_flop }
    }

    fn at(self, flops: f64) -> f64 {
        self.fixed + self.per_flop * flops
    }
}

/// How fast a loaded base is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawSpeed {
    unet: Line,
    vae: Line,
}

impl DrawSpeed {
    /// The speed of a base, measured where that was not done before. `sizes` is the same base without
    /// weights.
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(base: &Base, sizes: &SizedBase) -> Result<Self> {
        if let Some(speed) = base.speed.get() {
            return Ok(*speed);
        }
        let line = |call: &dyn Fn(&Base, usize) -> Result<()>| -> Result<Line> {
            let mut points = [(0.0, 0.0); MEASURED.len()];
            for (point, side) in points.iter_mut().zip(MEASURED) {
                *point = (sizes.flops(|base| call(base, side))?, time(|| call(base, side))?);
            }
            Ok(Line::through(points[0], points[1]))
        };
        let speed = Self {
            unet: line(&|base, side| unet(base, Grid::new(side, side), 2))?,
            vae: line(&|base, side| decode(base, Grid::new(side, side)))?,
        };
        Ok(*base.speed.get_or_init(|| speed))
    }

    /// Seconds that work will take.
    ///
    /// # Errors
    /// If the models refuse its sizes.
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    pub fn seconds(&self, work: &DrawWork, sizes: &SizedBase) -> Result<f64> {
        let mut seconds = 0.0;
        for ((height, width, samples), calls) in &work.unet {
            let grid = Grid::new(*height, *width);
            let flops = sizes.flops(|base| unet(base, grid, *samples))?;
            seconds += self.unet.at(flops) * *calls as f64;
        }
        for ((height, width), calls) in &work.decode {
            let flops = sizes.flops(|base| decode(base, Grid::new(*height, *width)))?;
            seconds += self.vae.at(flops) * *calls as f64;
        }
        for ((height, width), calls) in &work.encode {
            let flops = sizes.flops(|base| encode(base, Grid::new(*height, *width)))?;
            seconds += self.vae.at(flops) * *calls as f64;
        }
        Ok(seconds)
    }
}

/// The shorter of two runs: the first includes what is done only once.
fn time(work: impl Fn() -> Result<()>) -> Result<f64> {
    let once = || -> Result<f64> {
        let started = Instant::now();
        work()?;
        Ok(started.elapsed().as_secs_f64())
    };
    Ok(once()?.min(once()?))
}

/// The UNet on empty latents.
fn unet(base: &Base, grid: Grid, samples: usize) -> Result<()> {
    let device = base.device();
    let latents = Shape::new(samples, grid.tokens(), 4);
    let latents = Tensor::from_host(device, latents, &vec![0.1; latents.elements()])?;
    let text = Shape::new(samples, TOKENS, base.info.token_width);
    let text = Tensor::from_host(device, text, &vec![0.1; text.elements()])?;
    base.unet.forward(&latents, grid, &vec![500.0; samples], &text)?.to_host()?;
    Ok(())
}

/// Empty latents of this size to a picture.
fn decode(base: &Base, grid: Grid) -> Result<()> {
    let shape = Shape::new(1, grid.tokens(), 4);
    let latents = Tensor::from_host(base.device(), shape, &vec![0.0; shape.elements()])?;
    base.vae.decode(&latents, grid, &Stop::default())?.to_host()?;
    Ok(())
}

/// An empty picture to latents of this size.
fn encode(base: &Base, grid: Grid) -> Result<()> {
    let grid = Grid::new(grid.height * LATENT_SIZE, grid.width * LATENT_SIZE);
    let shape = Shape::new(1, grid.tokens(), 3);
    let pixels = Tensor::from_host(base.device(), shape, &vec![0.0; shape.elements()])?;
    base.vae.encode(&pixels, grid).0.to_host()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points() {
        let line = Line::through((1.0, 3.0), (3.0, 7.0));
        assert_eq!((line.fixed, line.per_flop, line.at(10.0)), (1.0, 2.0, 21.0));
        // A faster large call is a disturbed measurement: nothing is fixed.
        let line = Line::through((1.0, 3.0), (3.0, 1.5));
        assert_eq!((line.fixed, line.at(3.0)), (0.0, 1.5));
    }

    #[test]
    fn second_order_samplers_call_twice() {
        let calls = |kind: SamplerKind| unet_calls(kind.info(), 20);
        assert_eq!([SamplerKind::Euler, SamplerKind::Dpmpp2M].map(calls), [20; 2]);
        assert_eq!([SamplerKind::Heun, SamplerKind::DpmppSde].map(calls), [39; 2]);
    }
}
