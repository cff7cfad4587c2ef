//! The power of two on every kind of vector.
use super::*;
use crate::{Isa, Level};

/// 2^x of many values on the vectors of one level.
fn powers(level: Level, x: &mut [f32]) {
    #[inline(always)]
    unsafe fn all<V: Vector>(x: &mut [f32]) {
        for x in x.chunks_exact_mut(V::LANES) {
            // SAFETY: a vector's room; the instructions are the caller's promise.
            unsafe { exp2(V::load(x.as_ptr())).store(x.as_mut_ptr()) };
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn eight(x: &mut [f32]) {
        // SAFETY: the instructions are switched on.
        unsafe { all::<Eight>(x) };
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn sixteen(x: &mut [f32]) {
        // SAFETY: the instructions are switched on.
        unsafe { all::<Sixteen>(x) };
    }
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the test asks for levels that the processor has.
        Level::Avx2 => unsafe { eight(x) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx512 => unsafe { sixteen(x) },
        // SAFETY: needs nothing.
        _ => unsafe { all::<Plain>(x) },
    }
}

#[test]
fn powers_of_two_keep_their_bound() {
    for level in [Level::Portable, Level::Avx2, Level::Avx512] {
        if Isa::detect().level() < level {
            println!("skipped: this processor has no {level:?}");
            continue;
        }
        let x: Vec<f32> = (-1_250_000..1_270_000).map(|i| i as f32 * 1e-4).collect();
        let mut y = x.clone();
        powers(level, &mut y);
        let worst = x.iter().zip(&y).map(|(x, y)| {
            let right = f64::from(*x).exp2();
            ((f64::from(*y) - right) / right).abs()
        });
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 2e-7, "{level:?}: {worst:e}");
        let mut ends = [0.0; 16];
        ends[..4].copy_from_slice(&[0.0, f32::NAN, -1e30, 1e30]);
        powers(level, &mut ends);
        assert_eq!(ends[0], 1.0);
        assert!(ends[1].is_nan());
        assert!(ends[2] < 1e-37 && ends[2] > 0.0 && ends[3] > 1e38 && ends[3].is_finite());
    }
}
