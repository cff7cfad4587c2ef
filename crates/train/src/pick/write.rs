//! A run that is open for picking, and the files of a pick.
use crate::checkpoint::LAST;
use crate::error::AtFile;
use crate::plan::TrainPlan;
use crate::run_folder::RunFolder;
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::training_loop::saver;
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use wayword_formats::atomic;

/// A run's plan and vectors; nobody else writes to its folder.
pub(super) struct OpenRun {
    pub(super) plan: TrainPlan,
    pub(super) kept: KeptVectors,
    folder: RunFolder,
}

impl OpenRun {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (folder, plan) = TrainPlan::open(path)?;
        let kept = KeptVectors::open(path)?;
        if kept.last() == 0 {
            return Err(Error::run(path, "the run has no steps yet"));
        }
        Ok(Self { plan, kept, folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Refuses a run that would write its own last file later.
    pub(super) fn can_be_written(&self) -> Result<()> {
        let (last, steps) = (self.kept.last(), self.plan.steps);
        if last >= steps {
            return Ok(());
        }
        let what = format!("the run is not finished: it has {last} of {steps} steps");
        Err(Error::run(self.path(), what).with_hint(format!(
            "finish it with {{train.resume}} \"{}\", or take a step by `wayword convert`",
            self.path().display()
        )))
    }

    /// Writes the chosen steps as the embedding's files, keeps the last step's under NAME-last, and
    /// notes the choice in the plan, so that a repeated or resumed run ends with it too. The files,
    /// those of the chosen steps first.
    pub(super) fn write(&self, chosen: StepChoice) -> Result<Vec<PathBuf>> {
        let last = StepChoice::One(self.kept.last());
        let choice = Some(chosen).filter(|chosen| *chosen != last);
        let saver = saver::saver(&self.plan);
        let mut spares = Vec::new();
        for embedding in &self.plan.embeddings {
            let (file, spare) =
                (saver.path(&embedding.name), saver.path(&format!("{}{LAST}", embedding.name)));
            if spare.exists() {
                continue;
            }
            if self.plan.chosen.is_none() && file.is_file() {
                let bytes = std::fs::read(&file).at(&file)?;
                atomic::write_bytes(&spare, &bytes).at(&spare)?;
            } else {
                let vectors = self.kept.of(&embedding.name, last)?;
                saver::write_one(&self.plan, embedding, &vectors, LAST, None)?;
            }
            spares.push(spare);
        }
        let plan = TrainPlan { chosen: choice, ..self.plan.clone() };
        self.folder.write_plan(&plan)?;
        let mut files = if choice.is_none() {
            self.restore_last()?
        } else {
            saver::write_all(&plan, &self.kept.all(chosen)?, "", choice)?
        };
        files.append(&mut spares);
        Ok(files)
    }

    /// The last step is the best after all: its files come back as they were.
    fn restore_last(&self) -> Result<Vec<PathBuf>> {
        let saver = saver::saver(&self.plan);
        let mut files = Vec::new();
        for embedding in &self.plan.embeddings {
            let spare = saver.path(&format!("{}{LAST}", embedding.name));
            let file = saver.path(&embedding.name);
            let bytes = std::fs::read(&spare).at(&spare)?;
            atomic::write_bytes(&file, &bytes).at(&file)?;
            files.push(file);
        }
        Ok(files)
    }
}
