//! Attention with products of f32, on vectors of any width.
mod tile;

use super::heads::HeadRange;
use super::kernel::{Attend, DsTiles, PARTS, Rows, Scores};
use crate::tile::Portable;
#[cfg(target_arch = "x86_64")]
use crate::tile::{Avx2, Avx512};
use crate::vector::Plain;
#[cfg(target_arch = "x86_64")]
use crate::vector::{Eight, Sixteen};

/// [`Attend`] of a kernel by the tiles of its vectors: `$across` of them are a panel of keys, and
/// a product has `$sums` at a time. The functions are compiled for `$features`.
macro_rules! attend {
    ($kernel:ty, $vector:ty, $across:literal, [$($features:literal)?], $run:expr, $product:path) => {
        impl Attend for $kernel {
            type Value = f32;
            const PAIR: usize = 1;
            const LANES: usize = $across * <$vector as crate::vector::Vector>::LANES;
            const ROWS: usize = 2 * tile::ROWS;
            const DS_ROWS: usize = tile::DS_ROWS;
            const HIGH: usize = 1;
            const UNIT: usize = 8;
            const HALVES: bool = false;
            const QUERIES: usize = 60;
            const KEYS: usize = 64;

            fn run(left: usize) -> usize {
                $run(left)
            }

            unsafe fn row_max(self, s: Scores<'_, f32>, row_max: &mut [f32]) {
                $(#[target_feature(enable = $features)])?
                unsafe fn compiled(s: Scores<'_, f32>, row_max: &mut [f32]) {
                    // SAFETY: the caller's promise.
                    unsafe { tile::row_max::<$vector, $across>(s, row_max) };
                }
                // SAFETY: the instructions exist, as `self` proves; the rest is promised.
                unsafe { compiled(s, row_max) };
            }

            unsafe fn probabilities(
                self,
                s: Scores<'_, f32>,
                row_max: &[f32],
                total: &mut [[f32; PARTS]],
                p: *mut f32,
            ) {
                $(#[target_feature(enable = $features)])?
                unsafe fn compiled(
                    s: Scores<'_, f32>,
                    row_max: &[f32],
                    total: &mut [[f32; PARTS]],
                    p: *mut f32,
                ) {
                    // SAFETY: the caller's promise.
                    unsafe { tile::probabilities::<$vector, $across>(s, row_max, total, p) };
                }
                // SAFETY: as above.
                unsafe { compiled(s, row_max, total, p) };
            }

            unsafe fn probabilities_and_ds(
                self,
                s: Scores<'_, f32>,
                dy: *const f32,
                v: *const f32,
                lse: &[f32],
                delta: &[f32],
                out: DsTiles<f32>,
            ) {
                $(#[target_feature(enable = $features)])?
                unsafe fn compiled(
                    s: Scores<'_, f32>,
                    dy: *const f32,
                    v: *const f32,
                    lse: &[f32],
                    delta: &[f32],
                    out: DsTiles<f32>,
                ) {
                    // SAFETY: the caller's promise.
                    unsafe { tile::probabilities_and_ds::<$vector, $across>(s, dy, v, lse, delta, out) };
                }
                // SAFETY: as above.
                unsafe { compiled(s, dy, v, lse, delta, out) };
            }

            unsafe fn product(
                self,
                run: HeadRange,
                rows: usize,
                a: (*const f32, Rows),
                panel: *const f32,
                steps: usize,
                c: (*mut f32, usize),
                add: bool,
            ) {
                $(#[target_feature(enable = $features)])?
                unsafe fn compiled(
                    units: usize,
                    rows: usize,
                    a: (*const f32, Rows),
                    panel: *const f32,
                    steps: usize,
                    c: (*mut f32, usize),
                    add: bool,
                ) {
                    // SAFETY: the caller's promise.
                    unsafe { $product(units, rows, a, panel, steps, c, add) };
                }
                // SAFETY: as above.
                unsafe { compiled(run.units, rows, a, panel, steps, c, add) };
            }
        }
    };
}

/// Up to five vectors, and not one alone after five.
fn five(left: usize) -> usize {
    match left {
        0..=5 => left,
        6 | 7 => left.div_ceil(2),
        8 => 4,
        _ => 5,
    }
}

attend!(Portable, Plain, 1, [], |left: usize| left.min(2), tile::narrow);
#[cfg(target_arch = "x86_64")]
attend!(Avx2, Eight, 2, ["avx2,fma"], five, tile::eights);
#[cfg(target_arch = "x86_64")]
attend!(Avx512, Sixteen, 2, ["avx512f,avx2,fma"], five, tile::sixteens);
