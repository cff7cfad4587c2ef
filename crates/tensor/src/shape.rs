//! Shapes of activations, picture grids and weight layouts.
use std::fmt;

/// The shape of every activation: `[batch, tokens, channels]`, channels innermost.
///
/// A picture of h x w pixels has h * w tokens in row-major order, so that a 1x1 convolution is a
/// linear layer. A vector per sample has one token, a scalar is `[1, 1, 1]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of samples.
    pub batch: usize,
    /// Number of tokens (text positions or pixels) of one sample.
    pub tokens: usize,
    /// Number of values of one token.
    pub channels: usize,
}

impl Shape {
    /// `[batch, tokens, channels]`.
    #[must_use]
    pub const fn new(batch: usize, tokens: usize, channels: usize) -> Self {
        Self { batch, tokens, channels }
    }

    /// The shape of a single value.
    pub const SCALAR: Self = Self::new(1, 1, 1);

    /// Number of rows of `channels` values: batch * tokens.
    #[must_use]
    pub const fn rows(self) -> usize {
        self.batch * self.tokens
    }

    /// Number of values.
    #[must_use]
    pub const fn elements(self) -> usize {
        self.rows() * self.channels
    }

    /// The same batch and tokens with another number of channels.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        Self::new(self.batch, self.tokens, channels)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}]", self.batch, self.tokens, self.channels)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Height and width of the picture that a sample's tokens form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl Grid {
    /// `height` rows of `width` pixels.
    #[must_use]
    pub const fn new(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn tokens(self) -> usize {
        self.height * self.width
    }
}

/// How a 3x3 convolution steps and what it assumes outside the picture (zeros).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stride {
    /// Stride 1, one pixel of padding on every side: the grid stays.
    One,
    /// Stride 2, one pixel of padding on every side: the UNet's downsampler.
    Two,
    /// Stride 2, one pixel of padding right and below only: the VAE encoder's downsampler.
    TwoPadEnd,
}

impl Stride {
    /// The grid of the output for an input grid.
    #[must_use]
    pub const fn output(self, grid: Grid) -> Grid {
        match self {
            Self::One => grid,
            // (h + 2 - 3) / 2 + 1
            Self::Two => Grid::new((grid.height - 1) / 2 + 1, (grid.width - 1) / 2 + 1),
            // (h + 1 - 3) / 2 + 1
            Self::TwoPadEnd => Grid::new(grid.height / 2, grid.width / 2),
        }
    }

    /// Distance between neighboring outputs, in input pixels.
    #[must_use]
    pub const fn pixels(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two | Self::TwoPadEnd => 2,
        }
    }

    /// Zeros assumed before the first row and column.
    #[must_use]
    pub const fn pad_before(self) -> usize {
        match self {
            Self::One | Self::Two => 1,
            Self::TwoPadEnd => 0,
        }
    }
}
