//! Wildcards in memory: names to values, found by pattern.
use std::collections::{BTreeMap, BTreeSet};

/// One value of a wildcard.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Its text, itself a template.
    pub text: String,
    /// How often it is drawn, against 1 for a value without weight.
    pub weight: f64,
    /// Whether a weight was written. The peer keeps `a` and `1::a` apart.
    pub weighted: bool,
}

impl Value {
    /// A value without weight.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { text: text.into(), weight: 1.0, weighted: false }
    }

    /// A value with a weight.
    #[must_use]
    pub fn weighted(text: &str, weight: f64) -> Self {
        Self { text: text.into(), weight, weighted: true }
    }
}

/// All wildcards by their full names, such as `clothes/hats`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wildcards {
    map: BTreeMap<String, Vec<Value>>,
    /// What was left out while reading, and why.
    pub notes: Vec<String>,
}

impl Wildcards {
    /// Adds a wildcard, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, values: Vec<Value>) {
        self.map.insert(name.into(), values);
    }

    /// Adds those of another folder; of two with one name the first stays.
    pub fn extend(&mut self, other: Self) {
        for (name, values) in other.map {
            self.map.entry(name).or_insert(values);
        }
        self.notes.extend(other.notes);
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// The values of all wildcards that a pattern finds: each once, sorted by code points.
    ///
    /// `*` and `?` also stand for `/`, `[ab]` for one of several characters. Where nothing is found
    /// the pattern counts at any depth. A pattern with `..` finds nothing.
    #[must_use]
    pub fn values(&self, pattern: &str) -> Vec<Value> {
        let mut found = self.matching(pattern);
        if found.is_empty() && !pattern.starts_with("**") {
            found = self.matching(&format!("**/{pattern}"));
        }
        let mut seen = BTreeSet::new();
        found.retain(|value| {
            seen.insert((value.text.clone(), value.weighted, value.weight.to_bits()))
        });
        found.sort_by(|a, b| a.text.cmp(&b.text));
        found
    }

    fn matching(&self, pattern: &str) -> Vec<Value> {
        let Some(pattern) = clean(pattern) else { return Vec::new() };
        let pattern: Vec<char> = pattern.chars().collect();
        let fits = |name: &str| fits(&name.chars().collect::<Vec<_>>(), &pattern);
        let found = self.map.iter().filter(|(name, _)| fits(name));
        found.flat_map(|(_, values)| values.clone()).collect()
    }
}

/// A pattern with single forward slashes and none at its ends; `None` if it climbs with `..`.
fn clean(pattern: &str) -> Option<String> {
    let bare = pattern.strip_prefix("__").unwrap_or(pattern);
    let bare = bare.strip_suffix("__").unwrap_or(bare);
    let mut out = String::new();
    for c in bare.chars() {
        let c = if c == '\\' { '/' } else { c };
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    let out = out.trim_matches('/');
    (!out.contains("..")).then(|| out.to_owned())
}

/// Whether a name fits a shell pattern (`fnmatch`): backtracks to the last `*` only.
fn fits(name: &[char], pattern: &[char]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match one(name[n], &pattern[p..]) {
            Some(0) => {
                star = Some((p, n));
                p += 1;
            }
            Some(length) => {
                p += length;
                n += 1;
            }
            None => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// How many characters of the pattern stand for `c`; 0 for a `*`.
fn one(c: char, pattern: &[char]) -> Option<usize> {
    match pattern.first()? {
        '*' => Some(0),
        '?' => Some(1),
        '[' => {
            let negated = usize::from(pattern.get(1) == Some(&'!'));
            let start = 1 + negated;
            // A closing bracket at the start is one of the characters.
            let from = start + usize::from(pattern.get(start) == Some(&']'));
            let Some(length) = pattern.get(from..)?.iter().position(|&c| c == ']') else {
                return (c == '[').then_some(1);
            };
            let end = from + length;
            (in_set(c, &pattern[start..end]) != (negated == 1)).then_some(end + 1)
        }
        &same => (same == c).then_some(1),
    }
}

/// Whether `c` is in a set such as `a-cx`.
fn in_set(c: char, set: &[char]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            if (set[at]..=set[at + 2]).contains(&c) {
                return true;
            }
            at += 3;
        } else {
            if set[at] == c {
                return true;
            }
            at += 1;
        }
    }
    false
}
