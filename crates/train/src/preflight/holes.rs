//! Pictures with transparent parts, whose hidden colors would be learned.
use super::{finding, list};
use crate::dataset::Pixels;
use crate::plan::PlannedPicture;
use wayword_interface::Warning;

/// Fewer transparent pixels than one in so many are a rim.
const FEW: usize = 100;

/// Whether a picture with this alpha channel has transparent parts.
pub(super) fn has_any(alpha: &Pixels) -> bool {
    alpha.data.iter().filter(|a| **a < 128).count() * FEW > alpha.data.len()
}

/// Pictures with transparent parts; `holes` says of each whether it has some.
pub(super) fn told(pictures: &[&PlannedPicture], holes: &[bool]) -> Option<Warning> {
    let with = pictures.iter().zip(holes).filter(|(_, holes)| **holes);
    let names: Vec<String> = with.map(|(picture, _)| picture.name.clone()).collect();
    if names.is_empty() {
        return None;
    }
    let have = if names.len() == 1 { "image has" } else { "images have" };
    let text = format!(
        "{} {have} transparent parts, and the colors that they hide are learned: {}",
        names.len(),
        list(&names)
    );
    Some(finding(
        text,
        "{train.alpha_mask} leaves those parts out; or put a background behind them",
    ))
}
