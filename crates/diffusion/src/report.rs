//! What a checkpoint gave to the model: taken, missing, misshapen, left over.
use std::fmt;

/// A tensor that the model needs and the file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its diffusers name, with the component's folder in front.
    pub key: String,
    /// A tensor that nobody took and whose name is much like it.
    pub similar: Option<String>,
}

impl Missing {
    pub(crate) fn new(key: String, unused: &[String]) -> Self {
        let close = |name: &&String| strsim::normalized_levenshtein(name, &key) > 0.85;
        let better = |a: &&String, b: &&String| {
            let distance = |name: &str| strsim::levenshtein(name, &key);
            distance(a).cmp(&distance(b))
        };
        // Comparing thousands of names with thousands would take longer than loading.
        let similar = unused.iter().take(500).filter(close).min_by(better).cloned();
        Self { key, similar }
    }
}

/// A tensor of another shape than the model needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// Its diffusers name, with the component's folder in front.
    pub key: String,
    /// The shape that the layers around it ask for.
    pub expected: String,
    /// The shape in the file.
    pub found: String,
}

/// One component's part of a [`LoadReport`].
#[derive(Debug, Clone, Default)]
pub(crate) struct PartReport {
    pub(crate) tensors: usize,
    pub(crate) missing: Vec<Missing>,
    pub(crate) wrong: Vec<WrongShape>,
    pub(crate) unused: Vec<String>,
}

/// How loading went. A model can be used only if nothing is missing or misshapen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors that the model took.
    pub tensors: usize,
    /// Tensors that it lacks.
    pub missing: Vec<Missing>,
    /// Tensors of another shape.
    pub wrong: Vec<WrongShape>,
    /// Tensors that nobody asked for: names of the file.
    pub unused: Vec<String>,
    /// What was left out on purpose, as sentences.
    pub left_out: Vec<String>,
}

impl LoadReport {
    /// Whether the model is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    pub(crate) fn add(&mut self, part: PartReport) {
        self.tensors += part.tensors;
        self.missing.extend(part.missing);
        self.wrong.extend(part.wrong);
        self.unused.extend(part.unused);
    }
}

/// Lists name at most this many tensors each.
const SHOWN: usize = 8;

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: &[T],
    line: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, "\n{} {title}:", items.len())?;
    for item in items.iter().take(SHOWN) {
        write!(f, "\n  {}", line(item))?;
    }
    match items.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => write!(f, "\n  and {more} more"),
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors loaded", self.tensors)?;
        list(f, "missing", &self.missing, |m| match &m.similar {
            Some(similar) => format!("{} (did you mean {similar}?)", m.key),
            None => m.key.clone(),
        })?;
        list(f, "with a wrong shape", &self.wrong, |w| {
            format!("{}: expected {}, found {}", w.key, w.expected, w.found)
        })?;
        list(f, "unused", &self.unused, Clone::clone)?;
        list(f, "remarks", &self.left_out, Clone::clone)
    }
}
