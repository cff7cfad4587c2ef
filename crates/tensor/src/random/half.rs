//! torch's `randn` in f16 and bf16, which is not the f32 one rounded.
use super::torch::{TorchGenerator, blocks};
use ::half::{bf16, f16};

/// A 16-bit float format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfKind {
    /// 11 bits of precision.
    F16,
    /// 8 bits of precision.
    Bf16,
}

/// Whose numbers: torch changed its half-precision normal numbers between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TorchRelease {
    /// torch 2.1: every step in the 16-bit format.
    Old,
    /// torch 2.15.
    New,
}

impl HalfKind {
    fn round(self, value: f32) -> f32 {
        match self {
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    fn round_f64(self, value: f64) -> f32 {
        match self {
            Self::F16 => f16::from_f64(value).to_f32(),
            Self::Bf16 => bf16::from_f64(value).to_f32(),
        }
    }

    fn digits(self) -> i32 {
        match self {
            Self::F16 => 11,
            Self::Bf16 => 8,
        }
    }
}

impl TorchGenerator {
    /// `torch.randn(count)` in a 16-bit format, widened to f32.
    pub fn randn_half(&mut self, count: usize, kind: HalfKind, release: TorchRelease) -> Vec<f32> {
        if count < 16 {
            return (0..count).map(|_| kind.round_f64(self.normal_scalar())).collect();
        }
        match release {
            TorchRelease::Old => self.old_half(count, kind),
            TorchRelease::New => self.new_half(count, kind),
        }
    }

    /// The f32 numbers rounded, but for a count that is no multiple of 16: the last 16 places take
    /// the uniform numbers right after those of the whole blocks.
    fn new_half(&mut self, count: usize, kind: HalfKind) -> Vec<f32> {
        let mut values = self.randn(count / 16 * 16);
        if !count.is_multiple_of(16) {
            values.truncate(count - 16);
            values.extend(self.randn(16));
        }
        values.into_iter().map(|v| kind.round(v)).collect()
    }

    fn old_half(&mut self, count: usize, kind: HalfKind) -> Vec<f32> {
        let mask = (1u32 << kind.digits()) - 1;
        let unit = 2f32.powi(-kind.digits());
        let mut uniform = || (self.next_u32() & mask) as f32 * unit;
        let mut values: Vec<f32> = (0..count).map(|_| uniform()).collect();
        let r = |v: f32| kind.round(v);
        blocks(&mut values, uniform, |d| {
            for j in 0..8 {
                let u1 = r(1.0 - d[j]);
                let radius = r(r(-2.0 * r(u1.ln())).sqrt());
                let angle = kind.round_f64(std::f64::consts::TAU * f64::from(d[j + 8]));
                d[j] = r(radius * r(angle.cos()));
                d[j + 8] = r(radius * r(angle.sin()));
            }
        });
        values
    }
}
