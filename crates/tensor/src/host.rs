//! Plain arrays on the host: blocks of floats, and their products by the processor's kernels.
//!
//! For work on weights before a device takes them over. Everything is in f32, and nothing goes
//! through a device.
use std::ops::{Deref, DerefMut};
use wayword_kernels::{
    Cpu, Isa, Line, Lines, Products, Values, View, ViewMut, WeightSizes, linear,
};

/// Floats whose memory the system has back as soon as they are dropped, where they are many.
#[derive(Debug, Default)]
pub struct Floats {
    lines: Lines,
    count: usize,
}

impl Floats {
    /// This many zeros.
    #[must_use]
    pub fn zeros(count: usize) -> Self {
        Self { lines: Lines::of::<f32>(count), count }
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice::<Line, f32>(&self.lines)[..self.count]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut::<Line, f32>(&mut self.lines)[..self.count]
    }
}

/// The right side `[k, n]` of products, made ready once; threads may share it.
#[derive(Debug)]
pub struct Right {
    cpu: Cpu,
    weight: linear::Weight,
    sizes: (usize, usize),
}

impl Right {
    /// Takes `b`, row-major.
    ///
    /// # Panics
    /// If `b` has not k times n values, or there are none.
    #[must_use]
    pub fn new(b: &[f32], (k, n): (usize, usize)) -> Self {
        // One thread: the caller's.
        let cpu = Cpu::new(Isa::detect(), 1);
        let sizes = WeightSizes { outputs: k, inputs: n };
        let weight = linear::Weight::new(&cpu, Values::F32(b), sizes, None, Products::F32);
        Self { cpu, weight, sizes: (k, n) }
    }

    /// `a [rows, k]` times this: `out [rows, n]`. On the caller's thread.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn product(&self, a: &[f32], out: &mut [f32]) {
        let (k, n) = self.sizes;
        assert!(a.len() / k * n == out.len(), "a product's sizes");
        linear::backward(&self.cpu, View::F32(a), a.len() / k, &self.weight, ViewMut::F32(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_definition() {
        for (m, k, n) in [(1, 1, 1), (3, 4, 5), (70, 33, 65), (9, 64, 40)] {
            let values = |count: usize, by: usize| -> Vec<f32> {
                (0..count).map(|i| (i * by % 17) as f32 - 8.0).collect()
            };
            let (a, b) = (values(m * k, 5), values(k * n, 7));
            let mut out = Floats::zeros(m * n);
            Right::new(&b, (k, n)).product(&a, &mut out);
            for (i, out) in out.iter().enumerate() {
                let (row, column) = (i / n, i % n);
                let right: f32 = (0..k).map(|r| a[row * k + r] * b[r * n + column]).sum();
                // Whole numbers below 2^24 are exact in any order.
                assert_eq!(*out, right, "{m} x {k} x {n} at {i}");
            }
        }
    }
}
