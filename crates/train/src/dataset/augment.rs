//! Changes a picture by chance before it is trained: mirrored, in color, cut elsewhere.
//!
//! Every choice is drawn from the sample's own source, so a sample looks the same whatever came
//! before it.
use super::crop::{crop, drawn, middle};
use super::pixels::Pixels;
use crate::error::{Error, Result};
use wayword_prompt::RandomSource;

/// Which changes are made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AugmentOptions {
    /// Mirrored every other time.
    pub flip: bool,
    /// Hue or brightness changed every third time.
    pub color: bool,
    /// Cut at a place drawn by chance instead of the middle.
    pub random_crop: bool,
    /// Smallest and largest size of the face in the crop, as parts of the crop; for pictures whose
    /// names end in `_cx_cy_w_h`.
    pub face_crop: Option<(f64, f64)>,
}

impl AugmentOptions {
    /// Whether a picture's latents cannot be cached, because its pixels differ at each use. A mirrored
    /// picture has latents of its own, which are cached too.
    #[must_use]
    pub fn forbids_caching(&self) -> bool {
        self.color || self.random_crop || self.face_crop.is_some()
    }

    /// Checks that the options fit together.
    ///
    /// # Errors
    /// If latents are to be cached that cannot be, or the face's range is empty.
    pub fn check(&self, cache_latents: bool) -> Result<()> {
        if cache_latents && self.forbids_caching() {
            return Err(Error::option(
                "train.cache_latents",
                "off, as color-aug, random-crop and face crops change pixels at each use",
                "on",
            ));
        }
        if let Some((low, high)) = self.face_crop
            && !(0.0 < low && low <= high && high <= 1.0)
        {
            return Err(Error::option(
                "train.face_crop_aug_range",
                "two numbers from above 0 to 1, rising",
                format!("{low},{high}"),
            ));
        }
        Ok(())
    }
}

/// What was drawn for one use of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Mirrored.
    pub flip: bool,
    /// The crop's left and top.
    pub place: (usize, usize),
    /// The change of color.
    pub color: Option<Color>,
}

/// A change of color.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Color {
    /// The hue turned by this many units of OpenCV, of which 180 are a circle.
    Hue(f64),
    /// RoundedSchedule raised to this power.
    Gamma(f64),
}

impl AugmentOptions {
    /// Draws the changes for one use of a picture resized to `size`, to be cut to `window`.
    #[must_use]
    pub fn draw(
        &self,
        source: &mut dyn RandomSource,
        size: (usize, usize),
        window: (usize, usize),
    ) -> Drawn {
        let flip = self.flip && source.next_f64() < 0.5;
        let place = if self.random_crop {
            let rng = (source.next_f64(), source.next_f64());
            drawn(size, window, rng)
        } else {
            middle(size, window)
        };
        let color = (self.color && source.next_f64() <= 0.33).then(|| {
            if source.next_f64() > 0.5 {
                Color::Hue(source.next_f64() * 16.0 - 8.0)
            } else {
                Color::Gamma(0.95 + source.next_f64() * 0.1)
            }
        });
        Drawn { flip, place, color }
    }
}

impl Drawn {
    /// Cuts and changes a picture.
    ///
    /// # Panics
    /// If the window reaches beyond the picture.
    #[must_use]
    pub fn apply(&self, picture: &Pixels, window: (usize, usize)) -> Pixels {
        let mut out = crop(picture, self.place, window);
        match self.color {
            Some(Color::Gamma(power)) => gamma(&mut out, power),
            Some(Color::Hue(turn)) => hue(&mut out, turn),
            None => {}
        }
        if self.flip { mirrored(&out) } else { out }
    }

    /// Cuts and mirrors a mask, which has no colors.
    #[must_use]
    pub fn apply_to_mask(&self, mask: &Pixels, window: (usize, usize)) -> Pixels {
        Self { color: None, ..*self }.apply(mask, window)
    }
}

/// The mirror image, left to right.
#[must_use]
pub fn mirrored(pixels: &Pixels) -> Pixels {
    let c = pixels.channels;
    let rows = pixels.data.chunks_exact(pixels.width * c);
    let data = rows.flat_map(|row| row.chunks_exact(c).rev().flatten().copied()).collect();
    Pixels { data, ..*pixels }
}

fn gamma(pixels: &mut Pixels, power: f64) {
    let mut table = [0u8; 256];
    for (level, to) in table.iter_mut().enumerate() {
        *to = (level as f64).powf(power).clamp(0.0, 255.0) as u8;
    }
    pixels.data.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
}

/// Turns the hue of RGB pixels. kohya reads them as BGR, so hues turn the other way round.
fn hue(pixels: &mut Pixels, turn: f64) {
    for pixel in pixels.data.chunks_exact_mut(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        let range = high - low;
        if range == 0.0 {
            continue;
        }
        // sixths of a circle
        let at = if high == r {
            (g - b) / range
        } else if high == g {
            (b - r) / range + 2.0
        } else {
            (r - g) / range + 4.0
        };
        let at = (at - turn / 30.0).rem_euclid(6.0);
        let channel = |shift: f64| {
            let k = (shift + at).rem_euclid(6.0);
            high - range * k.min(4.0 - k).clamp(0.0, 1.0)
        };
        for (v, shift) in pixel.iter_mut().zip([5.0, 3.0, 1.0]) {
            *v = channel(shift).round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// The face of a picture whose name ends in `_cx_cy_w_h`: its center and size in pixels.
#[must_use]
pub fn face(stem: &str) -> Option<(f64, f64, f64, f64)> {
    let mut pieces = stem.rsplit('_').map(|p| p.parse::<u32>().ok().map(f64::from));
    let (h, w, cy, cx) = (pieces.next()??, pieces.next()??, pieces.next()??, pieces.next()??);
    pieces.next().map(|_| (cx, cy, w, h))
}

/// The size a picture with a face is scaled to and the place it is cut at, so that the face fills
/// a part of the `window` drawn from `range`. Both may be limited by the picture's borders.
#[must_use]
pub fn face_crop(
    source: &mut dyn RandomSource,
    size: (usize, usize),
    (cx, cy, w, h): (f64, f64, f64, f64),
    window: (usize, usize),
    (low, high): (f64, f64),
) -> ((usize, usize), (usize, usize)) {
    let target = window.0.min(window.1) as f64;
    let face = w.max(h).max(1.0);
    // no smaller than what the window needs
    let least = (window.0 as f64 / size.0 as f64).max(window.1 as f64 / size.1 as f64);
    let smallest = (target * low / face).max(least);
    let largest = (target * high / face).max(smallest);
    let scale = smallest + (largest - smallest) * source.next_f64();
    let side = |v: usize, window: usize| ((v as f64 * scale + 0.5) as usize).max(window);
    let resized = (side(size.0, window.0), side(size.1, window.1));
    let place = |center: f64, window: usize, size: usize| {
        let at = center * scale - window as f64 / 2.0;
        (at.max(0.0) as usize).min(size - window)
    };
    (resized, (place(cx, window.0, resized.0), place(cy, window.1, resized.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List(Vec<f64>);

    impl RandomSource for List {
        fn next_f64(&mut self) -> f64 {
            self.0.remove(0)
        }
    }

    #[test]
    fn mirrored_twice_is_the_picture() {
        let mut pixels = Pixels::filled(3, 2, 2, 0);
        (0..12).for_each(|i| pixels.data[i] = i as u8);
        assert_eq!(mirrored(&pixels).data[..6], [4, 5, 2, 3, 0, 1]);
        assert_eq!(mirrored(&mirrored(&pixels)), pixels);
    }

    #[test]
    fn hues_turn_and_come_back() {
        let mut pixels = Pixels::filled(1, 1, 3, 0);
        pixels.data = vec![200, 40, 40];
        let before = pixels.clone();
        hue(&mut pixels, -60.0);
        assert_eq!(pixels.data, [40, 200, 40]);
        hue(&mut pixels, 60.0);
        assert_eq!(pixels, before);
    }

    #[test]
    fn draws_are_made_for_what_is_on() {
        let off = AugmentOptions::default().draw(&mut List(vec![]), (10, 8), (8, 8));
        assert_eq!(off, Drawn { flip: false, place: (1, 0), color: None });
        let all = AugmentOptions { flip: true, color: true, random_crop: true, face_crop: None };
        let chances = vec![0.4, 0.99, 0.0, 0.1, 0.2, 0.5];
        let drawn = all.draw(&mut List(chances), (10, 8), (8, 8));
        let color = Some(Color::Gamma(1.0));
        assert_eq!(drawn, Drawn { flip: true, place: (2, 0), color });
        assert!(all.check(true).is_err() && all.check(false).is_ok());
    }

    #[test]
    fn faces_are_in_names() {
        assert_eq!(face("a_b_100_50_20_30"), Some((100.0, 50.0, 20.0, 30.0)));
        assert_eq!((face("a_50_20_30"), face("photo")), (None, None));
        let window = (64, 64);
        let (resized, place) = face_crop(
            &mut List(vec![0.5]),
            (200, 200),
            (150.0, 50.0, 40.0, 40.0),
            window,
            (0.5, 0.5),
        );
        assert_eq!((resized, place), ((160, 160), (88, 8)));
    }
}
