//! Flags to settings: each flag that was given overrides what a repeated picture says.
use super::files;
use crate::Failure;
use crate::commands::settings;
use crate::request::{self, Draw as Options, Hires, Prediction};
use std::sync::Arc;
use wayword_diffusion::DrawSettings;
use wayword_diffusion::generate::PREDICTION;
use wayword_diffusion::hires::{HiresSettings, HiresSize, UPSCALERS, Upscaler};
use wayword_diffusion::img2img::{ImageSettings, MaskFill, MaskSettings};
use wayword_diffusion::pictures::Fit;
use wayword_diffusion::repeat::Repeat;
use wayword_diffusion::sigmas::{Schedule, resolve};
use wayword_formats::infotext::Infotext;
use wayword_interface::Diagnostic;
use wayword_prompt::Quirks;

/// Everything but prompts, pictures and files.
pub(super) fn apply(options: &Options, s: &mut DrawSettings) -> Result<(), Failure> {
    settings::apply(&options.settings, options.from.is_some(), s)?;
    s.count = options.count.unwrap_or(1);
    s.batch = options.batch;
    second_pass(&options.hires, options.settings.schedule.as_deref(), s)
}

/// What the UNet predicts, where a picture's text names it.
pub(super) fn prediction(text: &Infotext) -> Result<Option<Prediction>, Failure> {
    match text.get(PREDICTION) {
        None => Ok(None),
        Some("epsilon") => Ok(Some(Prediction::Epsilon)),
        Some("v") => Ok(Some(Prediction::V)),
        Some(other) => {
            let text = format!("`{PREDICTION}`: expected epsilon or v, found {other}");
            Err(Diagnostic::new(text).with_field("draw.from").into())
        }
    }
}

/// Takes out of a picture's text what flags say otherwise, so that it need not be supported.
pub(super) fn override_text(options: &Options, text: &mut Infotext) {
    let hires = &options.hires;
    let given = [
        ("Sampler", &options.settings.sampler),
        ("Schedule type", &options.settings.schedule),
        ("Hires upscaler", &hires.hires_upscaler),
        ("Hires sampler", &hires.hires_sampler),
        ("Hires schedule type", &hires.hires_schedule),
    ];
    text.pairs.retain(|(key, _)| !given.iter().any(|(name, flag)| key == name && flag.is_some()));
}

fn second_pass(o: &Hires, schedule: Option<&str>, s: &mut DrawSettings) -> Result<(), Failure> {
    let size = o.hires_size.map(|sides| HiresSize::Pixels(sides.width, sides.height));
    if let Some(size) = o.hires_scale.map(HiresSize::Scale).or(size) {
        s.hires.get_or_insert_with(|| HiresSettings::new(2.0)).size = size;
    }
    let quirks = s.quirks == Quirks::A1111;
    let Some(hires) = &mut s.hires else {
        let given = [
            ("{draw.hires_steps}", o.hires_steps.is_some()),
            ("{draw.hires_denoise}", o.hires_denoise.is_some()),
            ("{draw.hires_upscaler}", o.hires_upscaler.is_some()),
            ("{draw.hires_sampler}", o.hires_sampler.is_some()),
            ("{draw.hires_schedule}", o.hires_schedule.is_some()),
            ("{draw.hires_prompt}", o.hires_prompt.is_some()),
            ("{draw.hires_negative}", o.hires_negative.is_some()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::user(format!("{name} without {{draw.hires_scale}}"))
                .hint("{draw.hires_scale} 2 draws a second pass at twice the size")),
            None => Ok(()),
        };
    };
    // As there, 0 is as many as the first pass has.
    hires.steps = o.hires_steps.or(hires.steps).filter(|steps| *steps > 0);
    hires.denoise = o.hires_denoise.unwrap_or(hires.denoise);
    if let Some(name) = &o.hires_upscaler {
        hires.upscaler = Upscaler::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = UPSCALERS.iter().map(|(_, name)| *name).collect();
            Failure::user(format!("there is no upscaler named {name:?}"))
                .hint(format!("known are {}", known.join(", ")))
        })?;
    }
    // A schedule that was asked for is that of both passes, whatever the samplers' own are.
    if let Some(name) = schedule {
        hires.schedule = Schedule::from_name(name);
    }
    if let Some(name) = &o.hires_sampler {
        let (info, schedule) = resolve(name, None, quirks)?;
        // Only a name that says a schedule, such as "DPM++ 2M Karras", changes the schedule too.
        let says = |label: &str| name.to_lowercase().ends_with(&label.to_lowercase());
        hires.schedule = match schedule {
            Schedule::Automatic if says(info.schedule.label()) => Some(info.schedule),
            Schedule::Automatic => hires.schedule,
            named => Some(named),
        };
        hires.sampler = Some(info.kind);
    }
    if let Some(name) = &o.hires_schedule {
        let sampler = hires.sampler.unwrap_or(s.sampler).info().name;
        hires.schedule = Some(resolve(sampler, Some(name), quirks)?.1);
    }
    // As there, an empty text is that of the first pass.
    let texts = |text: &String| (!text.is_empty()).then(|| text.clone()).into_iter().collect();
    hires.prompts = o.hires_prompt.as_ref().map_or_else(|| hires.prompts.clone(), texts);
    hires.negatives = o.hires_negative.as_ref().map_or_else(|| hires.negatives.clone(), texts);
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
            Some(_) => Err(Failure::user(
                "the image was drawn from another image, which is not stored in it",
            )
            .hint("pass that image with {draw.image}")),
        };
    };
    let mut image = ImageSettings::new(files::picture(path)?);
    image.denoise = o.denoise.or(repeated.and_then(|said| said.denoise)).unwrap_or(image.denoise);
    image.fit = match o.fit {
        Some(request::ResizeMode::Crop) => Fit::Crop,
        Some(request::ResizeMode::Fill) => Fit::Fill,
        Some(request::ResizeMode::Stretch) => Fit::Stretch,
        None => repeated.and_then(|said| said.fit).unwrap_or(Fit::Stretch),
    };
    let repeated_mask = repeated.and_then(|repeated_mask| repeated_mask.mask.clone());
    if let Some(path) = &o.mask {
        let mut mask = repeated_mask.unwrap_or_else(|| MaskSettings::new(image.picture.channel(0)));
        mask.mask = Arc::new(files::mask(path)?);
        mask.invert |= o.invert_mask;
        mask.blur = o.mask_blur.unwrap_or(mask.blur);
        mask.only_masked |= o.only_masked;
        mask.padding = o.padding.unwrap_or(mask.padding);
        mask.fill = match o.fill {
            Some(request::Content::Fill) => MaskFill::Fill,
            Some(request::Content::Original) => MaskFill::Original,
            Some(request::Content::LatentNoise) => MaskFill::LatentNoise,
            Some(request::Content::LatentNothing) => MaskFill::LatentNothing,
            None => mask.fill,
        };
        image.mask = Some(mask);
    } else if repeated_mask.is_some() {
        return Err(Failure::user("the image was drawn with a mask, which is not stored in it")
            .hint("pass that mask with {draw.mask}"));
    }
    if options.settings.size.is_none() && !has_size {
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
