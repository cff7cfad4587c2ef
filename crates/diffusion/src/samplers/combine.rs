//! Element-wise work on latents, and functions of f32 noise levels.
//!
//! Steps are f32 and in the order of the peers' code: where a prompt is undecided, a picture
//! follows the last bit of an early step, and only equal rounding gives an equal picture.

/// `f` of the elements at the same place of all arrays.
pub(super) fn zip<const N: usize>(arrays: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> Vec<f32> {
    let length = arrays.iter().map(|a| a.len()).min().unwrap_or(0);
    (0..length).map(|i| f(arrays.map(|a| a[i]))).collect()
}

/// The direction of a step at level `sigma`: `(x - denoised) / sigma`.
pub(super) fn direction(x: &[f32], denoised: &[f32], sigma: f32) -> Vec<f32> {
    zip([x, denoised], |[x, d]| (x - d) / sigma)
}

/// The f32 nearest to `e^x - 1`.
pub(super) fn expm1(x: f32) -> f32 {
    f64::from(x).exp_m1() as f32
}

/// Time of a noise level: minus its logarithm.
pub(super) fn time(sigma: f32) -> f32 {
    -crate::sigmas::ln(sigma)
}

/// Noise level at a time.
pub(super) fn level(time: f32) -> f32 {
    crate::sigmas::exp(-time)
}
