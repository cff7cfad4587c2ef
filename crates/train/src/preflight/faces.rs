//! Crops that cut the face of a photo, or leave it out.
use super::{finding, list};
use crate::Result;
use crate::dataset::bucket::BucketAssignment;
use crate::dataset::{Pixels, crop, resize};
use crate::plan::PlannedPicture;
use wayword_interface::Warning;
use wayword_vision::{Area, Detector, View};

/// Score from which on a face counts. What is drawn or printed in a photo is rarely so sure.
const SURE: f32 = 0.75;

/// The part of a face's box that may lie outside: boxes are not exact.
const OUTSIDE: f32 = 0.04;

/// Longest side at which faces are looked for: the largest face of a photo is well seen there.
const SIDE: usize = 640;

/// A small copy of a photo of which a crop cuts something off.
pub(super) struct SmallPhoto {
    rgb: Pixels,
    fit: BucketAssignment,
}

/// A copy to look for faces in; `None` where nothing is cut off.
pub(super) fn small(rgb: &Pixels, fit: &BucketAssignment) -> Option<SmallPhoto> {
    if fit.resized == fit.bucket || rgb.channels != 3 {
        return None;
    }
    let longest = rgb.width.max(rgb.height).max(1);
    let side = |side: usize| (side * SIDE / longest).max(1);
    let rgb = if longest > SIDE {
        resize::resize(rgb, (side(rgb.width), side(rgb.height)), None)
    } else {
        rgb.clone()
    };
    Some(SmallPhoto { rgb, fit: *fit })
}

impl SmallPhoto {
    /// Whether the crop does not show the whole of the largest face.
    ///
    /// # Errors
    /// If the detector fails.
    pub(super) fn is_cut(&self) -> Result<bool> {
        let Self { rgb, fit } = self;
        let Some(view) = View::new(rgb.width, rgb.height, &rgb.data) else { return Ok(false) };
        let faces = Detector::bundled()?.search(view, SURE)?;
        let largest = faces.iter().max_by(|a, b| a.area.size().total_cmp(&b.area.size()));
        let Some(face) = largest.map(|face| face.area.inside(view.size())) else {
            return Ok(false);
        };
        let across = fit.resized.0 as f32 / rgb.width as f32;
        let down = fit.resized.1 as f32 / rgb.height as f32;
        let (left, top) = crop::middle(fit.resized, fit.bucket);
        let shown = Area {
            left: left as f32 / across,
            top: top as f32 / down,
            width: fit.bucket.0 as f32 / across,
            height: fit.bucket.1 as f32 / down,
        };
        Ok(shown.common(face).size() < (1.0 - OUTSIDE) * face.size())
    }
}

/// The pictures whose faces are cut.
pub(super) fn told(pictures: &[&PlannedPicture], cut: &[bool]) -> Option<Warning> {
    let names: Vec<String> =
        pictures.iter().zip(cut).filter(|(_, cut)| **cut).map(|(p, _)| p.name.clone()).collect();
    if names.is_empty() {
        return None;
    }
    let text = format!("cropping cuts the face of {} of the images: {}", names.len(), list(&names));
    Some(finding(text, "crop them around the face with `wayword prepare`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_is_cut_off_is_noticed() {
        let file = "crates/vision/tests/detail/photos/astronaut.png";
        let picture = image::open(wayword_testing::repository().join(file)).unwrap().to_rgb8();
        let mut tall = image::RgbImage::from_pixel(512, 1024, image::Rgb([90; 3]));
        image::imageops::replace(&mut tall, &picture, 0, 0);
        let pixels = |p: &image::RgbImage| Pixels {
            width: p.width() as usize,
            height: p.height() as usize,
            channels: 3,
            data: p.as_raw().clone(),
        };
        let fit = |resized| BucketAssignment { bucket: (256, 256), resized };
        let is_cut = |pixels: &Pixels, fit: &BucketAssignment| {
            small(pixels, fit).map_or(Ok(false), |photo| photo.is_cut())
        };
        assert!(is_cut(&pixels(&tall), &fit((256, 512))).unwrap());
        assert!(!is_cut(&pixels(&picture), &fit((256, 256))).unwrap());
        // The face stands above the middle: a wide crop of it is whole.
        let wide = image::imageops::crop_imm(&picture, 0, 20, 512, 300).to_image();
        assert!(!is_cut(&pixels(&wide), &fit((437, 256))).unwrap());
    }
}
