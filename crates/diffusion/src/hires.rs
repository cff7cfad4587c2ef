//! The second pass at a larger size ("hires fix"): what is wanted, and how latents grow.
use crate::pictures::{Pixels, Resample, resample};
use crate::sigmas::{SamplerKind, Schedule};
use crate::vae::LATENT_SIZE;

/// A second pass: the first pass's result is enlarged and drawn over.
#[derive(Debug, Clone, PartialEq)]
pub struct HiresSettings {
    /// The size of the second pass.
    pub size: HiresSize,
    /// Steps of the second pass; `None` as many as the first has.
    pub steps: Option<u32>,
    /// How much is changed, 0 to 1. All steps run, spread over that share of the noise.
    pub denoise: f64,
    /// How the first result is enlarged.
    pub upscaler: Upscaler,
    /// Another sampler for the second pass.
    pub sampler: Option<SamplerKind>,
    /// Another schedule for the second pass.
    pub schedule: Option<Schedule>,
    /// Other prompts: none, one for all pictures, or one for each.
    pub prompts: Vec<String>,
    /// Other negative prompts, as `prompts`.
    pub negatives: Vec<String>,
}

impl HiresSettings {
    /// A second pass at a multiple of the size, with the web UI's settings.
    #[must_use]
    pub fn new(scale: f64) -> Self {
        Self {
            size: HiresSize::Scale(scale),
            steps: None,
            denoise: 0.7,
            upscaler: Upscaler::default(),
            sampler: None,
            schedule: None,
            prompts: Vec::new(),
            negatives: Vec::new(),
        }
    }
}

/// How large the second pass is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HiresSize {
    /// A multiple of the first pass's sides.
    Scale(f64),
    /// Width and height in pixels; one of them may be 0 and follows from the shape. Where both are
    /// given and the shape differs, what sticks out is cut off.
    Pixels(u32, u32),
}

/// The sides of the second pass, in latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Width and height in pixels that the first result is enlarged to.
    pub(crate) pixels: (usize, usize),
    /// Latents that are cut off: left, top, right, bottom.
    pub(crate) cut: [usize; 4],
}

impl HiresSize {
    /// Where a first pass of `(width, height)` pixels is enlarged to.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels")]
    pub(crate) fn target(self, (width, height): (u32, u32)) -> Target {
        let (w, h) = (width as usize, height as usize);
        let plain = |pixels| Target { pixels, cut: [0; 4] };
        match self {
            Self::Scale(scale) => {
                let side = |side: u32| (f64::from(side) * scale) as usize;
                plain((side(width), side(height)))
            }
            Self::Pixels(x, 0) => plain((x as usize, x as usize * h / w)),
            Self::Pixels(0, y) => plain((y as usize * w / h, y as usize)),
            Self::Pixels(x, y) => {
                let (x, y) = (x as usize, y as usize);
                let wider = f64::from(width) / f64::from(height) < x as f64 / y as f64;
                let pixels = if wider { (x, x * h / w) } else { (y * w / h, y) };
                let (more_x, more_y) = (
                    (pixels.0 - x.min(pixels.0)) / LATENT_SIZE,
                    (pixels.1 - y.min(pixels.1)) / LATENT_SIZE,
                );
                let cut = [more_x / 2, more_y / 2, more_x.div_ceil(2), more_y.div_ceil(2)];
                Target { pixels, cut }
            }
        }
    }
}

impl Target {
    /// Width and height in latents, after cutting.
    pub(crate) fn latents(self) -> (usize, usize) {
        let [left, top, right, bottom] = self.cut;
        let (w, h) = (self.pixels.0 / LATENT_SIZE, self.pixels.1 / LATENT_SIZE);
        (w.saturating_sub(left + right), h.saturating_sub(top + bottom))
    }

    /// Cuts planes of the uncut size.
    pub(crate) fn trim(self, planes: &[f32]) -> Vec<f32> {
        let (w, h) = (self.pixels.0 / LATENT_SIZE, self.pixels.1 / LATENT_SIZE);
        let [left, top, right, bottom] = self.cut;
        let kept = |plane: &[f32]| -> Vec<f32> {
            let rows = plane.chunks_exact(w).take(h - bottom).skip(top);
            rows.flat_map(|row| &row[left..w - right]).copied().collect()
        };
        planes.chunks_exact(w * h).flat_map(kept).collect()
    }
}

/// How the first pass's result is enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Upscaler {
    #[default]
    Latent,
    LatentAntialiased,
    LatentBicubic,
    LatentBicubicAntialiased,
    LatentNearest,
    LatentNearestExact,
    Lanczos,
    Nearest,
}

/// All upscalers with the web UI's names.
pub const UPSCALERS: [(Upscaler, &str); 8] = [
    (Upscaler::Latent, "Latent"),
    (Upscaler::LatentAntialiased, "Latent (antialiased)"),
    (Upscaler::LatentBicubic, "Latent (bicubic)"),
    (Upscaler::LatentBicubicAntialiased, "Latent (bicubic antialiased)"),
    (Upscaler::LatentNearest, "Latent (nearest)"),
    (Upscaler::LatentNearestExact, "Latent (nearest-exact)"),
    (Upscaler::Lanczos, "Lanczos"),
    (Upscaler::Nearest, "Nearest"),
];

impl Upscaler {
    /// The web UI's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        UPSCALERS.iter().find(|(kind, _)| *kind == self).map_or("Latent", |(_, name)| name)
    }

    /// The upscaler of a name; only letters count. `None` in the web UI means Lanczos.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |s: &str| -> String {
            s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let wanted = plain(name);
        let found = UPSCALERS.iter().find(|(_, known)| plain(known) == wanted);
        found.map(|(kind, _)| *kind).or((wanted == "none").then_some(Self::Lanczos))
    }

    /// Whether it works on pixels, so that the first result must be decoded.
    #[must_use]
    pub fn on_pixels(self) -> bool {
        matches!(self, Self::Lanczos | Self::Nearest)
    }

    /// A picture enlarged.
    #[must_use]
    pub(crate) fn pixels(self, picture: &Pixels, to: (usize, usize)) -> Pixels {
        if self != Self::Nearest {
            return resample(picture, to, Resample::Lanczos);
        }
        let place =
            |i: usize, from: usize, to: usize| ((2 * i + 1) * from / (2 * to)).min(from - 1);
        let mut data = Vec::with_capacity(to.0 * to.1 * 3);
        for y in 0..to.1 {
            let row = place(y, picture.height, to.1) * picture.width;
            for x in 0..to.0 {
                let at = (row + place(x, picture.width, to.0)) * 3;
                data.extend_from_slice(&picture.data[at..at + 3]);
            }
        }
        Pixels { width: to.0, height: to.1, channels: 3, data }
    }

    /// Latent planes `[channels, h, w]` enlarged from one `(width, height)` to another, as torch's
    /// `interpolate` does.
    #[must_use]
    pub fn latents(self, planes: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
        let (columns, rows) = (self.taps(from.0, to.0), self.taps(from.1, to.1));
        let mut out = Vec::with_capacity(planes.len() / (from.0 * from.1) * to.0 * to.1);
        for plane in planes.chunks_exact(from.0 * from.1) {
            let wide: Vec<f32> = plane
                .chunks_exact(from.0)
                .flat_map(|row| {
                    let sum = |taps: &Vec<(usize, f32)>| -> f32 {
                        taps.iter().map(|(at, weight)| row[*at] * weight).sum()
                    };
                    columns.iter().map(sum).collect::<Vec<f32>>()
                })
                .collect();
            for taps in &rows {
                let value = |x: usize| -> f32 {
                    taps.iter().map(|(at, weight)| wide[at * to.0 + x] * weight).sum()
                };
                out.extend((0..to.0).map(value));
            }
        }
        out
    }

    /// For each place of the result: places of the source and their weights.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places")]
    fn taps(self, from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
        let scale = from as f64 / to as f64;
        let inside = |at: f64| at.clamp(0.0, (from - 1) as f64) as usize;
        let weights_of = |i: usize| -> Vec<(usize, f32)> {
            let centre = (i as f64 + 0.5) * scale;
            match self {
                Self::LatentNearest => vec![(inside((i as f64 * scale).floor()), 1.0)],
                Self::LatentNearestExact => vec![(inside(centre.floor()), 1.0)],
                Self::LatentBicubic => {
                    let at = centre - 0.5;
                    let place = |j: i32| inside(at.floor() + f64::from(j));
                    let weight = |j: i32| cubic(at - at.floor() - f64::from(j), -0.75) as f32;
                    (-1..3).map(|j| (place(j), weight(j))).collect()
                }
                Self::LatentAntialiased => {
                    window(from, centre, scale, 1.0, |x| (1.0 - x.abs()).max(0.0))
                }
                Self::LatentBicubicAntialiased => {
                    window(from, centre, scale, 2.0, |x| cubic(x, -0.5))
                }
                _ => {
                    let at = (centre - 0.5).max(0.0);
                    let part = (at - at.floor()) as f32;
                    vec![(inside(at.floor()), 1.0 - part), (inside(at.floor() + 1.0), part)]
                }
            }
        };
        (0..to).map(weights_of).collect()
    }
}

/// Weights of a window that grows where the picture shrinks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places")]
fn window(
    from: usize,
    centre: f64,
    scale: f64,
    support: f64,
    filter: impl Fn(f64) -> f64,
) -> Vec<(usize, f32)> {
    let stretch = scale.max(1.0);
    let support = support * stretch;
    let first = (centre - support + 0.5).max(0.0) as usize;
    let last = ((centre + support + 0.5) as usize).min(from);
    let weights: Vec<f64> =
        (first..last).map(|x| filter((x as f64 - centre + 0.5) / stretch)).collect();
    let sum: f64 = weights.iter().sum();
    (first..last).zip(weights).map(|(at, w)| (at, (w / sum) as f32)).collect()
}

fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_latents_stay_flat() {
        for (kind, name) in UPSCALERS {
            assert_eq!(Upscaler::from_name(name), Some(kind));
            let out = kind.latents(&[3.0; 2 * 5 * 7], (7, 5), (11, 13));
            assert_eq!(out.len(), 2 * 11 * 13);
            assert!(out.iter().all(|v| (v - 3.0).abs() < 1e-5), "{name}");
        }
        assert_eq!(Upscaler::from_name("ESRGAN_4x"), None);
    }

    #[test]
    fn sizes_follow_the_shape() {
        let target = |size: HiresSize| size.target((64, 64));
        assert_eq!(target(HiresSize::Scale(1.5)).pixels, (96, 96));
        assert_eq!(target(HiresSize::Pixels(96, 0)).pixels, (96, 96));
        let cut = target(HiresSize::Pixels(96, 128));
        assert_eq!((cut.pixels, cut.cut, cut.latents()), ((128, 128), [2, 0, 2, 0], (12, 16)));
        let planes: Vec<f32> = (0..256).map(|v| v as f32).collect();
        assert_eq!(cut.trim(&planes)[..2], [2.0, 3.0]);
    }
}
