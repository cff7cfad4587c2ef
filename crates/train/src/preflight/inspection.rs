//! What is remembered of a picture that was looked at: its look, and how blurred it is.
use super::{finding, list, pictures_are};
use crate::dataset::{Pixels, crop};
use crate::plan::PlannedPicture;
use wayword_interface::Warning;
use wayword_vision::{Gray, Look};

/// Sharp photos and drawings have up to 0.43, those blurred over two pixels or enlarged fourfold
/// mostly more than this.
const BLURRED: f64 = 0.62;

/// What is remembered of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inspection {
    look: Look,
    /// From 0, sharp, to 1.
    blur: f64,
    /// Whether black bars stand on opposite sides.
    bars: bool,
}

impl Inspection {
    /// The look of a decoded picture; of `resized`, `window` (its corner and size) is trained.
    pub(super) fn of(
        rgb: &Pixels,
        resized: &Pixels,
        (corner, window): ((usize, usize), (usize, usize)),
    ) -> Self {
        let gray = |pixels: &Pixels| Gray::of(&pixels.data, pixels.channels, pixels.width);
        let whole = gray(rgb);
        let size = resized.size();
        let is_inside = size.0 >= window.0 && size.1 >= window.1;
        let cut = is_inside.then(|| crop::crop(resized, corner, window));
        let blur = gray(cut.as_ref().unwrap_or(resized)).blur();
        Self { look: Look::of(&whole), blur, bars: whole.has_bars() }
    }

    /// Whether both show the same, as it is or mirrored.
    pub(super) fn is_near(&self, other: &Self) -> bool {
        self.look.is_near(&other.look)
    }
}

/// Pictures that are blurred at the size they are trained at.
pub(super) fn blurred(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let pairs = pictures.iter().zip(inspections);
    let blurred: Vec<String> = pairs
        .filter(|(_, inspection)| inspection.blur > BLURRED)
        .map(|(p, _)| p.name.clone())
        .collect();
    if blurred.is_empty() {
        return None;
    }
    let text = format!("{} blurred: {}", pictures_are(blurred.len()), list(&blurred));
    Some(finding(text, "remove them, or use the originals: the embedding learns the blur as well"))
}

/// Pictures of one color.
pub(super) fn empty(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let pairs = pictures.iter().zip(inspections);
    let empty: Vec<String> = pairs
        .filter(|(_, inspection)| inspection.look.is_plain())
        .map(|(p, _)| p.name.clone())
        .collect();
    if empty.is_empty() {
        return None;
    }
    let text = format!("{} of one color: {}", pictures_are(empty.len()), list(&empty));
    Some(finding(text, "leave them out: there is nothing to be learned from them"))
}

/// Pictures between black bars.
pub(super) fn barred(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let pairs = pictures.iter().zip(inspections);
    let barred: Vec<String> =
        pairs.filter(|(_, inspection)| inspection.bars).map(|(p, _)| p.name.clone()).collect();
    if barred.is_empty() {
        return None;
    }
    let text = format!("{} between black bars: {}", pictures_are(barred.len()), list(&barred));
    Some(finding(text, "crop the bars off: the word learns them too"))
}
