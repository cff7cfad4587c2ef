//! Pixels on the host: 8 bits a channel, row by row, channels side by side.

pub use wayword_diffusion::pictures::Pixels;
