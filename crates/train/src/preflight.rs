//! What can be seen in pictures and captions before a training starts. Every finding says what to
//! do about it.
mod captions;
mod doubles;
mod few;
mod holes;
mod look;
mod sizes;

pub use few::few;

use crate::Result;
use crate::dataset::bucket::Fit;
use crate::dataset::image;
use crate::plan::{PlannedPicture, TrainPlan};
use look::Look;
use rayon::prelude::*;
use wayword_interface::Warning;

/// Looks at the pictures to learn from and at all captions. Pictures are decoded once.
///
/// # Errors
/// If a picture cannot be read.
pub fn inspect(plan: &TrainPlan) -> Result<Vec<Warning>> {
    let learned: Vec<&PlannedPicture> = (0..plan.pictures.len())
        .filter(|place| !plan.is_regular(*place))
        .map(|place| &plan.pictures[place])
        .collect();
    let look = |picture: &&PlannedPicture| {
        let image::Decoded { rgb, alpha } = image::read(&picture.path, !plan.kohya_numbers)?;
        let fit = Fit { bucket: picture.bucket, resized: picture.resized };
        let set = &plan.sets[picture.set];
        let holes = alpha.filter(|_| !set.alpha_mask).as_ref().is_some_and(holes::has_any);
        Ok((Look::of(&rgb, &fit, set.filter()), holes))
    };
    let looks: Vec<(Look, bool)> = learned.par_iter().map(look).collect::<Result<_>>()?;
    let (looks, holes): (Vec<Look>, Vec<bool>) = looks.into_iter().unzip();
    let mut findings = Vec::new();
    findings.extend(doubles::exact(&learned));
    findings.extend(doubles::near(&learned, &looks));
    findings.extend(look::blurred(&learned, &looks));
    findings.extend(look::empty(&learned, &looks));
    findings.extend(look::barred(&learned, &looks));
    findings.extend(holes::told(&learned, &holes));
    findings.extend(sizes::tiny(&learned));
    findings
        .extend(sizes::cut(&learned, plan.sets.iter().any(crate::plan::PictureSet::has_buckets)));
    findings.extend(captions::long(plan));
    Ok(findings)
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
    if count == 1 { "1 picture is".into() } else { format!("{count} pictures are") }
}

#[cfg(test)]
mod tests;
