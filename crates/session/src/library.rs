//! The folders of a session, beside those that a request names, and a list of what lies in them.
use crate::commands::wildcards;
use crate::{Environment, Failure, base_search};
use serde::Serialize;
use std::path::{Path, PathBuf};
use wayword_diffusion::Loras;
use wayword_formats::embedding;
use wayword_interface::Quiet;
use wayword_prompt::Quirks;

/// Folders that all jobs of a session look through, after those of their requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// Of checkpoints, beside the usual ones.
    pub checkpoints: Vec<PathBuf>,
    /// Of embeddings.
    pub embeddings: Vec<PathBuf>,
    /// Of LoRAs.
    pub loras: Vec<PathBuf>,
    /// Of wildcards.
    pub wildcards: Vec<PathBuf>,
}

/// A file that a prompt can call, or that can be a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What is written in a prompt: the file's name without its ending.
    pub name: String,
    /// The file, or a diffusers folder.
    pub path: PathBuf,
}

/// What lies in the folders of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Library {
    /// Checkpoints, those of the usual folders too.
    pub checkpoints: Vec<Listed>,
    /// Embeddings that can be read.
    pub embeddings: Vec<Listed>,
    /// LoRAs that can be read.
    pub loras: Vec<Listed>,
    /// Names of wildcards.
    pub wildcards: Vec<String>,
    /// Files and folders that cannot be read, and why.
    pub left_out: Vec<String>,
}

impl Library {
    /// Looks through the folders.
    pub(crate) fn scan(environment: &Environment, folders: &Folders) -> Self {
        let mut all = Self::default();
        let checkpoints = base_search::checkpoints(environment, &folders.checkpoints);
        all.checkpoints = checkpoints.into_iter().map(|path| listed(&path)).collect();
        for folder in &folders.embeddings {
            let Some(found) = all.noted(embedding::scan(folder, None)) else { continue };
            let words = found.loaded.into_iter();
            all.embeddings.extend(words.map(|word| Listed { name: word.name, path: word.path }));
            all.left_out.extend(found.skipped.iter().map(|file| file.reason.to_string()));
        }
        for folder in &folders.loras {
            let found = Loras::open(std::slice::from_ref(folder), &Quiet);
            let Some(found) = all.noted(found) else { continue };
            all.loras.extend(found.files().map(|file| listed(&file.path)));
            all.left_out.extend(found.skipped().map(ToString::to_string));
        }
        for folder in &folders.wildcards {
            let found = wildcards(std::slice::from_ref(folder), Quirks::Sane);
            let Some(found) = all.noted(found) else { continue };
            all.wildcards.extend(found.names().map(str::to_owned));
            all.left_out.extend(found.notes);
        }
        all
    }

    /// What was found, or a note of why nothing was.
    fn noted<T, E: Into<Failure>>(&mut self, found: Result<T, E>) -> Option<T> {
        found.map_err(|error| self.left_out.push(error.into().message().to_owned())).ok()
    }
}

fn listed(path: &Path) -> Listed {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    Listed { name: name.unwrap_or_default().to_string_lossy().into_owned(), path: path.into() }
}
