//! Previews of a training compared with its images, where there is an image encoder: the similarity
//! that the page draws as a curve.
use crate::commands::{judge::Judge, pictures, write};
use crate::session::Context;
use crate::{Event, Failure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use wayword_diffusion::Base;
use wayword_interface::Warning;
use wayword_train::image_encoder::similarity;
use wayword_train::pick;
use wayword_train::plan::TrainPlan;
use wayword_train::previews::FOLDER;

/// The file in the run's folder with a line for each preview.
const FILE: &str = "similarity.jsonl";

/// A preview that was compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Compared {
    step: usize,
    /// The file's name among the previews.
    preview: String,
    similarity: f64,
}

/// Compares previews as they are drawn.
pub(super) struct JudgedPreviews<'a> {
    plan: &'a TrainPlan,
    /// The run's folder.
    run: PathBuf,
    judge: Judge,
    context: &'a Context<'a>,
    /// The encoder's vectors of the training images, once they are needed; empty after a failure.
    references: OnceLock<Vec<Vec<f32>>>,
    known: Mutex<Vec<Compared>>,
}

impl<'a> JudgedPreviews<'a> {
    /// The encoder that an option names, or the bundled one on the demo's model; `None` where there is
    /// none, or where no previews are drawn. Of a run that was begun, previews that were not compared
    /// are.
    ///
    /// # Errors
    /// If the encoder cannot be run.
    pub(super) fn new(
        plan: &'a TrainPlan,
        (run, is_begun): (&Path, bool),
        judge: Option<&Path>,
        base: &Base,
        context: &'a Context<'a>,
    ) -> Result<Option<Self>, Failure> {
        if plan.previews.is_none() {
            return Ok(None);
        }
        let images: Vec<PathBuf> = plan.pictures.iter().map(|p| p.path.clone()).collect();
        let Some(judge) = Judge::of_run(judge, base, &images, context)? else { return Ok(None) };
        let known = if is_begun { read(run) } else { Vec::new() };
        let (references, known) = (OnceLock::new(), Mutex::new(known));
        let judged = Self { plan, run: run.to_owned(), judge, context, references, known };
        if is_begun {
            judged.catch_up();
        }
        Ok(Some(judged))
    }

    /// Compares a preview, tells and keeps what came of it. A failure is a warning and ends it: previews
    /// are no reason to fail.
    pub(super) fn compare(&self, path: &Path, step: usize) {
        match self.similarity(path) {
            Ok(Some(similarity)) => {
                let path = path.to_path_buf();
                let preview = name(&path);
                (self.context.progress.tell)(Event::Similarity { path, step, similarity });
                self.keep(Compared { step, preview, similarity });
            }
            Ok(None) => {}
            Err(failure) => {
                let warning = failure.diagnostic.in_context("previews are not compared");
                self.context.progress.warn(Warning(warning));
            }
        }
    }

    /// `None` where the preview shows no face to a face network, or nothing is there to compare with.
    fn similarity(&self, path: &Path) -> Result<Option<f64>, Failure> {
        let references = self.references.get_or_init(|| pick::references(&self.judge, self.plan));
        if references.is_empty() {
            return Ok(None);
        }
        let Some(vector) = self.judge.look(&pictures::open(path)?)? else { return Ok(None) };
        Ok(Some(similarity(&[vector], references)?.mean))
    }

    /// Writes all lines, so that no half one stays behind.
    fn keep(&self, compared: Compared) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(compared);
        let line = |one: &Compared| serde_json::to_string(one).map(|line| line + "\n");
        let lines: Result<String, _> = known.iter().map(line).collect();
        let written = lines
            .map_err(Failure::from)
            .and_then(|lines| write(&self.run.join(FILE), lines.as_bytes()));
        if let Err(failure) = written {
            self.context.progress.warn(Warning::from(failure.diagnostic));
        }
    }

    /// Previews of an earlier process that ended before they were compared.
    fn catch_up(&self) {
        let folder = self.run.join(FOLDER);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for path in files {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let is_known = known.iter().any(|one| one.preview == name(&path));
            drop(known);
            if let (false, Some(step)) = (is_known, step_of(&path)) {
                self.compare(&path, step);
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The step in a preview's name, `NAME_000200_00_SEED.png`.
fn step_of(path: &Path) -> Option<usize> {
    let stem = path.file_stem()?.to_str()?;
    stem.rsplit('_').nth(2)?.parse().ok()
}

/// The lines of a run; one that cannot be read is left out.
fn read(run: &Path) -> Vec<Compared> {
    let text = std::fs::read_to_string(run.join(FILE)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_previews_name_has_its_step() {
        assert_eq!(step_of(Path::new("samples/eva_ti_000200_01_42.png")), Some(200));
        assert_eq!(step_of(Path::new("samples/other.png")), None);
    }
}
