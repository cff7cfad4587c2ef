//! What a run keeps of its embeddings: the vectors of every step, by name and by step.
use super::steps::{StepChoice, mean, slerp};
use super::vectors::{self, StepVectors, VectorsFile};
use crate::{Error, Result};
use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A run's embeddings and their vectors after each step.
#[derive(Debug, Clone)]
pub struct KeptVectors {
    /// Each embedding's name and its vectors among the run's.
    names: Vec<(String, Range<usize>)>,
    file: VectorsFile,
    path: PathBuf,
}

impl KeptVectors {
    /// Reads a folder NAME.run. It may be that of a training which is at work.
    ///
    /// # Errors
    /// If it is no run's folder, or has no vectors yet.
    pub fn open(path: &Path) -> Result<Self> {
        // Only the names are needed, which plans of all versions have.
        let parsed: Value = super::read_plan(path)?;
        let (mut names, mut first) = (Vec::new(), 0);
        for embedding in parsed["words"].as_array().into_iter().flatten() {
            let count = embedding["vectors"].as_u64().and_then(|n| usize::try_from(n).ok());
            let (Some(name), Some(count)) = (embedding["name"].as_str(), count) else { continue };
            names.push((name.to_owned(), first..first + count));
            first += count;
        }
        let rows = path.join("rows.bin");
        if !rows.is_file() {
            return Err(Error::run(path, "the run has no steps yet")
                .with_hint("its vectors are kept from the first step on"));
        }
        let file = vectors::read(&rows)?;
        if names.is_empty() || first != file.count {
            let what = format!("its plan has {first} vectors, its steps {}", file.count);
            return Err(Error::run(path, what));
        }
        if file.steps.is_empty() {
            return Err(Error::run(path, "the run has no steps yet"));
        }
        Ok(Self { names, file, path: path.to_owned() })
    }

    /// The run's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its embeddings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// Values of a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.file.width
    }

    /// The steps that are kept, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<usize> {
        self.file.steps.iter().map(|s| s.step as usize).collect()
    }

    /// The last step that is kept.
    #[must_use]
    pub fn last(&self) -> usize {
        self.file.steps.last().map_or(0, |s| s.step as usize)
    }

    /// Vectors of all embeddings, `[vectors, width]`.
    ///
    /// # Errors
    /// If a step is not kept.
    pub fn all(&self, choice: StepChoice) -> Result<Vec<f32>> {
        let (first, last) = choice.ends();
        let (a, b) = (self.step(first)?, self.step(last)?);
        Ok(match choice {
            StepChoice::One(_) => a.vectors.clone(),
            StepChoice::Mean(..) => {
                let meant = |s: &&StepVectors| (first..=last).contains(&(s.step as usize));
                mean(self.file.steps.iter().filter(meant).map(|s| &s.vectors[..]))
            }
            StepChoice::Between(_, _, share) => {
                slerp(&a.vectors, &b.vectors, StepChoice::share(share), self.file.width)
            }
        })
    }

    /// Vectors of one embedding, `[its vectors, width]`.
    ///
    /// # Errors
    /// If a step is not kept, or there is no such embedding.
    pub fn of(&self, name: &str, choice: StepChoice) -> Result<Vec<f32>> {
        let Some((_, range)) = self.names.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = self.names().collect();
            return Err(Error::run(&self.path, format!("`{name}` is no embedding of the run"))
                .with_hint(format!("its embeddings are {}", names.join(", "))));
        };
        Ok(self.part(&self.all(choice)?, range))
    }

    /// All vectors cut into those of each embedding, with its name.
    #[must_use]
    pub fn by_name(&self, vectors: &[f32]) -> Vec<(String, Vec<f32>)> {
        self.names.iter().map(|(name, range)| (name.clone(), self.part(vectors, range))).collect()
    }

    fn part(&self, vectors: &[f32], range: &Range<usize>) -> Vec<f32> {
        vectors[range.start * self.file.width..range.end * self.file.width].to_vec()
    }

    fn step(&self, step: usize) -> Result<&StepVectors> {
        let steps = &self.file.steps;
        let found = steps.binary_search_by_key(&step, |s| s.step as usize);
        found.map(|place| &steps[place]).map_err(|_| {
            let first = steps.first().map_or(0, |s| s.step);
            Error::run(&self.path, format!("step {step}: the run has no vectors of it"))
                .with_hint(format!("it has steps {first} to {}", self.last()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::VectorsWriter;
    use super::*;

    #[test]
    fn steps_means_and_places_between_are_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let none = KeptVectors::open(dir.path()).unwrap_err();
        assert!(none.to_string().contains("no run found"), "{none}");
        let plan = r#"{"words":[{"name":"a","vectors":1},{"name":"b","vectors":1}]}"#;
        std::fs::write(dir.path().join("plan.json"), plan).unwrap();
        assert!(KeptVectors::open(dir.path()).is_err(), "no steps yet");
        let mut writer = VectorsWriter::create(&dir.path().join("rows.bin"), 2, 2).unwrap();
        for step in 0..=4u32 {
            let x = step as f32;
            writer.push(step, 0.0, &[x, 0.0, 0.0, x]).unwrap();
        }
        let kept = KeptVectors::open(dir.path()).unwrap();
        assert_eq!((kept.last(), kept.steps().len()), (4, 5));
        assert_eq!(kept.all(StepChoice::One(3)).unwrap(), [3.0, 0.0, 0.0, 3.0]);
        assert_eq!(kept.of("b", StepChoice::Mean(1, 4)).unwrap(), [0.0, 2.5]);
        assert_eq!(kept.of("a", StepChoice::Between(2, 4, 250)).unwrap(), [2.5, 0.0]);
        assert_eq!(kept.by_name(&[1.0, 2.0, 3.0, 4.0])[1], ("b".to_owned(), vec![3.0, 4.0]));
        let late = kept.all(StepChoice::Mean(2, 9)).unwrap_err();
        assert!(late.hint().unwrap().contains("steps 0 to 4"), "{late}");
        assert!(kept.of("c", StepChoice::One(1)).unwrap_err().hint().unwrap().contains("a, b"));
    }
}
