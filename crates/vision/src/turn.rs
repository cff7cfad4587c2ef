//! Quarter turns of photos that lie on their side.
use crate::{Crop, Rgb};
use serde::{Deserialize, Serialize};

/// How a photo is turned, clockwise. In JSON degrees: 0, 90, 180 or 270.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Turn {
    /// Not at all.
    #[default]
    None,
    /// 90 degrees clockwise.
    Right,
    /// Upside down.
    Half,
    /// 90 degrees counterclockwise.
    Left,
}

impl Turn {
    /// All, in clockwise order.
    pub const ALL: [Self; 4] = [Self::None, Self::Right, Self::Half, Self::Left];

    /// The turn that makes a head upright whose eyes stand at `roll` degrees; none up to `least`.
    #[must_use]
    pub fn upright(roll: f32, least: f32) -> Self {
        match roll {
            roll if roll.abs() <= least || !roll.is_finite() => Self::None,
            roll if roll.abs() >= 135.0 => Self::Half,
            roll if roll > 0.0 => Self::Left,
            _ => Self::Right,
        }
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn is_sideways(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }

    /// Width and height after the turn; of the turned picture they are those before it.
    #[must_use]
    pub const fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.is_sideways() { (height, width) } else { (width, height) }
    }

    /// A picture turned.
    #[must_use]
    pub fn apply(self, picture: &Rgb) -> Rgb {
        let (width, height) = self.size((picture.width, picture.height));
        let mut rgb = Vec::with_capacity(picture.rgb.len());
        for y in 0..height {
            for x in 0..width {
                let (x, y) = match self {
                    Self::None => (x, y),
                    Self::Right => (y, picture.height - 1 - x),
                    Self::Half => (picture.width - 1 - x, picture.height - 1 - y),
                    Self::Left => (picture.width - 1 - y, x),
                };
                let at = (y * picture.width + x) * 3;
                rgb.extend_from_slice(&picture.rgb[at..at + 3]);
            }
        }
        Rgb { width, height, rgb }
    }

    /// Where a crop of the turned picture lies in the picture before the turn, whose size is given.
    #[must_use]
    pub const fn undone(self, crop: Crop, (width, height): (usize, usize)) -> Crop {
        let Crop { left, top, width: w, height: h } = crop;
        match self {
            Self::None => crop,
            Self::Right => Crop { left: top, top: height - crop.right(), width: h, height: w },
            Self::Half => Crop {
                left: width - crop.right(),
                top: height - crop.bottom(),
                width: w,
                height: h,
            },
            Self::Left => Crop { left: width - crop.bottom(), top: left, width: h, height: w },
        }
    }
}

impl From<Turn> for u16 {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::None => 0,
            Turn::Right => 90,
            Turn::Half => 180,
            Turn::Left => 270,
        }
    }
}

impl TryFrom<u16> for Turn {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|turn| u16::from(*turn) == degrees);
        found.ok_or_else(|| format!("expected a turn of 0, 90, 180 or 270, found {degrees}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_is_the_same_before_and_after_the_turn() {
        let rgb: Vec<u8> = (0..7 * 5 * 3).map(|i| i as u8).collect();
        let picture = Rgb { width: 7, height: 5, rgb };
        let cut = |p: &Rgb, c: Crop| {
            let row = |y: usize| &p.rgb[(y * p.width + c.left) * 3..][..c.width * 3];
            let rgb = (c.top..c.bottom()).flat_map(|y| row(y).iter().copied()).collect();
            Rgb { width: c.width, height: c.height, rgb }
        };
        for turn in Turn::ALL {
            let turned = turn.apply(&picture);
            assert_eq!((turned.width, turned.height), turn.size((7, 5)));
            let crop = Crop { left: 1, top: 2, width: 3, height: 2 };
            let before = turn.undone(crop, (7, 5));
            assert_eq!(turn.apply(&cut(&picture, before)), cut(&turned, crop), "{turn:?}");
        }
        // Turned clockwise, the person's right eye stands above the left one.
        assert_eq!(Turn::upright(90.0, 60.0), Turn::Left);
        assert_eq!(Turn::upright(-80.0, 60.0), Turn::Right);
        assert_eq!(Turn::upright(178.0, 60.0), Turn::Half);
        assert_eq!(Turn::upright(30.0, 60.0), Turn::None);
    }
}
