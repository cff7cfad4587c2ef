//! Pixels on the host: 8 bits a channel, row by row, channels side by side.

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
}
