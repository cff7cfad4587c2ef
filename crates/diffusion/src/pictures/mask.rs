//! Masks: from a user's picture to what the latents see.
use super::{Pixels, Resample, resample};

/// The mask in a picture: its alpha channel, cut at half, where that is not opaque throughout;
/// else its brightness.
#[must_use]
pub fn binary(picture: &Pixels) -> Pixels {
    let (width, height) = picture.size();
    let single_channel = |data| Pixels { width, height, channels: 1, data };
    match picture.channels {
        1 => picture.clone(),
        2 | 4 if picture.data.chunks_exact(picture.channels).any(|p| p[p.len() - 1] < 255) => {
            let alpha = picture.channel(picture.channels - 1);
            single_channel(alpha.data.iter().map(|a| if *a > 128 { 255 } else { 0 }).collect())
        }
        2 => picture.channel(0),
        c => single_channel(picture.data.chunks_exact(c).map(brightness).collect()),
    }
}

/// Pillow's gray of a color.
fn brightness(pixel: &[u8]) -> u8 {
    let part = |c: usize, weight: u32| u32::from(pixel[c]) * weight;
    ((part(0, 19595) + part(1, 38470) + part(2, 7471) + 0x8000) >> 16).min(255) as u8
}

/// What was kept is drawn, and the other way round.
#[must_use]
pub fn invert(mask: &Pixels) -> Pixels {
    Pixels { data: mask.data.iter().map(|v| 255 - v).collect(), ..mask.clone() }
}

/// Twice as strong, so that a blurred mask hides all that it touches by half.
#[must_use]
pub fn doubled(mask: &Pixels) -> Pixels {
    Pixels { data: mask.data.iter().map(|v| v.saturating_mul(2)).collect(), ..mask.clone() }
}

/// The mask at the latents' `(width, height)`: 1 is drawn anew, 0 is kept.
#[must_use]
pub fn latent_mask(mask: &Pixels, size: (usize, usize)) -> Vec<f32> {
    let small = resample(mask, size, Resample::Bicubic);
    small.data.iter().map(|v| (f32::from(*v) / 255.0).round_ties_even()).collect()
}
