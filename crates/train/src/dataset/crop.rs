//! Cuts a window out of resized pixels: the middle, or a window drawn by chance.
use super::pixels::Pixels;
use crate::error::{Error, Result};

/// The window's left and top for a crop of the middle: half of the excess, rounded down.
#[must_use]
pub fn middle(size: (usize, usize), window: (usize, usize)) -> (usize, usize) {
    (size.0.saturating_sub(window.0) / 2, size.1.saturating_sub(window.1) / 2)
}

/// The window's left and top drawn evenly by two numbers from 0 to below 1.
#[must_use]
pub fn drawn(size: (usize, usize), window: (usize, usize), chance: (f64, f64)) -> (usize, usize) {
    let place = |excess: usize, u: f64| ((excess + 1) as f64 * u) as usize;
    let (x, y) = (size.0.saturating_sub(window.0), size.1.saturating_sub(window.1));
    (place(x, chance.0).min(x), place(y, chance.1).min(y))
}

/// Cuts out the window at `left`, `top`.
///
/// # Panics
/// If the window reaches beyond the pixels.
#[must_use]
pub fn crop(pixels: &Pixels, (left, top): (usize, usize), window: (usize, usize)) -> Pixels {
    let (width, height) = window;
    assert!(
        left + width <= pixels.width && top + height <= pixels.height,
        "a window lies within its picture"
    );
    let c = pixels.channels;
    let row = |y: usize| {
        let at = ((top + y) * pixels.width + left) * c;
        &pixels.data[at..at + width * c]
    };
    let data = (0..height).flat_map(|y| row(y).iter().copied()).collect();
    Pixels { width, height, channels: c, data }
}

/// kohya's rule where latents are not cached and there are no buckets: pictures are never resized.
/// Larger ones pass only with `random` windows, smaller ones not at all.
///
/// # Errors
/// As said; `name` is shown.
pub fn check_unresized(
    name: &str,
    size: (usize, usize),
    window: (usize, usize),
    random: bool,
) -> Result<()> {
    let (w, h) = size;
    let (want_w, want_h) = window;
    if w < want_w || h < want_h {
        return Err(Error::data(format!("{name}: {w}x{h} is smaller than {want_w}x{want_h}"))
            .with_hint("let images be resized, or use a larger one"));
    }
    if !random && (w, h) != window {
        return Err(Error::data(format!("{name}: {w}x{h} is larger than {want_w}x{want_h}"))
            .with_hint("let images be resized, or use random crops"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stay_inside() {
        assert_eq!(middle((97, 64), (64, 64)), (16, 0));
        assert_eq!(drawn((10, 7), (4, 7), (0.999_999, 0.5)), (6, 0));
        assert_eq!(drawn((10, 7), (4, 7), (0.0, 0.0)), (0, 0));
        let mut pixels = Pixels::filled(3, 2, 1, 0);
        pixels.data = vec![0, 1, 2, 3, 4, 5];
        assert_eq!(crop(&pixels, (1, 0), (2, 2)).data, [1, 2, 4, 5]);
    }
}
