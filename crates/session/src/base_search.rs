//! Where checkpoints usually lie, and which of them are the original ones.
use crate::Environment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_formats::known;
use wayword_interface::Diagnostic;

/// The smallest of the known files has 4.27 GB; anything below is not one of them and need not be
/// read to know that.
const SMALLEST_KNOWN: u64 = 4_000_000_000;

/// What a search found.
pub(crate) struct Found {
    /// The one to use, and its name.
    pub(crate) original: Result<(PathBuf, &'static str), Vec<PathBuf>>,
}

/// The one original checkpoint to use where none was named.
///
/// # Errors
/// If none or several were found; the failure lists what there is.
pub(crate) fn find(
    finds: &[PathBuf],
    folders: &[PathBuf],
    hash: impl Fn(&Path) -> Option<String>,
) -> Result<(PathBuf, &'static str), Diagnostic> {
    let big = |p: &Path| std::fs::metadata(p).is_ok_and(|m| m.len() >= SMALLEST_KNOWN);
    match choose(finds, |p| if big(p) { hash(p) } else { None }).original {
        Ok(found) => Ok(found),
        Err(_) if finds.is_empty() => Err(Diagnostic::new("no checkpoint given, and none found")
            .with_hint(format!(
                "give a Stable Diffusion 1.x file with `{{any.base}} FILE`; {}",
                looked_in(folders)
            ))),
        Err(originals) => {
            let (what, list) = if originals.is_empty() {
                ("no checkpoint given, and none of those found is the original 1.4 or 1.5", finds)
            } else {
                ("no checkpoint given, and several originals found", originals.as_slice())
            };
            let mut text = what.to_owned();
            for path in list.iter().take(20) {
                text.push_str(&format!("\n  {}", path.display()));
            }
            if list.len() > 20 {
                text.push_str(&format!("\n  and {} more", list.len() - 20));
            }
            Err(Diagnostic::new(text).with_hint("name one with `{any.base} FILE`"))
        }
    }
}

/// The folders that are there, for a hint.
pub(crate) fn looked_in(folders: &[PathBuf]) -> String {
    let there: Vec<String> =
        folders.iter().filter(|f| f.is_dir()).map(|f| f.display().to_string()).collect();
    match there.as_slice() {
        [] => {
            "the model folders of A1111 and ComfyUI and the Hugging Face cache do not exist".into()
        }
        some => format!("looked in {}", some.join(", ")),
    }
}

/// The one original among the finds; several copies of one file count once. Otherwise all
/// originals, or none.
fn choose(finds: &[PathBuf], hash: impl Fn(&Path) -> Option<String>) -> Found {
    let mut originals: BTreeMap<&'static str, PathBuf> = BTreeMap::new();
    for path in finds {
        if let Some(name) = hash(path).and_then(|h| known::original(&h)) {
            originals.entry(name).or_insert_with(|| path.clone());
        }
    }
    if originals.len() == 1
        && let Some((name, path)) = originals.first_key_value()
    {
        return Found { original: Ok((path.clone(), name)) };
    }
    Found { original: Err(originals.into_values().collect()) }
}

/// Checkpoints in the usual folders and in others.
pub(crate) fn checkpoints(environment: &Environment, more: &[PathBuf]) -> Vec<PathBuf> {
    below(&folders(environment, more))
}

/// The usual folders, whether they are there or not, and others.
pub(crate) fn folders(environment: &Environment, more: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = environment.checkpoint_folders();
    folders.extend_from_slice(more);
    folders
}

/// Checkpoint files below the places, sorted, each real file once. Files inside a diffusers folder
/// are parts of a checkpoint and left out; so are the parts of other kinds of models, which these
/// folders do not hold.
fn below(places: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for place in places {
        walk(place, 6, &mut found);
    }
    let mut paths: Vec<PathBuf> = found.into_values().collect();
    paths.sort();
    paths
}

fn walk(dir: &Path, depth: usize, found: &mut BTreeMap<PathBuf, PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    let is_diffusers = paths.iter().any(|p| p.file_name().is_some_and(|n| n == "model_index.json"));
    if is_diffusers && let Ok(real) = dir.canonicalize() {
        found.insert(real, dir.to_path_buf());
    }
    for path in paths {
        if path.is_dir() {
            // Blobs are the content of the snapshots under other names.
            let skipped = path.file_name().is_some_and(|n| n == "blobs" || n == ".locks");
            if depth > 0 && !skipped && !is_diffusers {
                walk(&path, depth - 1, found);
            }
        } else if path.extension().is_some_and(|e| e == "safetensors" || e == "ckpt")
            && let Ok(real) = path.canonicalize()
        {
            found.entry(real).or_insert(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayword_formats::known::ORIGINALS as KNOWN;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, path.to_string_lossy().as_bytes()).unwrap();
    }

    fn names(paths: &[PathBuf], root: &Path) -> Vec<String> {
        let below =
            |p: &PathBuf| p.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        paths.iter().map(below).collect()
    }

    #[test]
    fn checkpoints_are_found_in_the_usual_folders() {
        let root = tempfile::tempdir().unwrap();
        let r = root.path();
        touch(&r.join("hub/models--a--b/snapshots/1/v1-5-pruned-emaonly.safetensors"));
        touch(&r.join("hub/models--a--c/snapshots/1/model_index.json"));
        touch(&r.join("hub/models--a--c/snapshots/1/unet/diffusion_pytorch_model.safetensors"));
        touch(&r.join("webui/models/Stable-diffusion/sub/dream.ckpt"));
        touch(&r.join("webui/models/Stable-diffusion/put models here.txt"));
        let places = [r.join("hub"), r.join("webui/models/Stable-diffusion"), r.join("missing")];
        assert_eq!(
            names(&below(&places), r),
            [
                "hub/models--a--b/snapshots/1/v1-5-pruned-emaonly.safetensors",
                "hub/models--a--c/snapshots/1",
                "webui/models/Stable-diffusion/sub/dream.ckpt",
            ]
        );
    }

    #[test]
    fn exactly_one_original_is_used() {
        let finds: Vec<PathBuf> = ["a", "b", "c"].map(PathBuf::from).into();
        let hashes = |known: [Option<usize>; 3]| {
            move |p: &Path| {
                let i = ["a", "b", "c"].iter().position(|n| Path::new(n) == p)?;
                known[i].map(|k| KNOWN[k].sha256.to_owned())
            }
        };
        let original = choose(&finds, hashes([None, Some(0), None])).original.unwrap();
        assert_eq!(original, (PathBuf::from("b"), KNOWN[0].name));
        let copies = choose(&finds, hashes([None, Some(0), Some(0)])).original.unwrap();
        assert_eq!(copies.0, PathBuf::from("b"));
        let two = choose(&finds, hashes([Some(4), Some(0), None])).original.unwrap_err();
        assert_eq!(two.len(), 2);
        assert!(choose(&finds, hashes([None, None, None])).original.unwrap_err().is_empty());
    }
}
