//! Brings a mask to the size of latents.
use crate::dataset::Pixels;

/// The mean of the mask over each latent's place, from 0 to 1, `[height * width]`, as PyTorch's
/// area interpolation: place `i` of `n` covers the pixels from `floor(i m/n)` to `ceil((i+1) m/n)`.
///
/// # Panics
/// If the mask has no pixels or several channels.
#[must_use]
pub fn to_latent(mask: &Pixels, (width, height): (usize, usize)) -> Vec<f32> {
    assert!(mask.channels == 1 && !mask.data.is_empty(), "a mask has one channel");
    let span = |i: usize, from: usize, to: usize| (i * from / to, ((i + 1) * from).div_ceil(to));
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let (top, bottom) = span(y, mask.height, height);
        for x in 0..width {
            let (left, right) = span(x, mask.width, width);
            let rows = (top..bottom).map(|y| &mask.data[y * mask.width..][left..right]);
            let sum: u64 = rows.flatten().map(|v| u64::from(*v)).sum();
            out.push(sum as f32 / (255 * (bottom - top) * (right - left)) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_over_places() {
        let mask = Pixels {
            width: 4,
            height: 2,
            channels: 1,
            data: vec![255, 255, 0, 0, 255, 255, 0, 255],
        };
        assert_eq!(to_latent(&mask, (2, 1)), [1.0, 0.25]);
        assert_eq!(to_latent(&Pixels::filled(3, 3, 1, 255), (2, 2)), [1.0; 4]);
    }
}
