//! What a drawing's numbers may be.
use super::{DrawPlan, DrawSettings};
use crate::detail::DetailSettings;
use crate::generate::face;
use crate::hires::HiresSize;
use crate::pictures::Pixels;
use crate::{Base, Result};
use wayword_interface::{Diagnostic, Warning};

fn require(holds: bool, field: &str, reason: String) -> Result<()> {
    if holds { Ok(()) } else { Err(Diagnostic::new(reason).with_field(field).into()) }
}

/// Whether a side can be drawn.
fn side(n: u32) -> bool {
    n.is_multiple_of(8) && (8..=8192).contains(&n)
}

pub(super) fn numbers(base: &Base, s: &DrawSettings) -> Result<()> {
    let (w, h) = (s.width, s.height);
    let nearest = |n: u32| (n.saturating_add(4) / 8).clamp(1, 1024) * 8;
    require(
        side(w) && side(h),
        "any.size",
        format!(
            "{w},{h}: sides must be multiples of 8 up to 8192, such as {},{}",
            nearest(w),
            nearest(h)
        ),
    )?;
    require(
        (1..=1000).contains(&s.steps),
        "any.steps",
        format!("{} is not between 1 and 1000", s.steps),
    )?;
    require(s.cfg.is_finite(), "any.cfg", format!("{} is not a number", s.cfg))?;
    require(s.count >= 1, "draw.count", "0 images".into())?;
    require(s.batch >= 1, "draw.batch", "a batch of 0 images".into())?;
    for (option, texts) in [("draw.prompt", s.prompts.len()), ("any.negative", s.negatives.len())] {
        let fits = texts == 1 || texts == s.count;
        require(fits, option, format!("{texts} prompts for {} images", s.count))?;
    }
    let layers = base.text.layers.len();
    require(
        (1..=layers).contains(&s.clip_skip),
        "any.clip_skip",
        format!(
            "{} is not between 1 and {layers}, the number of layers of this text encoder",
            s.clip_skip
        ),
    )?;
    if let Some((_, strength)) = s.variation {
        let fits = (0.0..=1.0).contains(&strength);
        require(fits, "any.subseed_strength", format!("{strength} is not between 0 and 1"))?;
    }
    if let Some((w, h)) = s.seed_resize {
        let reason = format!("the seed's size {w},{h}: sides must be multiples of 8");
        if !(side(w) && side(h)) {
            return Err(Diagnostic::new(reason).into());
        }
    }
    Ok(())
}

/// A picture to begin with, and its mask.
pub(super) fn image(s: &DrawSettings) -> Result<()> {
    let Some(image) = &s.image else { return Ok(()) };
    require(
        s.hires.is_none(),
        "any.hires_scale",
        "an init image cannot be combined with a second pass".into(),
    )?;
    let (w, h) = image.picture.size();
    require(w * h > 0 && image.picture.channels == 3, "any.image", "it has no pixels".into())?;
    require(
        (0.0..=1.0).contains(&image.denoise),
        "any.denoise",
        format!("{} is not 0 to 1", image.denoise),
    )?;
    let Some(mask) = &image.mask else { return Ok(()) };
    let (mw, mh) = mask.mask.size();
    require(
        (mw, mh) == (w, h) && mask.mask.channels == 1,
        "any.mask",
        format!("it is {mw}x{mh} and the image is {w}x{h}: both must have the same size"),
    )?;
    let blur = (0.0..=1000.0).contains(&mask.blur);
    require(blur, "any.mask_blur", format!("{} is not between 0 and 1000 pixels", mask.blur))
}

/// A second pass.
pub(super) fn hires(s: &DrawSettings) -> Result<()> {
    let Some(hires) = &s.hires else { return Ok(()) };
    if let HiresSize::Scale(scale) = hires.size {
        let fits = (0.125..=16.0).contains(&scale);
        require(fits, "any.hires_scale", format!("{scale} is not between 0.125 and 16"))?;
    }
    if let HiresSize::Pixels(x, y) = hires.size {
        require(x > 0 || y > 0, "any.hires_size", "one of the sides must be above 0".into())?;
    }
    let (w, h) = hires.size.target((s.width, s.height)).latents();
    let fits = |n: usize| (1..=1024).contains(&n);
    let reason =
        || format!("{}x{} cannot be drawn: sides must be between 8 and 8192", 8 * w, 8 * h);
    require(fits(w) && fits(h), "any.hires_scale", reason())?;
    let denoise = hires.denoise;
    require(
        (0.0..=1.0).contains(&denoise),
        "any.hires_denoise",
        format!("{denoise} is not between 0 and 1"),
    )?;
    let steps = hires.steps.unwrap_or(s.steps);
    require(
        (1..=1000).contains(&steps),
        "any.hires_steps",
        format!("{steps} is not between 1 and 1000"),
    )?;
    for (option, texts) in
        [("any.hires_prompt", hires.prompts.len()), ("any.hires_negative", hires.negatives.len())]
    {
        let fits = texts <= 1 || texts == s.count;
        require(fits, option, format!("{texts} prompts for {} images", s.count))?;
    }
    Ok(())
}

/// Faces that are drawn again: numbers, masks, and the prompts of all faces; gives what a reader of
/// these may not expect.
pub(super) fn faces(base: &Base, plan: &DrawPlan) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for detail in &plan.settings().detail {
        for warning in faces_of(base, plan, detail)? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(warnings)
}

fn faces_of(base: &Base, plan: &DrawPlan, detail: &DetailSettings) -> Result<Vec<Warning>> {
    let s = plan.settings();
    let share = |field: &str, value: f64| {
        require((0.0..=1.0).contains(&value), field, format!("{value} is not between 0 and 1"))
    };
    share("any.detail_denoise", detail.denoise)?;
    share("any.detail_confidence", detail.confidence)?;
    if let Some((width, height)) = detail.size.get() {
        let reason = format!("{width},{height}: sides must be multiples of 8 up to 8192");
        require(side(width) && side(height), "any.detail_set", reason)?;
    }
    let whole = whole_size(s);
    for mask in &detail.masks {
        let (found, expected) = (mask.size(), whole);
        let reason = format!(
            "a mask is {}x{} and the image is {}x{}: both must have the same size",
            found.0, found.1, expected.0, expected.1
        );
        require(found == expected && mask.channels == 1, "any.detail_mask", reason)?;
    }
    let (prompts, negatives) = (detail.prompts.len(), detail.negatives.len());
    for (option, texts) in [("any.detail_prompt", prompts), ("any.detail_negative", negatives)] {
        let reason = format!("{texts} texts for {} images", s.count);
        require(texts <= 1 || texts == s.count, option, reason)?;
    }
    let mut warnings = Vec::new();
    let count = |texts: &str| texts.split("[SEP]").count();
    for index in 0..prompts.max(negatives) {
        let (prompt, negative) = detail.texts(index);
        for place in 0..count(prompt).max(count(negative)) {
            let (small, mask) = (Pixels::filled(8, 8, 3, 0), Pixels::filled(8, 8, 1, u8::MAX));
            if let Some(settings) = face(plan, detail, (index, place), &small, mask) {
                warnings.extend(DrawPlan::new(base, settings)?.remarks());
            }
        }
    }
    Ok(warnings)
}

/// Width and height of a finished picture.
pub(super) fn whole_size(s: &DrawSettings) -> (usize, usize) {
    if let Some(image) = &s.image
        && image.mask.as_ref().is_some_and(|mask| mask.only_masked)
    {
        return image.picture.size();
    }
    match &s.hires {
        Some(hires) => {
            let (width, height) = hires.size.target((s.width, s.height)).latents();
            (8 * width, 8 * height)
        }
        None => (s.width as usize, s.height as usize),
    }
}
