//! What can be seen in pictures and captions before a training starts. Every finding says what to
//! do about it.
mod captions;
mod doubles;
mod faces;
mod few;
mod holes;
mod inspection;
mod sizes;

pub use few::few;

use crate::Result;
use crate::dataset::bucket::BucketAssignment;
use crate::dataset::faces::SmallPhoto;
use crate::dataset::reads::ScaledPicture;
use crate::plan::{PlannedPicture, TrainPlan};
use inspection::Inspection;
use rayon::prelude::*;
use std::collections::BTreeMap;
use wayword_interface::{Stop, Warning};
use wayword_vision::Detector;

/// Pictures that are looked at together.
const AT_ONCE: usize = 64;

/// Bytes of a pixel while its file is decoded: what the decoder gives, and 3 or 4 channels of it.
const DECODED: usize = 8;

/// The bytes that decoding takes at most, with so many threads, and the picture that takes most.
#[must_use]
pub fn decoding(pictures: &[PlannedPicture], threads: usize) -> Option<(usize, &PlannedPicture)> {
    let bytes = |picture: &PlannedPicture| picture.size.0 * picture.size.1 * DECODED;
    let mut by_size: Vec<&PlannedPicture> = pictures.iter().collect();
    by_size.sort_by_key(|picture| std::cmp::Reverse(bytes(picture)));
    let largest = *by_size.first()?;
    Some((by_size.iter().take(threads.max(1)).map(|picture| bytes(picture)).sum(), largest))
}

/// Looks at the pictures to learn from and at all captions. Pictures are decoded once: the plan keeps
/// them at the size that they are trained at, as far as there is room.
///
/// # Errors
/// If a picture cannot be read, or a stop was requested.
pub fn inspect(plan: &TrainPlan, stop: &Stop) -> Result<Vec<Warning>> {
    let learned: Vec<&PlannedPicture> = (0..plan.pictures.len())
        .filter(|place| !plan.is_regular(*place))
        .map(|place| &plan.pictures[place])
        .collect();
    let inspection = |picture: &&PlannedPicture| {
        if stop.is_requested() {
            return Err(wayword_diffusion::Error::Stopped.into());
        }
        let decoded = plan.reads.decoded(&picture.path, !plan.kohya_numbers, &picture.sha256)?;
        let fit = BucketAssignment { bucket: picture.bucket, resized: picture.resized };
        let set = &plan.sets[picture.set];
        let holes = decoded.alpha.as_ref().filter(|_| !set.alpha_mask).is_some_and(holes::has_any);
        let photo = SmallPhoto::of(&decoded.rgb, &fit);
        let scaled = ScaledPicture::of(&decoded, fit.resized, set.filter());
        let inspection = Inspection::of(&decoded.rgb, &scaled.rgb, (picture.corner(), fit.bucket));
        plan.reads.keep(picture, set.filter(), scaled);
        Ok((inspection, holes, photo, decoded.notes))
    };
    let (mut inspections, mut holes, mut cut) = (Vec::new(), Vec::new(), Vec::new());
    let mut notes = Vec::new();
    let is_cropped = learned.iter().any(|picture| picture.resized != picture.bucket);
    let detector = is_cropped.then(Detector::bundled).transpose()?;
    for some in learned.chunks(AT_ONCE) {
        let inspected: Vec<(Inspection, bool, Option<SmallPhoto>, Vec<String>)> =
            some.par_iter().map(inspection).collect::<Result<_>>()?;
        for (picture, (inspection, hole, photo, note)) in some.iter().zip(inspected) {
            inspections.push(inspection);
            holes.push(hole);
            // Not above: the network has threads of its own, and a thread that waits for them would
            // begin with another picture.
            let (corner, bucket) = (picture.corner(), picture.bucket);
            cut.push(match (photo, &detector) {
                (Some(photo), Some(detector)) => faces::is_cut(&photo, corner, bucket, detector)?,
                _ => false,
            });
            notes.push(note);
        }
    }
    let mut findings = read_otherwise(&learned, &notes);
    findings.extend(doubles::exact(&learned));
    findings.extend(doubles::near(&learned, &inspections));
    findings.extend(inspection::blurred(&learned, &inspections));
    findings.extend(inspection::empty(&learned, &inspections));
    findings.extend(inspection::barred(&learned, &inspections));
    findings.extend(holes::told(&learned, &holes));
    findings.extend(faces::told(&learned, &cut));
    findings.extend(sizes::tiny(&learned));
    findings
        .extend(sizes::cut(&learned, plan.sets.iter().any(crate::plan::PictureSet::has_buckets)));
    findings.extend(captions::long(plan));
    Ok(findings)
}

/// What reading did with pictures (color profiles, animations), each sentence once with its pictures.
fn read_otherwise(learned: &[&PlannedPicture], notes: &[Vec<String>]) -> Vec<Warning> {
    let mut by_note: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (picture, notes) in learned.iter().zip(notes) {
        for note in notes {
            by_note.entry(note).or_default().push(picture.name.clone());
        }
    }
    let warning = |(note, names): (&str, Vec<String>)| {
        finding(format!("{}: {note}", list(&names)), "nothing needs to be done if that is intended")
    };
    by_note.into_iter().map(warning).collect()
}

/// A finding with what to do about it.
fn finding(text: String, hint: &str) -> Warning {
    Warning::new(text).with_hint(hint)
}

/// The first few of a list, and how many more there are.
fn list(items: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `1 picture is` or `n pictures are`.
fn pictures_are(count: usize) -> String {
    if count == 1 { "1 image is".into() } else { format!("{count} images are") }
}

#[cfg(test)]
mod tests;
