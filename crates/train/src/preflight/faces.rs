//! Crops that cut the face of a photo, or leave it out.
use super::{finding, list};
use crate::Result;
use crate::dataset::faces::SmallPhoto;
use crate::plan::PlannedPicture;
use wayword_interface::Warning;
use wayword_vision::{Area, Detector};

/// The part of a face's box that may lie outside: boxes are not exact.
const OUTSIDE: f32 = 0.04;

/// Whether the crop of a picture, at `corner` in the resized one, does not show the whole of its
/// largest face.
///
/// # Errors
/// If the detector fails.
pub(super) fn is_cut(
    photo: &SmallPhoto,
    corner: (usize, usize),
    bucket: (usize, usize),
    detector: &Detector,
) -> Result<bool> {
    let Some(face) = photo.face(detector)? else { return Ok(false) };
    let shown = Area {
        left: corner.0 as f32,
        top: corner.1 as f32,
        width: bucket.0 as f32,
        height: bucket.1 as f32,
    };
    Ok(shown.common(face).size() < (1.0 - OUTSIDE) * face.size())
}

/// The pictures whose faces are cut.
pub(super) fn told(pictures: &[&PlannedPicture], cut: &[bool]) -> Option<Warning> {
    let names: Vec<String> =
        pictures.iter().zip(cut).filter(|(_, cut)| **cut).map(|(p, _)| p.name.clone()).collect();
    if names.is_empty() {
        return None;
    }
    let text = format!("cropping cuts the face of {} of the images: {}", names.len(), list(&names));
    let hint = "crop them around the face with `wayword prepare`, or here with {train.prepare} auto \
                or {train.crop} face";
    Some(finding(text, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::bucket::BucketAssignment;
    use crate::dataset::{Pixels, crop, faces};

    #[test]
    fn a_head_that_is_cut_off_is_noticed_and_a_crop_at_the_face_shows_it() {
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
        let detector = Detector::bundled().unwrap();
        let fit = |resized| BucketAssignment { bucket: (256, 256), resized };
        let cut = |pixels: &Pixels, fit: &BucketAssignment, corner| {
            let photo = SmallPhoto::of(pixels, fit);
            photo.is_some_and(|photo| is_cut(&photo, corner, fit.bucket, &detector).unwrap())
        };
        let in_the_middle = |pixels: &Pixels, fit: &BucketAssignment| {
            cut(pixels, fit, crop::middle(fit.resized, fit.bucket))
        };
        let (tall, fit_tall) = (pixels(&tall), fit((256, 512)));
        assert!(in_the_middle(&tall, &fit_tall));
        let face = SmallPhoto::of(&tall, &fit_tall).unwrap().face(&detector).unwrap().unwrap();
        assert!(!cut(&tall, &fit_tall, faces::corner(face, &fit_tall)));
        assert!(!in_the_middle(&pixels(&picture), &fit((256, 256))));
        // The face stands above the middle: a wide crop of it is whole.
        let wide = image::imageops::crop_imm(&picture, 0, 20, 512, 300).to_image();
        assert!(!in_the_middle(&pixels(&wide), &fit((437, 256))));
    }
}
