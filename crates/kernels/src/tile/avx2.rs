//! Tiles of 6 x 32 in f32 with AVX2 and FMA, as two halves of 6 x 16, because there are 16
//! registers: 12 sums, 2 of the panel, 1 of a row.
use super::{COLUMNS, Kernel, Segment};
use crate::{Isa, Level};
use std::arch::x86_64::{
    _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

const ROWS: usize = 6;

/// Proof that the processor has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Isa {
    pub(crate) fn avx2(self) -> Option<Avx2> {
        (self.level() >= Level::Avx2).then_some(Avx2(()))
    }
}

impl Kernel for Avx2 {
    type Value = f32;
    const ROWS: usize = ROWS;
    const PAIR: usize = 1;
    /// Sixteen kilobytes: it stays in the first cache.
    const PANEL: usize = 4 * 1024;

    #[inline]
    unsafe fn tile(
        self,
        a: &[f32],
        rows: &[usize],
        panel: &[f32],
        segments: &[Segment],
        steps: usize,
        c: &mut [f32],
        add: bool,
    ) {
        debug_assert!(rows.len() == ROWS && c.len() == ROWS * COLUMNS);
        for half in [0, COLUMNS / 2] {
            // SAFETY: the instructions exist, as `self` proves; the bounds are the caller's
            // promise, and both halves are within a step's 32 columns.
            unsafe {
                let (panel, c) = (panel.as_ptr().add(half), c.as_mut_ptr().add(half));
                tile(a.as_ptr(), rows.as_ptr(), panel, segments, steps, c, add);
            }
        }
    }

    #[inline]
    unsafe fn half_tile(
        self,
        a: &[f32],
        rows: &[usize],
        panel: &[f32],
        segments: &[Segment],
        steps: usize,
        c: &mut [f32],
        add: bool,
    ) {
        debug_assert!(rows.len() == ROWS && c.len() == ROWS * COLUMNS);
        // SAFETY: as above.
        unsafe {
            let (a, panel) = (a.as_ptr(), panel.as_ptr());
            tile(a, rows.as_ptr(), panel, segments, steps, c.as_mut_ptr(), add);
        }
    }
}

/// # Safety
/// As [`Kernel::tile`] for the 16 columns from `panel` and `c` on, and the processor has the
/// instructions.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile(
    a: *const f32,
    rows: *const usize,
    panel: *const f32,
    segments: &[Segment],
    steps: usize,
    c: *mut f32,
    add: bool,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: every address is inside the ranges that the caller promises.
    unsafe {
        if add {
            for (i, sums) in sums.iter_mut().enumerate() {
                sums[0] = _mm256_loadu_ps(c.add(i * COLUMNS));
                sums[1] = _mm256_loadu_ps(c.add(i * COLUMNS + 8));
            }
        }
        for segment in segments {
            let mut starts = [a; ROWS];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = a.add(*rows.add(i) + segment.offset);
            }
            let panel = panel.add(segment.panel);
            for step in 0..steps {
                let b = panel.add(step * COLUMNS);
                let b0 = _mm256_loadu_ps(b);
                let b1 = _mm256_loadu_ps(b.add(8));
                for i in 0..ROWS {
                    let x = _mm256_broadcast_ss(&*starts[i].add(step));
                    sums[i][0] = _mm256_fmadd_ps(x, b0, sums[i][0]);
                    sums[i][1] = _mm256_fmadd_ps(x, b1, sums[i][1]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            _mm256_storeu_ps(c.add(i * COLUMNS), sums[0]);
            _mm256_storeu_ps(c.add(i * COLUMNS + 8), sums[1]);
        }
    }
}
