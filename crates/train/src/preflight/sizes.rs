//! Pictures that are far too small, and crops that cut much off.
use super::{finding, list, pictures_are};
use crate::dataset::bucket::BucketAssignment;
use crate::plan::PlannedPicture;
use wayword_interface::Warning;

/// A picture that is enlarged by more than this has hardly any detail.
const ENLARGED: f64 = 2.0;

/// A crop that takes away more than this part may take away what is to be learned.
const CUT: f64 = 0.35;

/// Pictures that are enlarged to twice their size or more.
pub(super) fn tiny(pictures: &[&PlannedPicture]) -> Option<Warning> {
    let scale = |p: &PlannedPicture| p.resized.0 as f64 / p.size.0.max(1) as f64;
    let tiny: Vec<String> = pictures
        .iter()
        .filter(|p| scale(p) >= ENLARGED)
        .map(|p| format!("{} ({}x{})", p.name, p.size.0, p.size.1))
        .collect();
    if tiny.is_empty() {
        return None;
    }
    let text = format!("{} tiny for what is trained: {}", pictures_are(tiny.len()), list(&tiny));
    Some(finding(text, "leave them out: the word learns the blur of enlarging"))
}

/// Pictures of which the crop cuts much off, with how much and where.
/// With `buckets` their sizes are near to the pictures' already.
pub(super) fn cut(pictures: &[&PlannedPicture], buckets: bool) -> Option<Warning> {
    let remark = |p: &&PlannedPicture| {
        let fit = BucketAssignment { bucket: p.bucket, resized: p.resized };
        let cut = fit.cut_off();
        let sides = if p.resized.0 > p.bucket.0 { "left and right" } else { "above and below" };
        let (w, h) = p.size;
        (cut > CUT).then(|| format!("{} ({w}x{h}): {:.0} % {sides}", p.name, cut * 100.0))
    };
    let cut: Vec<String> = pictures.iter().filter_map(remark).collect();
    if cut.is_empty() {
        return None;
    }
    let text =
        format!("cropping removes a large part of {} of the images: {}", cut.len(), list(&cut));
    let hint = if buckets {
        "crop them by hand, or allow narrower sizes by a smaller {train.min_bucket_reso}"
    } else {
        "crop them by hand, or train sizes that fit them by {train.enable_bucket}"
    };
    Some(finding(text, hint))
}
