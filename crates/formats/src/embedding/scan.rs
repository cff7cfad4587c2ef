//! A folder of embeddings: what was loaded, what was left out and why.

use super::Embedding;
use crate::endings;
use crate::error::{Error, Fault};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Whether this is a training's own folder `NAME.run` beside its files; its state is no embedding.
#[must_use]
pub fn is_run(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "run") && path.join("plan.json").is_file()
}

/// One embedding of a folder.
#[derive(Debug, Clone)]
pub struct NamedEmbedding {
    /// The word that calls it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Its rows.
    pub embedding: Embedding,
}

/// A file that looked like an embedding and was left out.
#[derive(Debug)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: Error,
}

/// What a folder holds, both lists in the order of their paths.
#[derive(Debug, Default)]
pub struct Scan {
    /// The usable embeddings; no name comes twice.
    pub loaded: Vec<NamedEmbedding>,
    /// Broken files, files of another width or kind, and second files of one name.
    pub skipped: Vec<Skipped>,
    /// Names of files that were not opened because nobody calls them.
    pub unread: Vec<String>,
}

/// Reads all embeddings in a folder and its subfolders, links followed, for a model whose token
/// rows have `width` values (`None`: any).
///
/// Files of other endings, empty files, `NAME.preview.png`, ordinary pictures and the folders of
/// training runs are passed over.
/// Of two files with one name the first path counts.
///
/// # Errors
/// Where the folder itself cannot be read; whatever is wrong inside goes to [`Scan::skipped`].
pub fn scan(folder: &Path, width: Option<usize>) -> Result<Scan, Error> {
    scan_called(folder, width, &|_| true)
}

/// As [`scan`], but opens only files that are called by their names without ending: a folder may
/// have thousands. A picture has its name inside and is opened in any case; of those that nobody
/// calls, broken ones are passed over.
///
/// # Errors
/// As [`scan`].
pub fn scan_called(
    folder: &Path,
    width: Option<usize>,
    is_called: &dyn Fn(&str) -> bool,
) -> Result<Scan, Error> {
    std::fs::read_dir(folder).map_err(|e| Fault::from(e).at(folder))?;
    let mut out = Scan::default();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|e| !is_run(e.path())) {
        let path = match entry {
            Ok(entry) if entry.file_type().is_file() => entry.into_path(),
            Ok(_) => continue,
            Err(e) => {
                // A link to a folder above: its files were seen already.
                if e.loop_ancestor().is_none() {
                    let path = e.path().unwrap_or(folder).to_owned();
                    out.skipped.push(Skipped { reason: Fault::Io(e.into()).at(&path), path });
                }
                continue;
            }
        };
        if !is_candidate(&path) {
            continue;
        }
        let is_called = is_called(&super::stem(&path));
        if !is_called && endings::has(&path, endings::TENSORS) {
            out.unread.push(super::stem(&path));
            continue;
        }
        let embedding = match super::read(&path) {
            Ok(embedding) => embedding,
            // The plain picture, a preview.
            Err(Error { fault: Fault::Kind { hint: None, .. }, .. }) => continue,
            Err(_) if !is_called => continue,
            Err(reason) => {
                out.skipped.push(Skipped { path, reason });
                continue;
            }
        };
        let name = embedding.trigger(&path);
        let refused =
            width.map_or(Ok(()), |w| embedding.fits(w)).and_then(|()| match names.get(&name) {
                None => Ok(()),
                Some(first) => Err(Fault::kind(
                    format!("the name `{name}` is already used by {}", first.display()),
                    "rename one of the two files",
                )),
            });
        if let Err(fault) = refused {
            out.skipped.push(Skipped { reason: fault.at(&path), path });
            continue;
        }
        names.insert(name.clone(), path.clone());
        out.loaded.push(NamedEmbedding { name, path, embedding });
    }
    Ok(out)
}

fn is_candidate(path: &Path) -> bool {
    let preview =
        path.file_stem().is_some_and(|s| s.to_string_lossy().to_lowercase().ends_with(".preview"));
    let is_picture = endings::has(path, endings::EMBEDDING_PICTURES)
        || endings::has(path, endings::UNREAD_EMBEDDING_PICTURES);
    (endings::has(path, endings::TENSORS) || is_picture && !preview)
        && !endings::is_hidden(path)
        && std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_nobody_calls_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.pt", "b.safetensors", "c.bin", "d.png"] {
            std::fs::write(dir.path().join(name), "no embedding").unwrap();
        }
        let found = scan_called(dir.path(), None, &|name| name == "b").unwrap();
        assert_eq!(found.unread, ["a", "c"]);
        let skipped: Vec<_> = found.skipped.iter().map(|s| s.path.file_name().unwrap()).collect();
        assert_eq!(skipped, ["b.safetensors"], "a picture that nobody calls is no fault");
        assert_eq!(scan(dir.path(), None).unwrap().skipped.len(), 4);
    }
}
