//! Flags to settings, for pictures as for cells: each flag that was given overrides what stands there.
use super::random_seed;
use crate::Failure;
use crate::request::{self, Settings};
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{DrawSettings, NoiseKind};
use wayword_prompt::{Emphasis, Quirks};

/// Everything but prompts, pictures and files. `repeated`: the settings are another picture's.
///
/// # Errors
/// If a sampler or schedule is unknown.
pub(crate) fn apply(o: &Settings, repeated: bool, s: &mut DrawSettings) -> Result<(), Failure> {
    if o.a1111_quirks {
        s.quirks = Quirks::A1111;
    }
    if let Some(size) = o.size {
        (s.width, s.height) = (size.width, size.height);
    }
    s.steps = o.steps.map_or(s.steps, |n| u32::try_from(n).unwrap_or(u32::MAX));
    s.cfg = o.cfg.unwrap_or(s.cfg);
    sampler(o.sampler.as_deref(), o.schedule.as_deref(), s)?;
    s.sampler_options.eta = o.eta.or(s.sampler_options.eta);
    s.clip_skip = o.clip_skip.unwrap_or(s.clip_skip);
    s.later_seed_delta = o.ensd.unwrap_or(s.later_seed_delta);
    s.seed = match o.seed {
        Some(seed) => seed.or_else(random_seed),
        None if repeated => s.seed,
        None => random_seed(),
    };
    if let Some(strength) = o.subseed_strength {
        let given = o.subseed.map(|seed| seed.or_else(random_seed));
        let seed = given.or(s.variation.map(|v| v.0)).unwrap_or_else(random_seed);
        s.variation = (strength != 0.0).then_some((seed, strength));
    }
    if let Some(mode) = o.emphasis {
        s.emphasis = match mode {
            request::Emphasis::Original => Emphasis::Original,
            request::Emphasis::NoNorm => Emphasis::NoNorm,
            request::Emphasis::Ignore => Emphasis::Ignore,
            request::Emphasis::None => Emphasis::None,
        };
    }
    if let Some(noise) = o.noise {
        s.noise = match noise {
            request::Noise::Cpu => NoiseKind::Cpu,
            request::Noise::Nv => NoiseKind::Nv,
        };
    }
    Ok(())
}

/// Sampler and schedule by their names. A sampler's own schedule goes with it.
///
/// # Errors
/// If one is unknown.
pub(crate) fn sampler(
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
