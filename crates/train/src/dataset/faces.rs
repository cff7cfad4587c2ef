//! The largest face of a photo that is cropped.
use super::bucket::BucketAssignment;
use super::{Pixels, resize};
use crate::Result;
use wayword_vision::{Area, Detector, View, largest};

/// Score from which on a face counts. What is drawn or printed in a photo is rarely so sure.
const SURE: f32 = 0.75;

/// Longest side at which faces are looked for: the largest face of a photo is well seen there.
const SIDE: usize = 640;

/// Where the middle of a face stands in a crop, from above, as in a portrait of head and shoulders.
const HEIGHT: f32 = 0.4;

/// A small copy of a photo of which a crop cuts something off.
#[derive(Debug)]
pub struct SmallPhoto {
    rgb: Pixels,
    fit: BucketAssignment,
}

impl SmallPhoto {
    /// A copy to look for faces in; `None` where nothing is cut off.
    #[must_use]
    pub fn of(rgb: &Pixels, fit: &BucketAssignment) -> Option<Self> {
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
        Some(Self { rgb, fit: *fit })
    }

    /// The largest face, where it lies in the resized picture.
    ///
    /// # Errors
    /// If the detector fails.
    pub fn face(&self, detector: &Detector) -> Result<Option<Area>> {
        let Self { rgb, fit } = self;
        let Some(view) = View::new(rgb.width, rgb.height, &rgb.data) else { return Ok(None) };
        let faces = detector.search(view, SURE)?;
        let across = fit.resized.0 as f32 / rgb.width as f32;
        let down = fit.resized.1 as f32 / rgb.height as f32;
        Ok(largest(&faces).map(|face| {
            let Area { left, top, width, height } = face.area.inside(view.size());
            Area {
                left: left * across,
                top: top * down,
                width: width * across,
                height: height * down,
            }
        }))
    }
}

/// Left and top of the crop around a face, both in the resized picture.
#[must_use]
pub fn corner(face: Area, fit: &BucketAssignment) -> (usize, usize) {
    let (x, y) = face.middle();
    let place = |middle: f32, part: f32, window: usize, whole: usize| {
        let start = (middle - part * window as f32).round().max(0.0) as usize;
        start.min(whole.saturating_sub(window))
    };
    (place(x, 0.5, fit.bucket.0, fit.resized.0), place(y, HEIGHT, fit.bucket.1, fit.resized.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Crops lie inside pictures, and a face that fits into one is in it.
        #[test]
        fn a_face_lies_in_its_crop(
            side in 64usize..640, longer in 1.0f32..4.0, tall: bool,
            x in 0.0f32..1.0, y in 0.0f32..1.0, size in 0.05f32..0.75,
        ) {
            let long = (side as f32 * longer) as usize;
            let resized = if tall { (side, long) } else { (long, side) };
            let fit = BucketAssignment { bucket: (side, side), resized };
            let length = size * side as f32;
            let face = Area {
                left: x * (resized.0 as f32 - length),
                top: y * (resized.1 as f32 - length),
                width: length,
                height: length,
            };
            let (left, top) = corner(face, &fit);
            prop_assert!(left + side <= resized.0 && top + side <= resized.1);
            let (l, t) = (left as f32 - 1.0, top as f32 - 1.0);
            let (right, bottom) = (l + side as f32 + 2.0, t + side as f32 + 2.0);
            prop_assert!(l <= face.left && t <= face.top);
            prop_assert!(right >= face.right() && bottom >= face.bottom());
        }
    }
}
