//! Crops around faces, where they are asked for; kohya's lie in the middle.
use super::check::warn;
use super::{TrainOptions, TrainPlan};
use crate::dataset::bucket::BucketAssignment;
use crate::dataset::faces::{self, SmallPhoto};
use crate::plan::options::CropPlace;
use crate::{Error, Result};
use rayon::prelude::*;
use wayword_interface::Stop;
use wayword_vision::Detector;

/// Pictures that are read together.
const AT_ONCE: usize = 16;

impl TrainPlan {
    /// Places the crops of pictures to learn from at their largest faces.
    pub(super) fn place_crops(&mut self, options: &TrainOptions, stop: &Stop) -> Result<()> {
        if options.crop == CropPlace::Middle {
            return Ok(());
        }
        for (option, given) in [
            ("{train.kohya_numbers}", options.kohya_numbers),
            ("{train.random_crop}", options.random_crop),
            ("{train.face_crop_aug_range}", options.face_crop_aug_range.is_some()),
        ] {
            if given {
                let found = format!("face with {option}");
                return Err(Error::option("train.crop", "middle", found)
                    .with_hint(format!("leave out {option} or {{train.crop}}")));
            }
        }
        let placed = |picture: usize| {
            let augment = self.sets[self.pictures[picture].set].augment();
            let moves = augment.random_crop || augment.face_crop.is_some();
            !self.is_regular(picture) && !moves
        };
        let cropped: Vec<usize> = (0..self.pictures.len())
            .filter(|i| self.pictures[*i].resized != self.pictures[*i].bucket && placed(*i))
            .collect();
        if cropped.is_empty() {
            return Ok(());
        }
        let detector = Detector::bundled()?;
        let (mut without, mut of_kohya) = (0, 0);
        for some in cropped.chunks(AT_ONCE) {
            if stop.is_requested() {
                return Err(wayword_diffusion::Error::Stopped.into());
            }
            let small = |i: &usize| {
                let picture = &self.pictures[*i];
                let fit = BucketAssignment { bucket: picture.bucket, resized: picture.resized };
                let decoded = self.reads.decoded_for_crop(&picture.path, &picture.sha256)?;
                Ok((fit, SmallPhoto::of(&decoded.rgb, &fit)))
            };
            let photos: Vec<_> = some.par_iter().map(small).collect::<Result<_>>()?;
            // Not above: the network has threads of its own.
            for (i, (fit, photo)) in some.iter().zip(photos) {
                let face = photo.map_or(Ok(None), |photo| photo.face(&detector))?;
                let picture = &mut self.pictures[*i];
                picture.crop = face.map(|face| faces::corner(face, &fit));
                without += usize::from(face.is_none());
                if picture.crop.is_some() && picture.latents.take().is_some() {
                    of_kohya += 1;
                }
            }
        }
        if without > 0 {
            let text =
                format!("no face was found in {without} images, which are cropped in the middle");
            self.warnings.push(warn(&text, None).with_field("train.crop"));
        }
        if of_kohya > 0 {
            let text =
                format!("latents of kohya's trainer do not fit {of_kohya} crops around faces");
            self.warnings.push(warn(&text, None).with_field("train.kohya_latents"));
        }
        Ok(())
    }
}
