//! How good a photo of a face is: its sharpness at a fixed scale, and its light.
use crate::{Area, Crop, Gray, View, cut};
use serde::{Deserialize, Serialize};

/// Side that a face is brought to before its sharpness is measured.
const SIDE: usize = 96;

/// Sharpness and light of a face.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// Variance of the Laplacian of the brightness, at 96 x 96 pixels: small where a face is blurred
    /// or enlarged.
    pub sharpness: f32,
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of the brightness.
    pub contrast: f32,
}

impl Quality {
    /// Measures a part of a picture; all of it where the part lies outside.
    #[must_use]
    pub fn of(picture: View<'_>, part: Area) -> Self {
        let crop = whole(part, picture.size());
        let small = cut(picture, crop, (SIDE, SIDE));
        let gray = Gray::of(&small.rgb, 3, small.width);
        let (brightness, contrast) = spread(gray.values());
        Self { sharpness: spread(&laplacian(&gray)).1.powi(2), brightness, contrast }
    }
}

/// Whole pixels of an area, inside the picture.
fn whole(part: Area, size: (usize, usize)) -> Crop {
    let inside = part.inside(size);
    let (left, top) = (inside.left as usize, inside.top as usize);
    let (right, bottom) = (inside.right().ceil() as usize, inside.bottom().ceil() as usize);
    let (right, bottom) = (right.min(size.0), bottom.min(size.1));
    if right <= left || bottom <= top {
        return Crop { left: 0, top: 0, width: size.0, height: size.1 };
    }
    Crop { left, top, width: right - left, height: bottom - top }
}

/// Four times the middle less its four neighbors, without the border.
fn laplacian(gray: &Gray) -> Vec<f32> {
    let (width, values) = (gray.width(), gray.values());
    let rows = values.len() / width;
    let inner =
        (1..rows.saturating_sub(1)).flat_map(|y| (1..width - 1).map(move |x| y * width + x));
    let at = |i: usize| {
        4.0 * values[i] - values[i - 1] - values[i + 1] - values[i - width] - values[i + width]
    };
    inner.map(at).collect()
}

/// Mean and standard deviation.
fn spread(values: &[f32]) -> (f32, f32) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, variance.sqrt() as f32)
}
