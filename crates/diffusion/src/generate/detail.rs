//! The face detailer's pass: each face of a drawn picture is drawn again at the full size and pasted
//! back.
use super::{Drawing, GroupConditioning, ModelAccess, Picture};
use crate::detail::masks::{self, Found};
use crate::detail::{DetailSettings, text_of};
use crate::img2img::{ImageSettings, MaskSettings};
use crate::pictures::{Fit, Pixels, fit};
use crate::plan::{DrawPlan, DrawSettings};
use crate::{Event, Result};
use wayword_interface::{Events, Stop};
use wayword_vision::{Detector, View};

/// Draws the faces of a picture again, by all settings of a detailer and one face after the other;
/// `None` if stopped.
///
/// # Errors
/// If the detector or the device fails, or something is not a number.
pub(super) fn apply(
    model: ModelAccess<'_>,
    plan: &DrawPlan,
    index: usize,
    picture: Picture,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Option<Picture>> {
    let all = &plan.settings().detail;
    if all.is_empty() {
        return Ok(Some(picture));
    }
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut pixels = Pixels { width, height, channels: 3, data: picture.rgb };
    let events = &Inside { events, index, of: plan.settings().count };
    for detail in all {
        for (place, mask) in masks_of(detail, plan, &pixels)?.into_iter().enumerate() {
            let Some(settings) = face(plan, detail, (index, place), &pixels, mask) else {
                continue;
            };
            let face = DrawPlan::new(model.base(), settings)?;
            let drawing = Drawing::new(model, &face, events)?;
            let Some(guard) = drawing.activate(0, events, stop)? else { return Ok(None) };
            let conditioning = GroupConditioning::encode(&guard, &face, 0..1)?;
            let Some(sampled) = drawing.sample(guard, &conditioning, events, stop)? else {
                return Ok(None);
            };
            let drawn = drawing.finish(&conditioning, &sampled, 0, events, stop)?;
            let size = (drawn.width as usize, drawn.height as usize);
            let drawn = Pixels { width: size.0, height: size.1, channels: 3, data: drawn.rgb };
            // All of the picture may have been drawn at another size.
            pixels = if size == (width, height) {
                drawn
            } else {
                fit(&drawn, (width, height), Fit::Stretch)
            };
        }
    }
    Ok(Some(Picture { rgb: pixels.data, ..picture }))
}

/// The masks that are drawn, in their order.
fn masks_of(detail: &DetailSettings, plan: &DrawPlan, picture: &Pixels) -> Result<Vec<Pixels>> {
    let size = picture.size();
    let mut all: Vec<Pixels> = if detail.masks.is_empty() {
        let faces = faces(detail, picture)?;
        faces.iter().map(|face| masks::of_box(face.corners, size)).collect()
    } else {
        detail.masks.iter().map(|mask| mask.as_ref().clone()).collect()
    };
    for mask in &mut all {
        *mask = masks::moved(mask, detail.offset.0, detail.offset.1);
        *mask = masks::grown(mask, detail.dilate);
    }
    all.retain(|mask| !masks::is_blank(mask));
    let mut all = detail.merge.apply(all);
    // What inpainting did not touch stays as it is.
    let own = plan.settings().image.as_ref().and_then(|image| image.mask.as_ref());
    if let Some(own) = own.filter(|own| !own.only_masked && own.mask.size() == size) {
        let own = if own.invert { crate::pictures::invert(&own.mask) } else { (*own.mask).clone() };
        all.retain(|mask| masks::meet(mask, &own));
    }
    Ok(all)
}

/// The faces that count.
fn faces(detail: &DetailSettings, picture: &Pixels) -> Result<Vec<Found>> {
    let size = picture.size();
    let Some(view) = View::new(size.0, size.1, &picture.data) else { return Ok(Vec::new()) };
    let found = Detector::bundled()?.search(view, detail.confidence as f32)?;
    let corners = |area: wayword_vision::Area| [area.left, area.top, area.right(), area.bottom()];
    let found: Vec<Found> = found
        .iter()
        .map(|face| Found { corners: corners(face.area.inside(size)), score: face.score })
        .collect();
    let found = masks::in_ratio(&found, detail.ratio, size);
    let found = masks::top(&found, detail.top_by, detail.top);
    Ok(masks::sorted(&found, detail.order, size))
}

/// What is drawn of the face at a place of a picture; `None` where its prompt leaves it as it is.
pub(crate) fn face(
    plan: &DrawPlan,
    detail: &DetailSettings,
    (index, place): (usize, usize),
    picture: &Pixels,
    mask: Pixels,
) -> Option<DrawSettings> {
    let s = plan.settings();
    let (prompt, negative) = detail.texts(index);
    let prompt = text_of(prompt, place, &plan.prompt(index).prompt)?;
    let negative = text_of(negative, place, &plan.negative(index).prompt)?;
    let side = |n: usize| u32::try_from(n / 8 * 8).unwrap_or(u32::MAX).max(8);
    let whole = (side(picture.width), side(picture.height));
    let (width, height) = detail.size_in((s.width, s.height), whole);
    let (sampler, schedule) = match detail.sampler.get() {
        Some((sampler, schedule)) => (sampler, schedule.unwrap_or(s.schedule)),
        None => (s.sampler, s.schedule),
    };
    let mask = MaskSettings {
        blur: detail.blur,
        only_masked: detail.only_masked,
        padding: detail.padding,
        ..MaskSettings::new(mask)
    };
    let image = ImageSettings {
        denoise: detail.denoise,
        mask: Some(mask),
        ..ImageSettings::new(picture.clone())
    };
    Some(DrawSettings {
        prompts: vec![prompt],
        negatives: vec![negative],
        width,
        height,
        steps: detail.steps.get().unwrap_or(s.steps),
        cfg: detail.cfg.get().unwrap_or(s.cfg),
        sampler,
        schedule,
        seed: plan.seed(index).wrapping_add(place as u64),
        variation: plan
            .subseed(index)
            .zip(s.variation)
            .map(|(seed, (_, strength))| (seed.wrapping_add(place as u64), strength)),
        count: 1,
        batch: 1,
        clip_skip: detail.clip_skip.get().unwrap_or(s.clip_skip),
        image: Some(image),
        hires: None,
        detail: Vec::new(),
        preview_every: None,
        ..s.clone()
    })
}

/// The events of a face, told as those of its picture.
struct Inside<'a> {
    events: &'a dyn Events<Event>,
    index: usize,
    of: usize,
}

impl Events<Event> for Inside<'_> {
    fn event(&self, event: Event) {
        self.events.event(match event {
            Event::Step { step, of, .. } => {
                Event::Step { step, of, first: self.index, pictures: self.of }
            }
            other => other,
        });
    }
}
