//! Captions from one file for many pictures: kohya's metadata JSON, or JSON lines.
use super::scan::{PictureFile, ScanOptions};
use crate::error::{AtFile, Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_formats::endings::PICTURES;
use wayword_formats::picture::PictureRecord;
use wayword_interface::text_file;

/// What a file says about one picture.
#[derive(Debug, Clone, Default, Deserialize)]
struct Entry {
    caption: Option<String>,
    tags: Option<String>,
    #[serde(alias = "image_path", alias = "file_name")]
    image: Option<String>,
}

/// The pictures that a metadata file names, with their captions, sorted by path.
///
/// `.json` is `{key: {caption, tags}}`, `.jsonl` has `{image_path, caption, tags}` on each line. A
/// key is a path, or a path below `folder`, with or without its ending. The caption is the caption,
/// `separator` and the tags.
///
/// # Errors
/// If the file cannot be read, or a picture that it names is not found or broken.
pub fn read(
    file: &Path,
    folder: Option<&Path>,
    separator: &str,
    scan: &ScanOptions,
) -> Result<Vec<PictureFile>> {
    let text = text_file::read(file).at(file)?;
    let lines = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl"));
    let entries = if lines { from_lines(file, &text)? } else { from_object(file, &text)? };
    if entries.is_empty() {
        return Err(Error::data(format!("{}: names no image", file.display())));
    }
    let mut pictures = Vec::with_capacity(entries.len());
    for (key, entry) in entries {
        let path = find(&key, folder).ok_or_else(|| {
            let error = Error::data(format!("{}: image {key} was not found", file.display()));
            match folder {
                Some(folder) => error.with_hint(format!("looked for it in {}", folder.display())),
                None => error.with_hint("keys that are no whole paths need image_dir"),
            }
        })?;
        let caption = match (entry.caption, entry.tags) {
            (Some(caption), Some(tags)) if !tags.is_empty() => {
                Some(format!("{caption}{separator}{tags}"))
            }
            (None, tags) => tags,
            (caption, _) => caption,
        };
        let PictureRecord { size, sha256 } = scan.reads.record(&path, scan.orient)?;
        pictures.push(PictureFile { size, sha256, caption, path, mask: None });
    }
    pictures.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pictures)
}

fn from_object(file: &Path, text: &str) -> Result<Vec<(String, Entry)>> {
    let map: BTreeMap<String, Entry> = serde_json::from_str(text).map_err(|e| {
        let what = e.to_string().replace("struct Entry", "an object for each image");
        Error::data(format!("{}: {what}", file.display()))
            .with_hint("expected {\"picture\": {\"caption\": \"…\", \"tags\": \"…\"}}")
    })?;
    Ok(map.into_iter().collect())
}

fn from_lines(file: &Path, text: &str) -> Result<Vec<(String, Entry)>> {
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    lines
        .map(|(i, line)| {
            let bad = |what: &str| {
                Error::run(file, format!("line {}: {what}", i + 1))
                    .with_hint("expected {\"image_path\": \"…\", \"caption\": \"…\"}")
            };
            let entry: Entry =
                serde_json::from_str(line).map_err(|e| bad("not JSON").with_source(e))?;
            let key = entry.image.clone().ok_or_else(|| bad("no image_path"))?;
            Ok((key, entry))
        })
        .collect()
}

/// The file of a key: itself, below the folder, or the same with an ending.
fn find(key: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let whole = PathBuf::from(key);
    let below = folder.map(|f| f.join(key));
    for path in [Some(whole), below].into_iter().flatten() {
        if path.is_file() {
            return Some(path);
        }
        for ending in PICTURES.iter().flat_map(|e| [(*e).to_owned(), e.to_uppercase()]) {
            let mut name = path.clone().into_os_string();
            name.push(format!(".{ending}"));
            if Path::new(&name).is_file() {
                return Some(name.into());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_and_tags_of_both_kinds() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png"] {
            image::RgbImage::new(4, 2).save(dir.path().join(name)).unwrap();
        }
        let json = dir.path().join("meta.json");
        let text = r#"{"b": {"tags": "x, y"}, "a.png": {"caption": "c", "tags": "t", "n": 1}}"#;
        std::fs::write(&json, text).unwrap();
        let scan = ScanOptions::default();
        let read = |file: &Path, sub: Option<&Path>| read(file, sub, ", ", &scan);
        let found = read(&json, Some(dir.path())).unwrap();
        let captions: Vec<_> = found.iter().map(|p| p.caption.as_deref()).collect();
        assert_eq!(captions, [Some("c, t"), Some("x, y")]);
        let lines = dir.path().join("meta.jsonl");
        let path = dir.path().join("a.png");
        std::fs::write(&lines, format!("{}\n\n", serde_json::json!({"image_path": path}))).unwrap();
        assert_eq!(read(&lines, None).unwrap()[0].size, (4, 2));
        assert!(read(&json, None).unwrap_err().hint().unwrap().contains("image_dir"));
        std::fs::write(&lines, "{\"caption\": \"c\"}").unwrap();
        assert!(read(&lines, None).unwrap_err().to_string().contains("line 1"));
    }
}
