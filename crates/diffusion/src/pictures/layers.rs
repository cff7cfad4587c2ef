//! Layers with transparency, in Pillow's integer arithmetic: the kept part of a picture laid over
//! the drawn one, and the masked part filled with the colors around it.
use super::{Fit, Pixels, Region, fit, invert, pillow_gaussian};

/// `a * b / 255`, rounded.
fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8).min(255) as u8
}

/// A picture of a mask's opacity, with colors multiplied by it.
fn masked(picture: &Pixels, opacity: &Pixels) -> Pixels {
    let pairs = picture.data.chunks_exact(3).zip(&opacity.data);
    let data = pairs.flat_map(|(p, a)| [times(p[0], *a), times(p[1], *a), times(p[2], *a), *a]);
    Pixels { width: picture.width, height: picture.height, channels: 4, data: data.collect() }
}

/// Colors by themselves again.
fn divided(mut layer: Pixels) -> Pixels {
    for pixel in layer.data.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        if alpha != 0 && alpha != 255 {
            for v in &mut pixel[..3] {
                *v = (255 * u32::from(*v) / alpha).min(255) as u8;
            }
        }
    }
    layer
}

/// Lays one layer over another, both with colors by themselves.
fn over(below: &mut Pixels, above: &Pixels) {
    for (below, above) in below.data.chunks_exact_mut(4).zip(above.data.chunks_exact(4)) {
        let alpha = u32::from(above[3]);
        if alpha == 0 {
            continue;
        }
        let rest = u32::from(below[3]) * (255 - alpha);
        let sum = alpha * 255 + rest;
        // Seven bits more keep the division exact enough.
        let upper = alpha * 255 * 255 * 128 / sum;
        let lower = 255 * 128 - upper;
        let by_255 = |v: u32| ((v >> 8) + v) >> 8;
        for c in 0..3 {
            let mixed = u32::from(above[c]) * upper + u32::from(below[c]) * lower;
            below[c] = (by_255(mixed + (0x80 << 7)) >> 7).min(255) as u8;
        }
        below[3] = by_255(sum + 0x80).min(255) as u8;
    }
}

/// Without its transparency.
fn opaque(layer: &Pixels) -> Pixels {
    let data = layer.data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    Pixels { channels: 3, data, ..*layer }
}

/// The part of a picture that stays, to be laid over what was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Red, green, blue and opacity of each pixel.
    pub layer: Pixels,
    /// Where the drawn part belongs; `None` if it is the whole picture.
    pub region: Option<Region>,
}

impl Overlay {
    /// What a mask of the picture's size does not cover.
    #[must_use]
    pub fn new(picture: &Pixels, mask: &Pixels, region: Option<Region>) -> Self {
        Self { layer: divided(masked(picture, &invert(mask))), region }
    }

    /// Lays it over a drawn picture, which is resized to its region first.
    #[must_use]
    pub fn apply(&self, drawn: &Pixels) -> Pixels {
        let whole = |p: &Pixels| masked(p, &Pixels::filled(p.width, p.height, 1, 255));
        let mut out = match self.region {
            None => whole(drawn),
            Some(region) => {
                let mut canvas = Pixels::filled(self.layer.width, self.layer.height, 4, 0);
                let size = (region.width(), region.height());
                canvas.paste(&whole(&fit(drawn, size, Fit::Crop)), (region.left, region.top));
                canvas
            }
        };
        over(&mut out, &self.layer);
        opaque(&out)
    }
}

/// Fills what a mask covers with the colors around it, from far to near.
#[must_use]
pub fn fill_masked(picture: &Pixels, mask: &Pixels) -> Pixels {
    let kept = masked(picture, &invert(mask));
    let mut out = Pixels::filled(picture.width, picture.height, 4, 0);
    for (radius, repeats) in [(256.0, 1), (64.0, 1), (16.0, 2), (4.0, 4), (2.0, 2), (0.0, 1)] {
        let blurred = divided(pillow_gaussian(&kept, radius));
        for _ in 0..repeats {
            over(&mut out, &blurred);
        }
    }
    opaque(&out)
}
