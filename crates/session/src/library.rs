//! The folders of a session, beside those that a request names, and a list of what lies in them.
use crate::commands::wildcards;
use crate::{Environment, Failure, base_search};
use serde::Serialize;
use std::path::{Path, PathBuf};
use wayword_diffusion::Loras;
use wayword_formats::kind::{FileKind, kind};
use wayword_formats::{embedding, endings};
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
    /// Of VAE files.
    pub vaes: Vec<PathBuf>,
}

impl Folders {
    /// Those of A1111, Forge and ComfyUI where they are installed, and the one that the last
    /// training wrote to. Checkpoints are looked for there by every session.
    #[must_use]
    pub fn of_programs(environment: &Environment) -> Self {
        let mut folders = Self::default();
        folders.embeddings.extend(environment.last_out());
        for root in environment.program_folders().iter().filter(|root| root.is_dir()) {
            folders.add_usual(root);
            folders.add_usual(&root.join("models"));
        }
        folders
    }

    /// Adds the folders with the usual names directly below one.
    pub fn add_usual(&mut self, root: &Path) {
        let add = |list: &mut Vec<PathBuf>, names: &[&str]| {
            for path in names.iter().map(|name| root.join(name)).filter(|path| path.is_dir()) {
                // On systems that fold case, two names are one folder.
                let real = path.canonicalize().unwrap_or(path);
                if !list.contains(&real) {
                    list.push(real);
                }
            }
        };
        add(&mut self.embeddings, &["embeddings", "words"]);
        add(&mut self.loras, &["Lora", "loras", "LyCORIS"]);
        add(&mut self.wildcards, &["wildcards", "extensions/sd-dynamic-prompts/wildcards"]);
        add(&mut self.vaes, &["VAE", "vae"]);
    }

    /// The files in the folders of VAEs.
    fn vae_files(&self) -> Vec<PathBuf> {
        let files = self.vaes.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
        let mut found: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        found.sort();
        found
    }

    /// The VAE of a name, with its file's ending or without.
    pub(crate) fn vae(&self, name: &Path) -> Option<PathBuf> {
        let is_called = |path: &PathBuf| {
            let same_name = path.file_name() == Some(name.as_os_str());
            same_name
                || endings::TENSORS.contains(&endings::of(path).as_str())
                    && path.file_stem() == Some(name.as_os_str())
        };
        self.vae_files().into_iter().find(is_called)
    }
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
    /// VAE files, those beside checkpoints too.
    pub vaes: Vec<Listed>,
    /// Files and folders that cannot be read, and why.
    pub left_out: Vec<String>,
}

impl Library {
    /// Looks through the folders.
    pub(crate) fn scan(environment: &Environment, folders: &Folders) -> Self {
        let mut library = Self::default();
        let checkpoints = base_search::checkpoints(environment, &folders.checkpoints);
        let is_vae = |path: &PathBuf| {
            endings::has(path, endings::TENSORS)
                && path.is_file()
                && kind(path).is_ok_and(|kind| kind == FileKind::Vae)
        };
        let mut vaes = folders.vae_files();
        vaes.extend(checkpoints.iter().cloned());
        vaes.retain(is_vae);
        vaes.sort();
        vaes.dedup();
        library.vaes = vaes.iter().map(|path| listed(path)).collect();
        library.checkpoints = checkpoints.into_iter().map(|path| listed(&path)).collect();
        for folder in &folders.embeddings {
            let Some(found) = library.noted(embedding::scan(folder, None)) else { continue };
            let words = found.loaded.into_iter();
            library
                .embeddings
                .extend(words.map(|word| Listed { name: word.name, path: word.path }));
            library.left_out.extend(found.skipped.iter().map(|file| file.reason.to_string()));
        }
        for folder in &folders.loras {
            let found = Loras::open(std::slice::from_ref(folder), &Quiet);
            let Some(found) = library.noted(found) else { continue };
            library.loras.extend(found.files().map(|file| listed(&file.path)));
            library.left_out.extend(found.skipped().map(ToString::to_string));
        }
        for folder in &folders.wildcards {
            let found = wildcards(std::slice::from_ref(folder), Quirks::Sane);
            let Some(found) = library.noted(found) else { continue };
            library.wildcards.extend(found.names().map(str::to_owned));
            library.left_out.extend(found.notes);
        }
        library
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
