//! States of different lengths side by side.

/// Brings the states of a prompt's parts (joined by AND) to the longest, by repeating each one's
/// last vector.
pub fn pad_parts(parts: &mut [Vec<f32>], width: usize) {
    let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
    for part in parts {
        repeat_last(part, longest, width);
    }
}

fn repeat_last(states: &mut Vec<f32>, length: usize, width: usize) {
    let last = states[states.len().saturating_sub(width)..].to_vec();
    while states.len() < length && !last.is_empty() {
        states.extend_from_slice(&last);
    }
}

/// What is done where prompt and negative prompt have different lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PadUncond {
    /// Nothing: the model is asked twice.
    #[default]
    Off,
    /// The shorter one gets windows of the empty prompt (`pad_cond_uncond`).
    Empty,
    /// The negative prompt gets its last vector again, or is cut (`pad_cond_uncond_v0`).
    Repeat,
}

/// Brings the states of a prompt and a negative prompt to one length. `empty` are the states of the
/// empty prompt, `[77, width]`.
pub fn pad_uncond(
    cond: &mut Vec<f32>,
    uncond: &mut Vec<f32>,
    empty: &[f32],
    width: usize,
    how: PadUncond,
) {
    match how {
        PadUncond::Off => {}
        PadUncond::Empty => {
            let longest = cond.len().max(uncond.len());
            for states in [cond, uncond] {
                while states.len() < longest && !empty.is_empty() {
                    states.extend_from_slice(empty);
                }
            }
        }
        PadUncond::Repeat => {
            repeat_last(uncond, cond.len(), width);
            uncond.truncate(cond.len());
        }
    }
}
