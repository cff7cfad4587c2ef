//! Random numbers equal to other programs': torch's CPU generator and the Philox of NVIDIA cards.
//!
//! A picture's noise and a training run's draws are part of what a seed means to users, so both
//! generators give the numbers that PyTorch and the A1111 web UI give for the same seed.
mod half;
mod mt19937;
mod philox;
mod torch;

pub use half::{HalfKind, TorchRelease};
pub use philox::PhiloxGenerator;
pub use torch::{BadState, TorchGenerator};

/// A stream of standard normal numbers.
pub trait Noise {
    /// The next `count` numbers, as one draw of a tensor with `count` elements. Draws of another
    /// length consume the stream differently, as in torch.
    fn normal(&mut self, count: usize) -> Vec<f32>;
}

impl Noise for TorchGenerator {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        self.randn(count)
    }
}

impl Noise for PhiloxGenerator {
    fn normal(&mut self, count: usize) -> Vec<f32> {
        self.randn(count)
    }
}

/// Which generator gives the noise of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoiseKind {
    /// torch's CPU generator (A1111's `RNG: CPU`). It uses the low 32 bits of a seed.
    #[default]
    Cpu,
    /// The NVIDIA generator (A1111's `RNG: NV`). It uses all 64 bits of a seed.
    Nv,
}

impl NoiseKind {
    /// A fresh generator.
    #[must_use]
    pub fn generator(self, seed: u64) -> Box<dyn Noise + Send> {
        match self {
            Self::Cpu => Box::new(TorchGenerator::new(seed)),
            Self::Nv => Box::new(PhiloxGenerator::new(seed)),
        }
    }
}

#[cfg(test)]
mod tests;
