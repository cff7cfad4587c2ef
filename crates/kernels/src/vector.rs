//! Vectors of f32 whose width is a type, for tiles whose sums must stay in registers.
//!
//! The methods are inlined everywhere and are meant for functions that are compiled for the
//! processor that the type needs; outside of those they would be slow, and without the processor
//! undefined, which is why all of them are unsafe.
//!
//! # Safety
//! Of every method: the processor has the type's instructions; pointers have a vector's room.
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Eight, Sixteen};

/// A vector.
pub(crate) trait Vector: Copy {
    /// Values in it.
    const LANES: usize;
    /// All lanes the same.
    unsafe fn splat(x: f32) -> Self;
    /// From memory, aligned or not.
    unsafe fn load(from: *const f32) -> Self;
    /// To memory.
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// self * a + b.
    unsafe fn times_plus(self, a: Self, b: Self) -> Self;
    /// Lanes not below `least` and not above `most`; what is not a number stays.
    unsafe fn within(self, least: f32, most: f32) -> Self;
    /// Lanes times 2^n, where n stands in the low bits of `whole`, as adding [`ROUND`] leaves it.
    unsafe fn times_power(self, whole: Self) -> Self;
    /// The first `count` lanes of self, `other` in those behind.
    unsafe fn first_or(self, count: usize, other: f32) -> Self;
    /// The largest lane.
    unsafe fn largest(self) -> f32;
}

/// 1.5 * 2^23: adding it rounds to a whole number that stands in the low mantissa bits.
const ROUND: f32 = 12_582_912.0;

/// 2^x for x in -125..127; below and above as at these ends. Relative error at most 2e-7.
///
/// x = n + r with whole n and |r| <= 1/2; 2^r by a polynomial of degree 5, fitted for the least
/// relative error with 1 at 0.
///
/// # Safety
/// As the module says.
#[inline(always)]
#[expect(clippy::approx_constant, reason = "fitted, not ln 2")]
pub(crate) unsafe fn exp2<V: Vector>(x: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let x = x.within(-125.0, 127.0);
        let whole = x.add(V::splat(ROUND));
        let r = x.sub(whole.sub(V::splat(ROUND)));
        let mut p = V::splat(0.001_326_472_7);
        p = p.times_plus(r, V::splat(0.009_671_513));
        p = p.times_plus(r, V::splat(0.055_507_336));
        p = p.times_plus(r, V::splat(0.240_222_42));
        p = p.times_plus(r, V::splat(0.693_147));
        p = p.times_plus(r, V::splat(1.0));
        p.times_power(whole)
    }
}

/// Eight values as an array: what every target has, as vectors of whatever width it has.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Plain([f32; 8]);

/// Lane by lane.
macro_rules! lanes {
    ($i:ident => $value:expr) => {{
        let mut out = [0.0_f32; 8];
        for $i in 0..8 {
            out[$i] = $value;
        }
        Plain(out)
    }};
}

impl Vector for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        lanes!(i => self.0[i] + other.0[i])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        lanes!(i => self.0[i] - other.0[i])
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        lanes!(i => self.0[i] * other.0[i])
    }

    #[inline(always)]
    unsafe fn times_plus(self, a: Self, b: Self) -> Self {
        lanes!(i => self.0[i] * a.0[i] + b.0[i])
    }

    #[inline(always)]
    unsafe fn within(self, least: f32, most: f32) -> Self {
        let low = lanes!(i => if self.0[i] < least { least } else { self.0[i] });
        lanes!(i => if low.0[i] > most { most } else { low.0[i] })
    }

    #[inline(always)]
    unsafe fn times_power(self, whole: Self) -> Self {
        lanes!(i => f32::from_bits(
            self.0[i].to_bits().wrapping_add(whole.0[i].to_bits() << 23)
        ))
    }

    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: f32) -> Self {
        lanes!(i => if i < count { self.0[i] } else { other })
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        self.0.iter().fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most })
    }
}

#[cfg(test)]
mod tests;
