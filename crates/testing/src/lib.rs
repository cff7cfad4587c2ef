//! Golden data for tests: where it lies, how it is read, what ran.
//!
//! The repository keeps its golden numbers under `golden/`. `WAYWORD_GOLDEN=DIR` makes the same
//! tests read another tree of the same format, which may have other cases and lack some topics or
//! files. Case lists therefore come from the JSON files and folder listings, never from code.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test's report of what ran is printed")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "used by tests only")]

pub mod onnx;
mod report;
mod tensors;

pub use report::Report;
pub use tensors::{HostTensor, Tensors};

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The topics a golden tree may hold.
pub const TOPICS: &[&str] = &[
    "conditioning",
    "dataset",
    "detail",
    "embeddings",
    "full-size",
    "infotext",
    "kohya-saved",
    "kohya-trace",
    "lora",
    "lr",
    "optim",
    "pipeline",
    "prompt-grammar",
    "rng",
    "samplers",
    "schedule",
    "sigmas",
    "text",
    "tiny-model",
    "unet",
    "v-prediction",
    "vae",
    "wildcards",
];

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// The golden tree in use: `WAYWORD_GOLDEN`, else the repository's.
///
/// A relative `WAYWORD_GOLDEN` counts from the repository's root, because cargo runs each crate's
/// tests in that crate's folder.
#[must_use]
pub fn tree() -> PathBuf {
    match std::env::var_os("WAYWORD_GOLDEN") {
        Some(dir) => repository().join(dir),
        None => repository().join("golden"),
    }
}

/// One topic of the golden tree in use.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
}

/// The topic's folder in the tree in use, or `None`, said in a line, where that tree lacks it.
///
/// # Panics
/// If `WAYWORD_GOLDEN` names a tree without any known topic: a mistyped path must not pass.
#[must_use]
pub fn topic(name: &str) -> Option<Topic> {
    assert!(TOPICS.contains(&name), "unknown golden topic {name}");
    let tree = tree();
    assert!(TOPICS.iter().any(|t| tree.join(t).is_dir()), "no golden topic in {}", tree.display());
    let dir = tree.join(name);
    if dir.is_dir() {
        return Some(Topic { name: name.into(), dir });
    }
    println!("ran 0, skipped 1: topic {name} is not in {}", tree.display());
    None
}

impl Topic {
    /// The topic's files (not folders) whose names end in `.ext`, sorted.
    #[must_use]
    pub fn files(&self, ext: &str) -> Vec<PathBuf> {
        files(&self.dir, ext)
    }

    /// A file of this topic. A path such as `../conditioning/cases.json` is looked for in the tree
    /// in use first, then in the repository's. `None` where neither has it.
    #[must_use]
    pub fn file(&self, relative: &str) -> Option<PathBuf> {
        let here = self.dir.join(relative);
        if here.exists() {
            return Some(here);
        }
        let other = repository().join("golden").join(&self.name).join(relative);
        (relative.starts_with("..") && other.exists()).then_some(other)
    }

    /// The JSON file `name`, or, under another name, the first one that `fits`.
    #[must_use]
    pub fn json(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(path) = self.file(name) {
            return Some(json(&path));
        }
        self.files("json").iter().map(|p| json(p)).find(fits)
    }

    /// The tensors of a file of this topic.
    #[must_use]
    pub fn tensors(&self, relative: &str) -> Option<Tensors> {
        self.file(relative).map(|p| Tensors::read(&p))
    }
}

/// The folder of the tiny model: the tree's own, else the repository's.
#[must_use]
pub fn tiny_model() -> PathBuf {
    let own = tree().join("tiny-model");
    if own.join("model_ldm_fp16.safetensors").exists() {
        return own;
    }
    repository().join("golden/tiny-model")
}

/// The files of a folder whose names end in `.ext`, sorted.
#[must_use]
pub fn files(dir: &Path, ext: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    found.retain(|p| p.is_file() && p.extension().is_some_and(|e| e == ext));
    found.sort();
    found
}

/// Reads a JSON file.
#[must_use]
pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Largest absolute difference; infinite where the lengths differ or a value is not a number.
#[must_use]
pub fn max_abs(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.iter().zip(b).fold(0.0, |m, (x, y)| {
        let d = (f64::from(*x) - f64::from(*y)).abs();
        if d.is_nan() { f64::INFINITY } else { m.max(d) }
    })
}

/// L2 norm of the difference over the L2 norm of `b`; infinite where the lengths differ.
#[must_use]
pub fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() || a.iter().any(|x| x.is_nan()) {
        return f64::INFINITY;
    }
    let (mut d, mut n) = (0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        d += (f64::from(*x) - f64::from(*y)).powi(2);
        n += f64::from(*y).powi(2);
    }
    if n == 0.0 { d.sqrt() } else { (d / n).sqrt() }
}
