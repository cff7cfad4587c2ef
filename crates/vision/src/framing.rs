//! Crops around a person: how much of the figure is shown, with headroom, and never through a face.
//!
//! All lengths are in heights of the face's box, which reaches from the forehead to the chin; a head is
//! about 1.4 of them high and a standing person 10.
use crate::{Area, Crop};
use serde::{Deserialize, Serialize};

/// How much of a person a crop shows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// The head.
    Face,
    /// Head and shoulders.
    #[default]
    Portrait,
    /// Down to the waist.
    Upper,
    /// The whole figure.
    Whole,
}

impl Framing {
    /// All, from near to far.
    pub const ALL: [Self; 4] = [Self::Face, Self::Portrait, Self::Upper, Self::Whole];

    /// Its name: `portrait`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Portrait => "portrait",
            Self::Upper => "upper",
            Self::Whole => "whole",
        }
    }

    /// The crop's height, its least width, and what it shows above the face, in face heights.
    #[must_use]
    pub const fn lengths(self) -> (f32, f32, f32) {
        match self {
            Self::Face => (2.0, 1.7, 0.55),
            Self::Portrait => (3.2, 2.6, 0.75),
            Self::Upper => (5.4, 3.2, 0.95),
            Self::Whole => (10.8, 4.0, 1.1),
        }
    }

    /// Height of a crop in pixels, for a face of this height and a result of `(width, height)`.
    #[must_use]
    pub fn height(self, face: f32, (width, height): (usize, usize)) -> f32 {
        let (down, across, _) = self.lengths();
        face * down.max(across * height as f32 / width as f32)
    }

    /// The framing that a crop of this height comes nearest to.
    #[must_use]
    pub fn of(height: f32, face: f32) -> Self {
        match height / face {
            part if part < 2.55 => Self::Face,
            part if part < 4.2 => Self::Portrait,
            part if part < 7.6 => Self::Upper,
            _ => Self::Whole,
        }
    }
}

/// A crop around a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed {
    /// Where it lies.
    pub crop: Crop,
    /// What it shows: nearer than was wanted where the photo ends.
    pub framing: Framing,
    /// How many other faces it shows.
    pub others: usize,
}

/// Why there is no crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotFrame {
    /// The photo cuts the face off.
    CutByEdge,
    /// The face does not fit into a crop of this shape.
    TooLarge,
    /// Every crop cuts another face.
    CutsOthers,
}

impl CannotFrame {
    /// The reason, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::CutByEdge => "the edge of the photo cuts the face",
            Self::TooLarge => "the face is too large for a crop of this shape",
            Self::CutsOthers => "every crop would cut another face",
        }
    }
}

/// The part of a face's box that must lie in the photo.
const SEEN: f32 = 0.75;

/// Sizes that are tried where the wanted one shows or cuts somebody else.
const SIZES: [f32; 13] = [1.0, 0.93, 0.86, 0.79, 0.72, 0.66, 0.6, 0.55, 0.5, 1.12, 1.25, 1.45, 1.7];

/// Moves that are tried, in parts of the crop's sides.
const MOVES: i8 = 8;

/// The crop of a photo of `(width, height)` around a face, in the shape of `size`. No face is cut:
/// neither this one nor the others. Where a crop of the wanted size would show others, smaller and
/// moved ones are tried.
///
/// # Errors
/// If there is no such crop.
pub fn frame(
    photo: (usize, usize),
    face: Area,
    others: &[Area],
    framing: Framing,
    size: (usize, usize),
) -> Result<Framed, CannotFrame> {
    let seen = face.inside(photo);
    if seen.size() < SEEN * face.size() || seen.size() <= 0.0 {
        return Err(CannotFrame::CutByEdge);
    }
    let others: Vec<Area> =
        others.iter().map(|o| o.inside(photo)).filter(|o| o.size() > 0.0).collect();
    // A face from the side is narrower than high, one that looks down is lower than wide.
    let unit = seen.height.max(seen.width);
    let ratio = size.0 as f32 / size.1 as f32;
    let largest = (photo.1 as f32).min(photo.0 as f32 / ratio);
    let wanted = framing.height(unit, size).min(largest);
    if seen.height > largest + 0.5 || seen.width > largest * ratio + 0.5 {
        return Err(CannotFrame::TooLarge);
    }
    let headroom = framing.lengths().2 * unit;
    let mut best: Option<(f32, Framed)> = None;
    for by in SIZES {
        let height = (wanted * by).min(largest);
        let width = height * ratio;
        if (by < 1.0 && height < Framing::Face.height(unit, size)) || (by > 1.0 && height <= wanted)
        {
            continue;
        }
        // Headroom shrinks with the crop; what is left lies below.
        let above = headroom * (height / framing.height(unit, size)).min(1.0);
        let (left, top) = (seen.middle().0 - width / 2.0, seen.top - above);
        for (dx, dy) in moves() {
            let area = Area { left: left + dx * width, top: top + dy * height, width, height };
            let Some(crop) = whole(area, photo, size) else { continue };
            let cuts = |o: &Area| o.common(crop.area()).size() > 0.0 && !crop.holds(*o);
            if !crop.holds(seen) || others.iter().any(cuts) {
                continue;
            }
            let shown = others.iter().filter(|o| crop.holds(**o)).count();
            let moved = {
                let at = crop.area();
                let base = whole(Area { left, top, ..area }, photo, size).unwrap_or(crop).area();
                (at.left - base.left).abs() / width + 2.0 * (at.top - base.top).abs() / height
            };
            let cost = 10.0 * shown as f32 + 2.0 * (1.0 - by).abs() + moved;
            if best.is_none_or(|(least, _)| cost < least) {
                let framing = Framing::of(crop.height as f32, unit);
                best = Some((cost, Framed { crop, framing, others: shown }));
            }
        }
        // Nobody else, not moved: no other size is better.
        if by == 1.0 && best.is_some_and(|(cost, _)| cost < 0.01) {
            break;
        }
    }
    best.map(|(_, framed)| framed).ok_or(if others.is_empty() {
        CannotFrame::TooLarge
    } else {
        CannotFrame::CutsOthers
    })
}

/// No move first, then all others.
fn moves() -> impl Iterator<Item = (f32, f32)> {
    let part = |i: i8| 0.45 * f32::from(i) / f32::from(MOVES);
    (-MOVES..=MOVES).flat_map(move |y| (-MOVES..=MOVES).map(move |x| (part(x), 0.5 * part(y))))
}

/// Whole pixels of an area, moved into the photo; `None` where it has none.
fn whole(area: Area, (w, h): (usize, usize), (x, y): (usize, usize)) -> Option<Crop> {
    let height = (area.height.round() as usize).min(h);
    // The width follows from the height, so that the shape is as near as whole pixels allow.
    let width = ((height as f64 * x as f64 / y as f64).round() as usize).min(w);
    let place = |start: f32, length: usize, side: usize| {
        (start.round().max(0.0) as usize).min(side - length)
    };
    let (left, top) = (place(area.left, width, w), place(area.top, height, h));
    (width > 0 && height > 0).then_some(Crop { left, top, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Area = Area { left: 900.0, top: 500.0, width: 160.0, height: 200.0 };

    #[test]
    fn more_of_the_figure_is_shown_from_near_to_far() {
        let crops = Framing::ALL.map(|f| frame((2000, 3000), FACE, &[], f, (512, 512)).unwrap());
        assert!(crops.windows(2).all(|pair| pair[0].crop.height < pair[1].crop.height));
        for (framing, framed) in Framing::ALL.iter().zip(crops) {
            assert_eq!(framed.framing, *framing);
            // Above the face there is room for hair, but not half of the crop.
            let above = 500 - framed.crop.top;
            assert!(above >= 100 && above * 3 < framed.crop.height, "{framed:?}");
        }
    }

    #[test]
    fn others_are_left_out_or_shown_whole() {
        let beside = Area { left: 1250.0, ..FACE };
        let alone = frame((2000, 3000), FACE, &[beside], Framing::Portrait, (512, 512)).unwrap();
        assert_eq!(alone.others, 0);
        assert!(alone.crop.right() <= 1250 && alone.crop.holds(FACE));
        // Cheek to cheek, both are shown.
        let near = Area { left: 1070.0, ..FACE };
        let both = frame((2000, 3000), FACE, &[near], Framing::Portrait, (512, 512)).unwrap();
        assert!(both.others == 0 || both.crop.holds(near));
    }

    #[test]
    fn what_cannot_be_framed_is_told() {
        let outside = Area { left: -100.0, ..FACE };
        let error = |photo, face| frame(photo, face, &[], Framing::Face, (512, 512)).unwrap_err();
        assert_eq!(error((2000, 3000), outside), CannotFrame::CutByEdge);
        let tall = Area { left: 0.0, top: 0.0, width: 90.0, height: 180.0 };
        assert_eq!(error((100, 300), tall), CannotFrame::TooLarge);
    }
}
