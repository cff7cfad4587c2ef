//! Tiles of 12 x 32 in f32 with AVX-512.
use super::{COLUMNS, Kernel, Segment};
use crate::{Isa, Level};
use std::arch::x86_64::{
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

const ROWS: usize = 12;

/// Proof that the processor has AVX-512.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Isa {
    pub(crate) fn avx512(self) -> Option<Avx512> {
        (self.level() >= Level::Avx512).then_some(Avx512(()))
    }
}

impl Kernel for Avx512 {
    type Value = f32;
    const ROWS: usize = ROWS;
    const PAIR: usize = 1;

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
        // SAFETY: the instructions exist, as `self` proves; the bounds are the caller's promise.
        unsafe {
            tile(a.as_ptr(), rows.as_ptr(), panel.as_ptr(), segments, steps, c.as_mut_ptr(), add);
        }
    }
}

/// # Safety
/// As [`Kernel::tile`], and the processor has the instructions.
#[target_feature(enable = "avx512f")]
unsafe fn tile(
    a: *const f32,
    rows: *const usize,
    panel: *const f32,
    segments: &[Segment],
    steps: usize,
    c: *mut f32,
    add: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: every address is inside the ranges that the caller promises.
    unsafe {
        if add {
            for (i, sums) in sums.iter_mut().enumerate() {
                sums[0] = _mm512_loadu_ps(c.add(i * COLUMNS));
                sums[1] = _mm512_loadu_ps(c.add(i * COLUMNS + 16));
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
                let b0 = _mm512_loadu_ps(b);
                let b1 = _mm512_loadu_ps(b.add(16));
                for i in 0..ROWS {
                    let x = _mm512_set1_ps(*starts[i].add(step));
                    sums[i][0] = _mm512_fmadd_ps(x, b0, sums[i][0]);
                    sums[i][1] = _mm512_fmadd_ps(x, b1, sums[i][1]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            _mm512_storeu_ps(c.add(i * COLUMNS), sums[0]);
            _mm512_storeu_ps(c.add(i * COLUMNS + 16), sums[1]);
        }
    }
}
