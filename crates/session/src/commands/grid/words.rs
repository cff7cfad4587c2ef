//! Which word an axis means, and the rows that it puts in its place.
use super::axis::{Axis, AxisKind, Value, stem};
use crate::Failure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::{Base, Embeddings};
use wayword_formats::embedding;
use wayword_prompt::edit;
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;

/// Where other rows for a word come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum VectorSource {
    File(PathBuf),
    /// Steps of the run; 0 is before the first.
    Step(StepChoice),
}

/// Fills in the steps that `step: all` means: at most nine of the run, evenly, the last one too.
pub(super) fn fill(axis: &mut Axis, run: Option<&KeptVectors>) -> Result<(), Failure> {
    if axis.kind != AxisKind::Step {
        return Ok(());
    }
    let Some(run) = run else {
        return Err(Failure::user("an axis `step` needs the run whose steps it shows")
            .hint("name it: {grid.run} DIR/NAME.run"));
    };
    let steps = run.steps();
    if axis.every_step {
        let shown = steps.len().min(9);
        let step = |i: usize| steps.get((i + 1) * steps.len() / shown.max(1) - 1).copied();
        axis.values =
            (0..shown).filter_map(step).map(|n| Value::Step(StepChoice::One(n))).collect();
    }
    for value in &axis.values {
        if let Value::Step(choice) = value {
            run.all(*choice)?;
        }
    }
    Ok(())
}

/// The names of words that a prompt may call.
pub(super) struct Names {
    pub(super) known: Vec<String>,
    pub(super) of_run: Vec<String>,
}

impl Names {
    /// Those of the folders of embeddings, and of the run.
    pub(super) fn new(known: Vec<String>, run: Option<&KeptVectors>) -> Self {
        let of_run = run.map_or_else(Vec::new, |r| r.names().map(str::to_owned).collect());
        Self { known, of_run }
    }

    /// The word that was named, else the only one in the prompt.
    pub(super) fn in_prompt(&self, named: Option<&str>, prompt: &str) -> Result<String, Failure> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        let callable = self.known.iter().chain(&self.of_run);
        let mut here: Vec<&String> =
            callable.filter(|name| !edit::places(prompt, name).is_empty()).collect();
        here.sort();
        here.dedup();
        match here.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Failure::user("no learned word stands in the prompt").hint(
                "name their folder by {grid.embeddings}, or say which word: 'weight WORD: …'",
            )),
            several => {
                let names: Vec<&str> = several.iter().map(|n| n.as_str()).collect();
                Err(Failure::user(format!(
                    "several words stand in the prompt: {}",
                    names.join(", ")
                ))
                .hint("say which is meant: 'weight WORD: …'"))
            }
        }
    }

    /// The run's word.
    pub(super) fn of_run(&self, named: Option<&str>, prompt: &str) -> Result<String, Failure> {
        match (named, self.of_run.as_slice()) {
            (Some(named), _) if self.of_run.iter().any(|n| n == named) => Ok(named.to_owned()),
            (Some(named), _) => Err(Failure::user(format!("`{named}` is no word of the run"))
                .hint(format!("its words are {}", self.of_run.join(", ")))),
            (None, [only]) => Ok(only.clone()),
            (None, _) => self.in_prompt(None, prompt),
        }
    }

    /// The word that a file's rows are for: as named, else the one in the prompt whose name begins
    /// the file's name (as step files do), else the only one in the prompt.
    pub(super) fn for_file(
        &self,
        named: Option<&str>,
        prompt: &str,
        path: &Path,
    ) -> Result<String, Failure> {
        let stem = stem(path);
        if named.is_some() {
            return self.in_prompt(named, prompt);
        }
        if !edit::places(prompt, &stem).is_empty() {
            return Ok(stem);
        }
        let base = stem.rsplit_once('-').filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()));
        if let Some((base, _)) = base.filter(|(base, _)| !edit::places(prompt, base).is_empty()) {
            return Ok(base.to_owned());
        }
        self.in_prompt(None, prompt)
            .map_err(|f| f.hint(format!("say which word `{stem}` is for: 'embedding WORD: …'")))
    }
}

/// The words of a base, and of it with other rows.
pub(super) struct Words<'a> {
    unchanged: Arc<Embeddings>,
    changed: BTreeMap<(String, VectorSource), Arc<Embeddings>>,
    run: Option<&'a KeptVectors>,
}

impl<'a> Words<'a> {
    pub(super) fn new(unchanged: Embeddings, run: Option<&'a KeptVectors>) -> Self {
        Self { unchanged: Arc::new(unchanged), changed: BTreeMap::new(), run }
    }

    /// The words with one that has other rows.
    ///
    /// # Errors
    /// If the rows cannot be read or do not fit the base.
    pub(super) fn with(
        &mut self,
        base: &Base,
        rows: Option<&(String, VectorSource)>,
    ) -> Result<Arc<Embeddings>, Failure> {
        let Some(key) = rows else { return Ok(Arc::clone(&self.unchanged)) };
        if let Some(known) = self.changed.get(key) {
            return Ok(Arc::clone(known));
        }
        let (name, source) = key;
        let mut words = Embeddings::clone(&self.unchanged);
        match source {
            VectorSource::File(path) => {
                let word = embedding::read(path)?;
                word.fits(base.info.token_width).map_err(|f| Failure::from(f.at(path)))?;
                words.add(name, word.vectors, Some(path.clone()))?;
            }
            VectorSource::Step(step) => {
                let run = self.run.ok_or_else(|| Failure::user("no run"))?;
                words.add(name, run.of(name, *step)?, None)?;
            }
        }
        let words = Arc::new(words);
        self.changed.insert(key.clone(), Arc::clone(&words));
        Ok(words)
    }
}
