//! Weights of a prompt, applied to the text encoder's states.
use wayword_prompt::Emphasis;

/// Multiplies states `[rows, width]` by one weight per row, as the mode says. `states` are one
/// window of all texts that are encoded together: their mean is restored in common, and is left as
/// it comes out where weights nearly cancel.
pub fn emphasize(states: &mut [f32], multipliers: &[f32], width: usize, emphasis: Emphasis) {
    if !matches!(emphasis, Emphasis::Original | Emphasis::NoNorm) {
        return;
    }
    let mean = |z: &[f32]| z.iter().map(|v| f64::from(*v)).sum::<f64>() / z.len() as f64;
    let before = mean(states);
    for (row, weight) in states.chunks_exact_mut(width).zip(multipliers) {
        row.iter_mut().for_each(|v| *v *= weight);
    }
    if emphasis == Emphasis::Original {
        let ratio = (before / mean(states)) as f32;
        states.iter_mut().for_each(|v| *v *= ratio);
    }
}
