//! The types in which activations and tables lie in memory.
use bytemuck::Pod;
use half::{bf16, f16};

/// A stored value; all arithmetic is in f32.
pub trait Element: Pod + Send + Sync + std::fmt::Debug {
    /// The value.
    fn get(self) -> f32;
    /// The nearest stored value (ties to even; NaN stays NaN).
    fn put(value: f32) -> Self;
}

impl Element for f32 {
    #[inline(always)]
    fn get(self) -> f32 {
        self
    }

    #[inline(always)]
    fn put(value: f32) -> Self {
        value
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn get(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn put(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16;
        // Without a branch, so that it becomes vector instructions.
        let bits = if value.is_nan() { 0x7fc0 } else { rounded };
        Self::from_bits(bits as u16)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn get(self) -> f32 {
        self.to_f32()
    }

    #[inline(always)]
    fn put(value: f32) -> Self {
        Self::from_f32(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_the_half_crate_does() {
        let mut bits = 1_u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = f32::from_bits(bits);
            let got = <bf16 as Element>::put(x);
            if x.is_nan() {
                assert!(got.is_nan())
            } else {
                assert_eq!(got.to_bits(), bf16::from_f32(x).to_bits(), "{x:e}")
            }
        }
    }
}
