//! Classifier-free guidance (Ho and Salimans 2022) with several prompts joined by AND.

/// `uncond + sum of scale * weight * (cond - uncond)` over the parts.
#[must_use]
pub fn guide(uncond: &[f32], parts: &[(f64, &[f32])], scale: f64) -> Vec<f32> {
    let mut out = uncond.to_vec();
    for (weight, cond) in parts {
        let factor = (weight * scale) as f32;
        for ((o, c), u) in out.iter_mut().zip(*cond).zip(uncond) {
            *o += (c - u) * factor;
        }
    }
    out
}
