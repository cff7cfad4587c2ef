//! A soft mask of head and shoulders, for training that counts a person more than what is around.
use crate::{Crop, Face};

/// Middle and radii of the head's ellipse, from the middle of the face's box, in face heights.
const HEAD: ([f32; 2], [f32; 2]) = ([0.0, -0.12], [0.78, 0.95]);

/// The same of the shoulders, which do not lean with the head.
const SHOULDERS: ([f32; 2], [f32; 2]) = ([0.0, 1.75], [1.75, 1.2]);

/// Width of the soft edge, in radii.
const SOFT: f32 = 0.3;

/// The mask of a crop that is brought to `(width, height)`: `[height, width]` levels, white where the
/// person is.
#[must_use]
pub fn head_and_shoulders(face: &Face, crop: Crop, (width, height): (usize, usize)) -> Vec<u8> {
    let unit = face.area.height.max(face.area.width).max(1.0);
    let (x0, y0) = face.area.middle();
    let (sin, cos) = face.roll().to_radians().sin_cos();
    let step = (crop.width as f32 / width as f32, crop.height as f32 / height as f32);
    let level = |(x, y): (f32, f32), (at, radii): ([f32; 2], [f32; 2])| {
        let (dx, dy) = ((x - at[0]) / radii[0], (y - at[1]) / radii[1]);
        let inside = ((1.0 - dx.hypot(dy)) / SOFT + 0.5).clamp(0.0, 1.0);
        inside * inside * (3.0 - 2.0 * inside)
    };
    let mut out = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let x = (crop.left as f32 + (column as f32 + 0.5) * step.0 - x0) / unit;
            let y = (crop.top as f32 + (row as f32 + 0.5) * step.1 - y0) / unit;
            let leaning = (x * cos + y * sin, y * cos - x * sin);
            let most = level(leaning, HEAD).max(level((x, y), SHOULDERS));
            out.push((most * 255.0).round() as u8);
        }
    }
    out
}
