//! What a golden test ran and what it skipped.
use std::collections::BTreeMap;

/// Counts cases. [`Report::finish`] prints `ran N, skipped M: reasons` and fails at N = 0.
#[derive(Debug)]
pub struct Report {
    test: String,
    ran: usize,
    skipped: BTreeMap<String, usize>,
    worst: BTreeMap<String, f64>,
}

impl Report {
    /// A report of the test `test`.
    #[must_use]
    pub fn new(test: &str) -> Self {
        Self { test: test.into(), ran: 0, skipped: BTreeMap::new(), worst: BTreeMap::new() }
    }

    /// One case ran and passed.
    pub fn ran(&mut self) {
        self.ran += 1;
    }

    /// One case was skipped, and why: by what it needs, never by its name.
    pub fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    /// Asserts `difference <= limit` and remembers the worst per quantity.
    ///
    /// # Panics
    /// If the difference is larger or not a number.
    pub fn within(&mut self, case: &str, quantity: &str, difference: f64, limit: f64) {
        assert!(
            difference <= limit,
            "{}: {case}: {quantity} differs by {difference:e}, limit {limit:e}",
            self.test
        );
        let worst = self.worst.entry(quantity.into()).or_default();
        *worst = worst.max(difference / limit);
    }

    /// Prints the line, and the largest share of each limit that was used.
    ///
    /// # Panics
    /// If nothing ran, unless another tree than the repository's lacks every file that was needed.
    pub fn finish(self) {
        let reasons: Vec<String> =
            self.skipped.iter().map(|(why, n)| format!("{n} x {why}")).collect();
        let skipped: usize = self.skipped.values().sum();
        let why = if reasons.is_empty() { "nothing".into() } else { reasons.join("; ") };
        println!("{}: ran {}, skipped {skipped}: {why}", self.test, self.ran);
        for (quantity, share) in &self.worst {
            println!("{}:   {quantity}: {:.1} % of its limit at most", self.test, share * 100.0);
        }
        let lacks = |why: &String| why.starts_with("no ") || why.contains("lacks");
        let poor = std::env::var_os("WAYWORD_GOLDEN").is_some()
            && skipped > 0
            && self.skipped.keys().all(lacks);
        assert!(self.ran > 0 || poor, "{}: no case ran", self.test);
    }
}
