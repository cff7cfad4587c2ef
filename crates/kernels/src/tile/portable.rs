//! Tiles of 4 x 32 in f32 as plain loops that a compiler turns into vectors of any width.
use super::{COLUMNS, Kernel, Product};

const ROWS: usize = 4;
/// Columns whose sums are held at a time: eight registers of four values for four rows' two.
const LANES: usize = 8;

/// Needs nothing of the processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Kernel for Portable {
    type Value = f32;
    const ROWS: usize = ROWS;
    const PAIR: usize = 1;
    /// Sixteen kilobytes: it stays in the first cache.
    const PANEL: usize = 4 * 1024;

    /// Safe code; the bounds are checked again by indexing.
    #[inline]
    unsafe fn tile(self, product: Product<'_, f32>, c: &mut [f32]) {
        let Product { a, rows, panel, segments, steps, add, .. } = product;
        for first in (0..COLUMNS).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; ROWS];
            if add {
                for (i, sums) in sums.iter_mut().enumerate() {
                    sums.copy_from_slice(&c[i * COLUMNS + first..][..LANES]);
                }
            }
            for segment in segments {
                let x: [&[f32]; ROWS] =
                    std::array::from_fn(|i| &a[rows[i] + segment.offset..][..steps]);
                let panel = panel[segment.panel..].chunks_exact(COLUMNS);
                for (step, b) in panel.take(steps).enumerate() {
                    let b: &[f32; LANES] =
                        b[first..].first_chunk().expect("32 columns hold the last eight");
                    for (sums, x) in sums.iter_mut().zip(&x) {
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum += x[step] * b;
                        }
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                c[i * COLUMNS + first..][..LANES].copy_from_slice(sums);
            }
        }
    }
}
