//! Folders of LoRA files, found by the names that prompts use, each file read once.
use super::{Loaded, Network};
use crate::{Event, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wayword_formats::endings::TENSORS;
use wayword_formats::lora::{self, File, Folder};
use wayword_interface::Events;
use wayword_prompt::error::did_you_mean;

/// All LoRA files that a job may use.
#[derive(Debug, Default)]
pub struct Loras {
    folders: Vec<Folder>,
    loaded: Mutex<BTreeMap<PathBuf, Arc<Loaded>>>,
}

/// What a name means.
pub(super) enum LoraMatch<'a> {
    File(&'a File),
    /// Several files bear this alias.
    Ambiguous(Vec<&'a File>),
    /// The file of this name cannot be opened.
    Broken(&'a wayword_formats::Error),
    Nothing,
}

impl Loras {
    /// Lists the files of folders and their subfolders; none is read yet.
    ///
    /// # Errors
    /// If a folder itself cannot be read.
    pub fn open(folders: &[PathBuf], events: &dyn Events<Event>) -> Result<Self> {
        let mut all = Self::default();
        for folder in folders {
            events.event(Event::Loading { what: "LoRA", path: folder.clone() });
            all.folders.push(lora::folder(folder)?);
        }
        Ok(all)
    }

    /// The files, in the order of the folders and of their paths.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.folders.iter().flat_map(|folder| &folder.files)
    }

    /// Files that cannot be used, and why.
    pub fn skipped(&self) -> impl Iterator<Item = &wayword_formats::Error> {
        self.folders.iter().flat_map(|folder| &folder.skipped)
    }

    /// The file, read. Files stay known for as long as this does; their tensors are mapped.
    ///
    /// # Errors
    /// If the file is broken or no LoRA.
    pub fn load(&self, file: &File) -> Result<Arc<Loaded>> {
        let known = || self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = known().get(&file.path) {
            return Ok(Arc::clone(done));
        }
        let loaded = Arc::new(Loaded::new(file.clone())?);
        known().insert(file.path.clone(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// The file at a path, read, wherever it lies.
    ///
    /// # Errors
    /// As [`Loras::load`].
    pub fn load_path(&self, path: &Path) -> Result<Arc<Loaded>> {
        self.load(&lora::file(path))
    }

    /// The LoRA of a name with these multipliers, for callers without a prompt.
    ///
    /// # Errors
    /// If no file has the name, or it is broken.
    pub fn network(&self, name: &str, text: f32, unet: f32) -> Result<Network> {
        match self.find(name) {
            LoraMatch::File(file) => Ok(Network::new(name, self.load(file)?, text, unet)),
            other => Err(crate::Error::Lora {
                name: name.into(),
                reason: self.reason(name, &other),
                hint: self.hint(name),
            }),
        }
    }

    /// The file that a name means: by the file's name, else by its author's name for it, if no
    /// other file bears that, in whatever case.
    pub(super) fn find(&self, name: &str) -> LoraMatch<'_> {
        if let Some(file) = self.files().find(|f| f.name == name) {
            return LoraMatch::File(file);
        }
        let broken = |e: &&wayword_formats::Error| {
            e.path.file_stem().is_some_and(|s| s.to_string_lossy() == name)
        };
        if let Some(error) = self.skipped().find(broken) {
            return LoraMatch::Broken(error);
        }
        let bears = |f: &&File| {
            let alias = f.alias.as_deref().unwrap_or(&f.name);
            alias.to_lowercase() == name.to_lowercase()
        };
        let bearers: Vec<&File> = self.files().filter(bears).collect();
        let has_alias = |f: &&File| f.alias.as_deref() == Some(name);
        if !bearers.iter().any(has_alias) {
            return LoraMatch::Nothing;
        }
        // A broken file's alias counts, too.
        match bearers.as_slice() {
            [one] if !self.folders.iter().any(|f| f.is_ambiguous(name)) => LoraMatch::File(one),
            _ => LoraMatch::Ambiguous(bearers),
        }
    }

    /// What the file with a hash is called here, where the one that `name` means has another hash
    /// or there is none; `None` where the name is right or no file has the hash.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn called(&self, name: &str, hash: &str) -> Result<Option<String>> {
        if let LoraMatch::File(file) = self.find(name)
            && file.short_hash()? == hash
        {
            return Ok(None);
        }
        for file in self.files() {
            if file.short_hash()? != hash {
                continue;
            }
            let means = |alias: &&str| matches!(self.find(alias), LoraMatch::File(f) if f.path == file.path);
            let name = file.alias.as_deref().filter(means).unwrap_or(&file.name);
            return Ok(Some(name.to_owned()));
        }
        Ok(None)
    }

    /// Why a name means no file.
    pub(super) fn reason(&self, name: &str, found: &LoraMatch<'_>) -> String {
        match found {
            LoraMatch::Ambiguous(files) => {
                let names: Vec<String> = files.iter().map(|f| format!("`{}`", f.name)).collect();
                format!("several files are named `{name}` in their metadata: {}", names.join(", "))
            }
            LoraMatch::Broken(error) => error.to_string(),
            _ => "not found".to_owned(),
        }
    }

    /// What to write instead; folders and endings are no part of a name.
    pub(super) fn hint(&self, name: &str) -> Option<String> {
        let names = self.files().flat_map(|f| f.alias.iter().chain([&f.name])).map(String::as_str);
        match self.find(name) {
            LoraMatch::Ambiguous(_) => Some("use the file name instead".into()),
            LoraMatch::Broken(error) => error.hint(),
            _ if self.folders.is_empty() => Some("pass their folder with {any.loras} DIR".into()),
            _ => did_you_mean(bare(name), names).map(|meant| format!("did you mean `{meant}`?")),
        }
    }
}

/// A name without the folder before it and the ending behind it.
fn bare(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    match name.rsplit_once('.') {
        Some((stem, ending)) if TENSORS.contains(&ending) => stem,
        _ => name,
    }
}
