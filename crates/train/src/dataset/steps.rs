//! How many batches an epoch has, how many updates a run, and how regularization images are balanced.

/// How long a run is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duration {
    /// So many updates.
    Steps(u64),
    /// So many times through the pictures.
    Epochs(u64),
}

/// The counts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Batches in an epoch; the last of each bucket may be smaller.
    pub batches_per_epoch: u64,
    /// Updates in an epoch; leftovers of accumulation make one of their own.
    pub updates_per_epoch: u64,
    /// Updates of the run.
    pub steps: u64,
    /// Epochs that are begun.
    pub epochs: u64,
}

/// Counts a run. `buckets` are the samples of each bucket, repeats included; `batch` and
/// `accumulate` are at least 1. `None` where there is no sample.
#[must_use]
pub fn count(
    buckets: impl IntoIterator<Item = u64>,
    batch: u64,
    accumulate: u64,
    duration: Duration,
) -> Option<Counts> {
    let batches: u64 = buckets.into_iter().map(|n| n.div_ceil(batch.max(1))).sum();
    if batches == 0 {
        return None;
    }
    let updates = batches.div_ceil(accumulate.max(1));
    let steps = match duration {
        Duration::Steps(steps) => steps,
        Duration::Epochs(epochs) => epochs.saturating_mul(updates),
    };
    Some(Counts {
        batches_per_epoch: batches,
        updates_per_epoch: updates,
        steps,
        epochs: steps.div_ceil(updates),
    })
}

/// Every how many epochs to save so that about `ratio` files are written, as kohya's
/// `save_n_epoch_ratio`: rounded down, at least 1.
#[must_use]
pub fn epochs_between_saves(epochs: u64, ratio: u64) -> u64 {
    epochs.checked_div(ratio).unwrap_or(0).max(1)
}

/// The repeats of each regularization image, so that together they are seen as often as the
/// `wanted` training samples: own repeats in order until that is reached, then one more each in
/// turn. 0: the image is not used.
#[must_use]
pub fn balance(wanted: u64, repeats: &[u64]) -> Vec<u64> {
    let mut balanced = vec![0; repeats.len()];
    let mut seen = 0;
    for (own, to) in repeats.iter().zip(&mut balanced) {
        if seen >= wanted {
            break;
        }
        *to = *own;
        seen += own;
    }
    let places = repeats.len();
    if places > 0 && seen < wanted {
        let more = wanted - seen;
        let (each, rest) = (more / places as u64, (more % places as u64) as usize);
        for (i, to) in balanced.iter_mut().enumerate() {
            *to += each + u64::from(i < rest);
        }
    }
    balanced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_batches_and_updates_of_their_own() {
        let counts = count([7], 3, 2, Duration::Steps(25)).unwrap();
        assert_eq!((counts.batches_per_epoch, counts.updates_per_epoch, counts.epochs), (3, 2, 13));
        let counts = count([2, 3, 3], 2, 2, Duration::Epochs(3)).unwrap();
        assert_eq!((counts.batches_per_epoch, counts.steps), (5, 9));
        assert_eq!(count([], 1, 1, Duration::Steps(1)), None);
    }

    #[test]
    fn regularization_images_are_as_many_as_training_samples() {
        assert_eq!(balance(17, &[1, 1]), [9, 8]);
        assert_eq!(balance(7, &[2, 2, 2, 1, 1]), [2, 2, 2, 1, 0]);
        assert_eq!(balance(3, &[]), [0; 0]);
        assert_eq!((epochs_between_saves(8, 3), epochs_between_saves(2, 5)), (2, 1));
    }
}
