//! Pictures that are there twice: the same file, or nearly the same picture.
use super::inspection::Inspection;
use super::{finding, list};
use crate::plan::PlannedPicture;
use std::collections::BTreeMap;
use std::path::Path;
use wayword_interface::Warning;

/// More pictures than this are not compared each with each.
const MOST: usize = 20_000;

/// Files with the same bytes. One file in several data sets, as for training at several sizes, is
/// meant.
pub(super) fn exact(pictures: &[&PlannedPicture]) -> Option<Warning> {
    let mut by_hash: BTreeMap<&str, BTreeMap<&Path, &str>> = BTreeMap::new();
    for picture in pictures {
        by_hash.entry(&picture.sha256).or_default().insert(&picture.path, &picture.name);
    }
    let doubled = by_hash.values().filter(|files| files.len() > 1);
    let mut doubles: Vec<String> =
        doubled.map(|files| files.values().copied().collect::<Vec<_>>().join(" = ")).collect();
    doubles.sort();
    if doubles.is_empty() {
        return None;
    }
    let text = format!("duplicate images: {}", list(&doubles));
    Some(finding(text, "keep one of each; use the folder's repeats to show images more often"))
}

/// Pictures that look alike but for size, compression or a mirror.
pub(super) fn near(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    if pictures.len() > MOST {
        return None;
    }
    let mut pairs = Vec::new();
    for (i, one) in inspections.iter().enumerate() {
        for (j, other) in inspections.iter().enumerate().skip(i + 1) {
            if pictures[i].sha256 != pictures[j].sha256 && one.is_near(other) {
                pairs.push(format!("{} and {}", pictures[i].name, pictures[j].name));
            }
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let text = format!("images are nearly the same: {}", list(&pairs));
    Some(finding(
        text,
        "keep one of each pair: what they have in common is learned as part of the embedding",
    ))
}
