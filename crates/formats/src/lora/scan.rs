//! A folder of LoRA files by the names that prompts use.

use crate::embedding::stem;
use crate::error::{Error, Fault};
use crate::{Container, SafeTensors, endings, hash};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// One file.
#[derive(Debug, Clone)]
pub struct File {
    /// The file's name without its ending.
    pub name: String,
    /// The name that its author gave it, if another.
    pub alias: Option<String>,
    /// The file.
    pub path: PathBuf,
    /// The hash that its metadata bring.
    sshs: Option<String>,
}

impl File {
    /// A1111's hash of the file, twelve digits: the one in its metadata, else SHA-256 after the
    /// header (safetensors) or of the whole file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn short_hash(&self) -> Result<String, Error> {
        let full = match &self.sshs {
            Some(hash) => hash.clone(),
            None if Container::of(&self.path)? == Some(Container::SafeTensors) => {
                hash::sha256_after_header(&self.path)?
            }
            None => hash::sha256(&self.path)?,
        };
        Ok(hash::short_network(&full).to_owned())
    }
}

/// The files of a folder; lookup by file name first, then by alias.
#[derive(Debug, Default)]
pub struct Folder {
    /// The files in the order of their paths. Of two with one name the first counts.
    pub files: Vec<File>,
    /// Files that cannot be opened or whose name is taken, and why.
    pub skipped: Vec<Error>,
    // Aliases of several files, in lower case: they mean none of them.
    ambiguous: BTreeSet<String>,
}

impl Folder {
    /// The file that `name` means.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&File> {
        let by_alias = |f: &&File| f.alias.as_deref() == Some(name);
        self.files.iter().find(|f| f.name == name).or_else(|| {
            let usable = !self.ambiguous.contains(&name.to_lowercase());
            self.files.iter().find(by_alias).filter(|_| usable)
        })
    }

    /// Whether several files bear the alias `name`, so that it means none of them.
    #[must_use]
    pub fn is_ambiguous(&self, name: &str) -> bool {
        self.ambiguous.contains(&name.to_lowercase())
    }
}

/// The alias in a file's metadata; `None` as a word is no name.
pub(super) fn alias(metadata: &BTreeMap<String, String>) -> Option<&str> {
    let alias = metadata.get("ss_output_name").map(String::as_str)?;
    (!alias.is_empty() && !alias.eq_ignore_ascii_case("none")).then_some(alias)
}

/// A file by its path, under the names that it has; whether it can be read is seen by [`super::read`].
#[must_use]
pub fn file(path: &Path) -> File {
    let metadata = SafeTensors::metadata_of(path);
    File {
        name: stem(path),
        alias: alias(&metadata).map(str::to_owned),
        path: path.to_owned(),
        sshs: metadata.get("sshs_model_hash").cloned(),
    }
}

/// Lists the files of a folder and its subfolders, links followed; only headers are read.
///
/// # Errors
/// Where the folder itself cannot be read.
pub fn folder(path: &Path) -> Result<Folder, Error> {
    std::fs::read_dir(path).map_err(|e| Fault::from(e).at(path))?;
    let mut out = Folder::default();
    let mut aliases: BTreeMap<String, usize> = BTreeMap::new();
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().flatten() {
        let known = endings::has(entry.path(), endings::TENSORS);
        if !known || endings::is_hidden(entry.path()) || !entry.file_type().is_file() {
            continue;
        }
        let path = entry.into_path();
        let name = stem(&path);
        if let Some(first) = out.files.iter().find(|f| f.name == name) {
            let what = format!("the name `{name}` is already used by {}", first.path.display());
            out.skipped.push(Fault::kind(what, "rename one of the two files").at(&path));
            continue;
        }
        let metadata = SafeTensors::metadata_of(&path);
        let alias = alias(&metadata).map(str::to_owned);
        // A file's own name is its alias where it has none.
        *aliases.entry(alias.as_ref().unwrap_or(&name).to_lowercase()).or_default() += 1;
        // A broken file still makes its alias ambiguous, as it would be found once it is repaired.
        if matches!(Container::of(&path), Ok(Some(Container::SafeTensors)))
            && let Err(e) = SafeTensors::open(&path)
        {
            out.skipped.push(e);
            continue;
        }
        out.files.push(File { name, alias, path, sshs: metadata.get("sshs_model_hash").cloned() });
    }
    out.ambiguous = aliases.into_iter().filter(|(_, n)| *n > 1).map(|(a, _)| a).collect();
    Ok(out)
}
