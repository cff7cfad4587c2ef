//! Where chance comes from: a trait, so that callers bring their own seeded source.

/// A source of uniform numbers.
pub trait RandomSource {
    /// A number in `[0, 1)`.
    fn next_f64(&mut self) -> f64;

    /// An index below `n`, all equally likely. `n` is at least 1.
    fn below(&mut self, n: usize) -> usize {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let index = (self.next_f64() * n as f64) as usize;
        index.min(n.saturating_sub(1))
    }
}

/// One of the items, all equally likely; `None` where there are none.
pub fn choose<'a, T>(items: &'a [T], random: &mut dyn RandomSource) -> Option<&'a T> {
    if items.is_empty() { None } else { items.get(random.below(items.len())) }
}

/// Puts the items into a random order, each order equally likely (Fisher and Yates).
pub fn shuffle<T>(items: &mut [T], random: &mut dyn RandomSource) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}
