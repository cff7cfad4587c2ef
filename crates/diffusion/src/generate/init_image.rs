//! The init image of img2img and inpaint, prepared once for all pictures of a plan.
use super::encode_picture;
use super::sampling_pass::InitLatents;
use crate::image_rng::{ImageRng, ImageRngOptions};
use crate::img2img::{MaskFill, Prepared, prepare};
use crate::pictures::Pixels;
use crate::plan::DrawPlan;
use crate::{Base, Event, Result};
use std::ops::Range;
use wayword_interface::Events;
use wayword_prompt::Quirks;

/// The prepared init image and its latents.
#[derive(Debug)]
pub(super) struct InitImage {
    prepared: Prepared,
    /// `[4, h, w]` on the UNet's scale.
    latent: Vec<f32>,
}

impl InitImage {
    /// `None` where the plan begins with noise alone.
    pub(super) fn new(
        base: &Base,
        plan: &DrawPlan,
        events: &dyn Events<Event>,
    ) -> Result<Option<Self>> {
        let s = plan.settings();
        let Some(image) = &s.image else { return Ok(None) };
        let prepared = prepare(image, (s.width as usize, s.height as usize));
        let latent = encode_picture(base, &prepared.picture, events)?;
        Ok(Some(Self { prepared, latent }))
    }

    /// The init latents of a group.
    pub(super) fn latents(&self, plan: &DrawPlan, group: &Range<usize>) -> InitLatents {
        let s = plan.settings();
        let mut latents = self.latent.repeat(group.len());
        let mask = self.prepared.masked.as_ref().map(|m| m.latent.clone());
        if let Some(masked) = &self.prepared.masked {
            let hidden = masked.latent.iter().cycle();
            match masked.fill {
                MaskFill::Fill | MaskFill::Original => {}
                MaskFill::LatentNothing => {
                    latents.iter_mut().zip(hidden).for_each(|(v, m)| *v *= 1.0 - m);
                }
                MaskFill::LatentNoise => {
                    let noise = self.noise(plan, group);
                    let both = latents.iter_mut().zip(noise).zip(hidden);
                    both.for_each(|((v, n), m)| *v = *v * (1.0 - m) + n * m);
                }
            }
        }
        let (denoise, exact_steps) =
            s.image.as_ref().map_or((1.0, false), |i| (i.denoise, i.exact_steps));
        InitLatents { latents, denoise, exact_steps, mask }
    }

    /// The first noise of each picture's seed. The web UI fills all groups with that of the first.
    fn noise(&self, plan: &DrawPlan, group: &Range<usize>) -> Vec<f32> {
        let s = plan.settings();
        let pictures = match s.quirks {
            Quirks::Sane => group.clone(),
            Quirks::A1111 => 0..group.len(),
        };
        let seeds: Vec<i64> = pictures.map(|i| plan.seed(i).cast_signed()).collect();
        let (height, width) = plan.latent_size();
        let options = ImageRngOptions { kind: s.noise, ..ImageRngOptions::default() };
        ImageRng::new([4, height, width], &seeds, options).draw()
    }

    /// Lays over a drawn picture what a mask keeps.
    pub(super) fn finish(&self, drawn: Pixels) -> Pixels {
        match &self.prepared.masked {
            Some(masked) => masked.overlay.apply(&drawn),
            None => drawn,
        }
    }
}
