//! Colors of a picture's own profile as sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

/// Levels by which a profile may differ from sRGB and still count as it. The many variants of sRGB's
/// own profile round differently.
const SAME: u8 = 2;

/// Converts pixels in place; gives a sentence where something was done, or could not be.
pub(super) fn to_srgb(profile: &[u8], rgb: &mut [u8]) -> Option<String> {
    let broken = || Some("its color profile is damaged and was ignored".to_owned());
    let Ok(from) = ColorProfile::new_from_slice(profile) else { return broken() };
    if from.color_space != DataColorSpace::Rgb {
        // A gray profile changes brightness by a level or two; that of CMYK is gone with its colors.
        return (from.color_space == DataColorSpace::Cmyk)
            .then(|| "its CMYK colors were converted without their profile".to_owned());
    }
    let options = TransformOptions {
        rendering_intent: RenderingIntent::Perceptual,
        ..TransformOptions::default()
    };
    let srgb = ColorProfile::new_srgb();
    let transform = from.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options);
    let Ok(transform) = transform else { return broken() };
    let probe = probe();
    let mut out = vec![0; probe.len()];
    if transform.transform(&probe, &mut out).is_err() {
        return broken();
    }
    if probe.iter().zip(&out).all(|(a, b)| a.abs_diff(*b) <= SAME) {
        return None;
    }
    // In parts, so that a large picture is not in memory twice.
    let mut part = vec![0; 3 << 16];
    for pixels in rgb.chunks_mut(3 << 16) {
        let part = &mut part[..pixels.len()];
        if transform.transform(pixels, part).is_err() {
            return broken();
        }
        pixels.copy_from_slice(part);
    }
    Some("its colors were converted from its profile to sRGB".to_owned())
}

/// Colors all over the cube.
fn probe() -> Vec<u8> {
    let levels = [0_u8, 32, 64, 128, 192, 255];
    let each = |r: u8| levels.into_iter().flat_map(move |g| levels.map(|b| [r, g, b]));
    levels.into_iter().flat_map(each).flatten().collect()
}
