//! exp, the logistic function and the normal distribution, in f32, as plain arithmetic without
//! branches or calls, so that loops over them become vector instructions.

/// e^x. Relative error at most 3e-7 for x in [-87, 88]; below, the result is at least that of
/// -87.3 (1.2e-38), above at most that of 88.3.
///
/// x = n ln 2 + r with whole n and |r| <= ln 2 / 2; e^r by its Taylor series to r^7; 2^n by the
/// exponent bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to a whole number that stands in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has few enough bits that n times it is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Written so that NaN passes.
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let n = x * std::f32::consts::LOG2_E + ROUND;
    let power = f32::from_bits((n.to_bits() << 23).wrapping_add(0x3f80_0000));
    let n = n - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    let e = (p * r * r + r) + 1.0;
    e * power
}

/// log2 x of a normal positive x, to 2e-7 of the larger of 1 and the result; what is infinite or
/// not a number stays.
///
/// x = m 2^n with m between the roots of 1/2 and 2; ln m = 2 artanh((m - 1) / (m + 1)) by its
/// series to the ninth power.
#[inline(always)]
pub(crate) fn log2(x: f32) -> f32 {
    // Bits of the root of 1/2.
    const ROOT: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(ROOT);
    let n = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff) + ROOT);
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let mut p = 1.0 / 9.0;
    p = p * t + 1.0 / 7.0;
    p = p * t + 0.2;
    p = p * t + 1.0 / 3.0;
    p = p * t + 1.0;
    let result = 2.0 * std::f32::consts::LOG2_E * s * p + n as f32;
    if x < f32::INFINITY { result } else { x }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The standard normal distribution's function Phi and density phi at x; absolute error of Phi at
/// most 3e-7 (Abramowitz and Stegun 7.1.26, and rounding).
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let e = exp(-z * z);
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_7;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    let half = 0.5 * p * t * e;
    let phi = if x < 0.0 { half } else { 1.0 - half };
    // 1 / sqrt(2 pi)
    (phi, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_keeps_its_bound() {
        let worst = (-870_000..880_000)
            .map(|i| {
                let x = i as f32 * 1e-4;
                let right = f64::from(x).exp();
                ((f64::from(exp(x)) - right) / right).abs()
            })
            .fold(0.0, f64::max);
        assert!(worst < 3e-7, "{worst:e}");
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1.3e-38);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn log2_keeps_its_bound() {
        for i in 0..200_000 {
            let x = f32::from_bits(0x0080_0000 + i * 10_000);
            let right = f64::from(x).log2();
            let error = (f64::from(log2(x)) - right).abs();
            assert!(error < 2e-7 * right.abs().max(1.0), "{x:e}: {error:e}");
        }
        assert_eq!(log2(1.0), 0.0);
        assert!(log2(f32::NAN).is_nan() && log2(f32::INFINITY) == f32::INFINITY);
    }

    /// Phi by Simpson's rule from 0.
    fn phi(x: f64) -> f64 {
        let n = 2_000;
        let h = x / f64::from(n);
        let f = |t: f64| (-0.5 * t * t).exp();
        let inner: f64 =
            (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(f64::from(i) * h)).sum();
        0.5 + (f(0.0) + inner + f(x)) * h / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn normal_keeps_its_bound() {
        for i in -800..=800 {
            let x = i as f32 * 0.01;
            let (cdf, density) = normal(x);
            let error = f64::from(cdf) - phi(f64::from(x));
            assert!(error.abs() < 3e-7, "{x}: {error:e}");
            let right = (-0.5 * f64::from(x).powi(2)).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(density) - right).abs() < 1e-7);
        }
    }
}
