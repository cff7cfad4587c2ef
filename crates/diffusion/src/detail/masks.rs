//! Masks of detected boxes, in the arithmetic of the web UI's extension ADetailer: which boxes count, in
//! which order, and how their masks grow, move and merge.
use crate::pictures::{Pixels, invert};

/// Corners of a box in pixels: left, top, right, bottom.
pub type Corners = [f32; 4];

/// The rectangle of a box, white, in a mask of `(width, height)`: corners without their fractions, the
/// far edge included.
#[must_use]
pub fn of_box(corners: Corners, (width, height): (usize, usize)) -> Pixels {
    let mut out = Pixels::filled(width, height, 1, 0);
    let [left, top, right, bottom] = corners.map(|v| v as i64);
    let inside = |from: i64, to: i64, length: usize| {
        let end = usize::try_from(to.saturating_add(1)).unwrap_or(0).min(length);
        usize::try_from(from.max(0)).unwrap_or(length).min(end)..end
    };
    for y in inside(top, bottom, height) {
        out.data[y * width..][..width][inside(left, right, width)].fill(u8::MAX);
    }
    out
}

/// The mask moved right by `x` and up by `y`; what leaves one side comes back on the other.
#[must_use]
pub fn moved(mask: &Pixels, x: i32, y: i32) -> Pixels {
    let (width, height) = mask.size();
    let source = |at: usize, by: i64, length: usize| {
        (at as i64 - by).rem_euclid(length.max(1) as i64).unsigned_abs() as usize
    };
    let mut data = Vec::with_capacity(mask.data.len());
    for row in 0..height {
        let row = source(row, -i64::from(y), height) * width;
        data.extend((0..width).map(|column| mask.data[row + source(column, x.into(), width)]));
    }
    Pixels { data, ..*mask }
}

/// The mask grown by a square of `by` pixels, or shrunk where that is negative. Of an even square the
/// longer half lies to the right and below.
#[must_use]
pub fn grown(mask: &Pixels, by: i32) -> Pixels {
    let side = by.unsigned_abs() as usize;
    if side <= 1 {
        return mask.clone();
    }
    let pick: fn(u8, u8) -> u8 = if by > 0 { u8::max } else { u8::min };
    let (width, height) = mask.size();
    let window =
        |at: usize, length: usize| at.saturating_sub(side / 2)..(at + side - side / 2).min(length);
    let mut rows = Vec::with_capacity(mask.data.len());
    for row in mask.data.chunks_exact(width) {
        rows.extend(
            (0..width).map(|x| row[window(x, width)].iter().copied().reduce(pick).unwrap_or(0)),
        );
    }
    let mut data = Vec::with_capacity(mask.data.len());
    for y in 0..height {
        let near = window(y, height);
        let column = |x: usize| near.clone().map(|y| rows[y * width + x]).reduce(pick).unwrap_or(0);
        data.extend((0..width).map(column));
    }
    Pixels { data, ..*mask }
}

/// Whether nothing is white.
#[must_use]
pub fn is_blank(mask: &Pixels) -> bool {
    mask.data.iter().all(|v| *v == 0)
}

/// Whether both have a pixel in common.
#[must_use]
pub fn meet(a: &Pixels, b: &Pixels) -> bool {
    a.data.iter().zip(&b.data).any(|(a, b)| a & b != 0)
}

/// What becomes of several masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merge {
    /// Each is drawn by itself.
    #[default]
    None,
    /// All are drawn at once.
    Merge,
    /// What none of them covers is drawn at once.
    MergeAndInvert,
}

impl Merge {
    /// All, with ADetailer's names.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::None, "None"), (Self::Merge, "Merge"), (Self::MergeAndInvert, "Merge and Invert")];

    /// The masks merged.
    #[must_use]
    pub fn apply(self, masks: Vec<Pixels>) -> Vec<Pixels> {
        let or = |mut a: Pixels, b: Pixels| {
            a.data.iter_mut().zip(&b.data).for_each(|(a, b)| *a |= b);
            a
        };
        match self {
            Self::None => masks,
            Self::Merge => masks.into_iter().reduce(or).into_iter().collect(),
            Self::MergeAndInvert => masks.into_iter().reduce(or).iter().map(invert).collect(),
        }
    }
}

/// Which boxes count most where only some are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopBy {
    /// The largest.
    #[default]
    Area,
    /// The surest.
    Confidence,
}

impl TopBy {
    /// All, with ADetailer's names.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Area, "Area"), (Self::Confidence, "Confidence")];
}

/// The order in which masks are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they were found.
    #[default]
    None,
    /// From left to right.
    LeftToRight,
    /// From the picture's middle to its edges.
    CenterToEdge,
    /// From large to small.
    Area,
}

impl Order {
    /// All, with the names of ADetailer's setting.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::None, "None"),
        (Self::LeftToRight, "Position (left to right)"),
        (Self::CenterToEdge, "Position (center to edge)"),
        (Self::Area, "Area (large to small)"),
    ];
}

/// Something that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Where it is.
    pub corners: Corners,
    /// How sure that is, 0 to 1.
    pub score: f32,
}

impl Found {
    fn area(&self) -> f64 {
        let [left, top, right, bottom] = self.corners.map(f64::from);
        (right - left) * (bottom - top)
    }
}

/// Those whose share of a picture of `(width, height)` is in bounds.
#[must_use]
pub fn in_ratio(found: &[Found], (least, most): (f64, f64), size: (usize, usize)) -> Vec<Found> {
    let whole = size.0 as f64 * size.1 as f64;
    let fits = |one: &&Found| (least..=most).contains(&(one.area() / whole));
    found.iter().filter(fits).copied().collect()
}

/// The first `count` by size or score, in that order; all in their own order where it is 0.
#[must_use]
pub fn top(found: &[Found], by: TopBy, count: usize) -> Vec<Found> {
    if count == 0 {
        return found.to_vec();
    }
    let value = |one: &Found| match by {
        TopBy::Area => one.area(),
        TopBy::Confidence => f64::from(one.score),
    };
    let mut out = found.to_vec();
    out.sort_by(|a, b| value(b).total_cmp(&value(a)));
    out.truncate(count);
    out
}

/// All in an order.
#[must_use]
pub fn sorted(found: &[Found], order: Order, (width, height): (usize, usize)) -> Vec<Found> {
    let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
    let key = |one: &Found| {
        let [left, top, right, bottom] = one.corners.map(f64::from);
        match order {
            Order::None => 0.0,
            Order::LeftToRight => left,
            Order::CenterToEdge => {
                (x - f64::midpoint(left, right)).hypot(y - f64::midpoint(top, bottom))
            }
            Order::Area => -one.area(),
        }
    };
    let mut out = found.to_vec();
    out.sort_by(|a, b| key(a).total_cmp(&key(b)));
    out
}
