//! Flags to settings: each flag that was given overrides what a repeated picture says.
use super::files;
use crate::commands::random_seed;
use crate::failure::Failure;
use crate::options::{self, Draw as Options};
use std::sync::Arc;
use wayword_diffusion::hires::{HiresSettings, HiresSize, UPSCALERS, Upscaler};
use wayword_diffusion::pictures::Fit;
use wayword_diffusion::repeat::Repeat;
use wayword_diffusion::retouch::{ImageSettings, MaskFill, MaskSettings};
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{DrawSettings, NoiseKind};
use wayword_prompt::{Emphasis, Quirks};

/// Everything but prompts, pictures and files.
pub(super) fn apply(options: &Options, s: &mut DrawSettings) -> Result<(), Failure> {
    if options.a1111_quirks {
        s.quirks = Quirks::A1111;
    }
    if let Some(size) = options.size {
        (s.width, s.height) = (size.width, size.height);
    }
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    s.steps = options.steps.map_or(s.steps, small);
    s.cfg = options.cfg.unwrap_or(s.cfg);
    sampler(options.sampler.as_deref(), options.schedule.as_deref(), s)?;
    s.sampler_options.eta = options.eta.or(s.sampler_options.eta);
    s.clip_skip = options.clip_skip.unwrap_or(s.clip_skip);
    s.later_seed_delta = options.ensd.unwrap_or(s.later_seed_delta);
    s.seed = match options.seed {
        Some(seed) => seed,
        None if options.from.is_some() => s.seed,
        None => random_seed(),
    };
    s.count = options.count.unwrap_or(1);
    s.batch = options.batch;
    if let Some(strength) = options.subseed_strength {
        let seed = options.subseed.or(s.variation.map(|v| v.0)).unwrap_or_else(random_seed);
        s.variation = (strength != 0.0).then_some((seed, strength));
    }
    if let Some(mode) = options.emphasis {
        s.emphasis = match mode {
            options::Emphasis::Original => Emphasis::Original,
            options::Emphasis::NoNorm => Emphasis::NoNorm,
            options::Emphasis::Ignore => Emphasis::Ignore,
            options::Emphasis::None => Emphasis::None,
        };
    }
    if let Some(noise) = options.noise {
        s.noise = match noise {
            options::Noise::Cpu => NoiseKind::Cpu,
            options::Noise::Nv => NoiseKind::Nv,
        };
    }
    hires(options, s)
}

/// Sampler and schedule by their names. A sampler's own schedule goes with it.
pub(super) fn sampler(
    sampler: Option<&str>,
    schedule: Option<&str>,
    s: &mut DrawSettings,
) -> Result<(), Failure> {
    let quirks = s.quirks == Quirks::A1111;
    if let Some(name) = sampler {
        let (info, schedule) = resolve(name, schedule, quirks)?;
        (s.sampler, s.schedule) = (info.kind, schedule);
    } else if let Some(name) = schedule {
        let info = s.sampler.info();
        s.schedule = resolve(info.name, Some(name), quirks)?.1;
    }
    Ok(())
}

fn hires(options: &Options, s: &mut DrawSettings) -> Result<(), Failure> {
    let o = &options.hires;
    if let Some(scale) = o.hires_scale {
        let hires = s.hires.get_or_insert_with(|| HiresSettings::new(scale));
        hires.size = HiresSize::Scale(scale);
    }
    let Some(hires) = &mut s.hires else {
        let given = [
            ("--hires-steps", o.hires_steps.is_some()),
            ("--hires-denoise", o.hires_denoise.is_some()),
            ("--hires-upscaler", o.hires_upscaler.is_some()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::user(format!("{name} without --hires-scale"))
                .hint("--hires-scale 2 draws a second pass at twice the size")),
            None => Ok(()),
        };
    };
    hires.steps = o.hires_steps.or(hires.steps);
    hires.denoise = o.hires_denoise.unwrap_or(hires.denoise);
    if let Some(name) = &o.hires_upscaler {
        hires.upscaler = Upscaler::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = UPSCALERS.iter().map(|(_, name)| *name).collect();
            Failure::user(format!("there is no upscaler named {name:?}"))
                .hint(format!("known are {}", known.join(", ")))
        })?;
    }
    Ok(())
}

/// The picture and the mask. `has_size`: a repeated picture's text names the size.
pub(super) fn image(
    options: &Options,
    repeated: Option<&Repeat>,
    has_size: bool,
    s: &mut DrawSettings,
) -> Result<(), Failure> {
    let o = &options.image;
    let Some(path) = &o.image else {
        return match repeated.and_then(|said| said.denoise) {
            None => Ok(()),
            Some(_) => {
                Err(Failure::user("the picture was drawn from another one, which it does not hold")
                    .hint("give that picture as --image"))
            }
        };
    };
    let mut image = ImageSettings::new(files::picture(path)?);
    image.denoise = o.denoise.or(repeated.and_then(|said| said.denoise)).unwrap_or(image.denoise);
    image.fit = match o.fit {
        Some(options::Shape::Crop) => Fit::Crop,
        Some(options::Shape::Fill) => Fit::Fill,
        Some(options::Shape::Stretch) | None => Fit::Stretch,
    };
    let said = repeated.and_then(|said| said.mask.clone());
    if let Some(path) = &o.mask {
        let mut mask = said.unwrap_or_else(|| MaskSettings::new(image.picture.channel(0)));
        mask.mask = Arc::new(files::mask(path)?);
        mask.invert |= o.invert_mask;
        mask.blur = o.mask_blur.unwrap_or(mask.blur);
        mask.only_masked |= o.only_masked;
        mask.padding = o.padding.unwrap_or(mask.padding);
        mask.fill = match o.fill {
            Some(options::Content::Fill) => MaskFill::Fill,
            Some(options::Content::Original) => MaskFill::Original,
            Some(options::Content::LatentNoise) => MaskFill::LatentNoise,
            Some(options::Content::LatentNothing) => MaskFill::LatentNothing,
            None => mask.fill,
        };
        image.mask = Some(mask);
    } else if said.is_some() {
        return Err(Failure::user("the picture was drawn with a mask, which it does not hold")
            .hint("give that mask as --mask"));
    }
    if options.size.is_none() && !has_size {
        let only_masked = image.mask.as_ref().is_some_and(|mask| mask.only_masked);
        let near = |n: usize| u32::try_from(n.clamp(64, 2048)).unwrap_or(512).div_ceil(8) * 8;
        if !only_masked {
            let (width, height) = image.picture.size();
            (s.width, s.height) = (near(width), near(height));
        }
    }
    s.image = Some(image);
    Ok(())
}
