//! Pictures of bytes on the host, and what image-to-image and inpainting do with them: resizing,
//! cropping, masks, pasting back. Each step has the arithmetic of the program that the web UI
//! calls, Pillow or OpenCV, since a level more or less moves a mask's border.
mod blur;
mod fit;
mod layers;
mod mask;
mod region;
mod resample;

pub use blur::{gaussian, pillow_gaussian};
pub use fit::{Fit, fit};
pub use layers::{Overlay, fill_masked};
pub use mask::{binary, doubled, invert, latent_mask};
pub use region::Region;
pub use resample::{Resample, resample, resample_from};

/// A picture or a mask of 8 bits a channel, `[height, width, channels]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 3 for RGB, 1 for a mask.
    pub channels: usize,
    /// `height * width * channels` levels.
    pub data: Vec<u8>,
}

impl Pixels {
    /// Pixels of one level, such as a mask that hides nothing.
    #[must_use]
    pub fn filled(width: usize, height: usize, channels: usize, level: u8) -> Self {
        Self { width, height, channels, data: vec![level; width * height * channels] }
    }

    /// Width and height.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// One channel as a mask.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn channel(&self, channel: usize) -> Self {
        assert!(channel < self.channels, "the picture has {} channels", self.channels);
        let data = self.data.iter().skip(channel).step_by(self.channels).copied().collect();
        Self { width: self.width, height: self.height, channels: 1, data }
    }

    /// Values in [-1, 1], `[channels, height, width]`, as the VAE takes them: `(v / 255 - 0.5) / 0.5`.
    #[must_use]
    pub fn to_input(&self) -> Vec<f32> {
        let plane = self.width * self.height;
        let mut out = vec![0.0; plane * self.channels];
        for (i, pixel) in self.data.chunks_exact(self.channels).enumerate() {
            for (c, v) in pixel.iter().enumerate() {
                out[c * plane + i] = (f32::from(*v) / 255.0 - 0.5) / 0.5;
            }
        }
        out
    }

    /// The part inside a region, which must lie in the picture.
    #[must_use]
    pub fn crop(&self, region: Region) -> Self {
        let (row, from) = (self.width * self.channels, region.left * self.channels);
        let length = region.width() * self.channels;
        let rows = region.top..region.bottom;
        let data = rows.flat_map(|y| &self.data[y * row + from..y * row + from + length]);
        let (width, height) = (region.width(), region.height());
        Self { width, height, channels: self.channels, data: data.copied().collect() }
    }

    /// Puts another picture of as many channels at a place; what lies outside is cut off.
    pub fn paste(&mut self, other: &Self, (left, top): (usize, usize)) {
        let c = self.channels;
        let columns = other.width.min(self.width.saturating_sub(left));
        for y in 0..other.height.min(self.height.saturating_sub(top)) {
            let to = ((top + y) * self.width + left) * c;
            let from = y * other.width * c;
            self.data[to..to + columns * c].copy_from_slice(&other.data[from..from + columns * c]);
        }
    }
}
