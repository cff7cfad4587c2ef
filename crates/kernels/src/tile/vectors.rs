//! Tiles in f32 of two vectors' columns: 12 x 32 with AVX-512; with AVX2, which has 16 registers,
//! two halves of 6 x 16: 12 sums, 2 of the panel, 1 of a row.
use super::{COLUMNS, Kernel, Product};
use crate::vector::{Eight, Sixteen, Vector};
use crate::{Isa, Level};

/// Proof that the processor has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof that the processor has AVX-512.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Isa {
    pub(crate) fn avx2(self) -> Option<Avx2> {
        (self.level() >= Level::Avx2).then_some(Avx2(()))
    }

    pub(crate) fn avx512(self) -> Option<Avx512> {
        (self.level() >= Level::Avx512).then_some(Avx512(()))
    }
}

impl Kernel for Avx2 {
    type Value = f32;
    const ROWS: usize = 6;
    const PAIR: usize = 1;
    /// Sixteen kilobytes: it stays in the first cache.
    const PANEL: usize = 4 * 1024;

    #[inline]
    unsafe fn tile(self, product: Product<'_, f32>, c: &mut [f32]) {
        // SAFETY: the instructions exist, as `self` proves; the bounds are the caller's promise.
        unsafe {
            eights(product, 0, c);
            eights(product, COLUMNS / 2, c);
        }
    }

    #[inline]
    unsafe fn half_tile(self, product: Product<'_, f32>, c: &mut [f32]) {
        // SAFETY: as above.
        unsafe { eights(product, 0, c) };
    }
}

impl Kernel for Avx512 {
    type Value = f32;
    const ROWS: usize = 12;
    const PAIR: usize = 1;

    #[inline]
    unsafe fn tile(self, product: Product<'_, f32>, c: &mut [f32]) {
        // SAFETY: the instructions exist, as `self` proves; the bounds are the caller's promise.
        unsafe { sixteens(product, c) };
    }
}

/// # Safety
/// As [`tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn eights(product: Product<'_, f32>, first: usize, c: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Eight, { Avx2::ROWS }>(product, first, c) };
}

/// # Safety
/// As [`tile`].
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn sixteens(product: Product<'_, f32>, c: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Sixteen, { Avx512::ROWS }>(product, 0, c) };
}

/// Two vectors' columns from `first` on.
///
/// # Safety
/// As [`Kernel::tile`] for `ROWS` rows, and the processor has the vectors' instructions; both
/// vectors lie within a step's 32 columns.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(p: Product<'_, f32>, first: usize, c: &mut [f32]) {
    debug_assert!(p.rows.len() == ROWS && c.len() == ROWS * COLUMNS);
    // SAFETY: every address is inside the ranges that the caller promises.
    unsafe {
        let (a, panel) = (p.a.as_ptr(), p.panel.as_ptr().add(first));
        let c = c.as_mut_ptr().add(first);
        let mut sums = [[V::splat(0.0); 2]; ROWS];
        if p.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                sums[0] = V::load(c.add(i * COLUMNS));
                sums[1] = V::load(c.add(i * COLUMNS + V::LANES));
            }
        }
        for segment in p.segments {
            let mut starts = [a; ROWS];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = a.add(*p.rows.get_unchecked(i) + segment.offset);
            }
            let panel = panel.add(segment.panel);
            for step in 0..p.steps {
                let b = panel.add(step * COLUMNS);
                let (b0, b1) = (V::load(b), V::load(b.add(V::LANES)));
                for i in 0..ROWS {
                    let x = V::splat(*starts[i].add(step));
                    sums[i][0] = x.times_plus(b0, sums[i][0]);
                    sums[i][1] = x.times_plus(b1, sums[i][1]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            sums[0].store(c.add(i * COLUMNS));
            sums[1].store(c.add(i * COLUMNS + V::LANES));
        }
    }
}
