//! Reads a folder of wildcards: the only part of this crate that touches files.
use super::simple::SimpleWildcards;
use super::store::{Value, Wildcards};
use crate::Quirks;
use crate::attention::number;
use crate::unicode::{digit, strip};
use serde_yaml_ng::Value as Yaml;
use std::io;
use std::path::Path;
use walkdir::WalkDir;
use wayword_interface::text_file;

/// Reads all `.txt`, `.yaml` and `.json` files below a folder; in the sane reading `.yml` too.
///
/// A `.txt` is named by its path and holds one value a line; blank lines and lines that begin with
/// `#` are left out. The maps of a `.yaml` or `.json` file give names joined by `/`, its lists or
/// single texts the values; a list at the top is named by the file. Folders whose names begin with a
/// dot are left out, links are followed. Files that cannot be read, and with [`Quirks::A1111`] also
/// numbers in lists, are left out and noted.
///
/// # Errors
/// The folder cannot be read.
pub fn read_folder(folder: &Path, quirks: Quirks) -> io::Result<Wildcards> {
    let mut wildcards = Wildcards::default();
    each_file(folder, |path, name| {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        match extension {
            "txt" => {
                let text = text(path, name, quirks, &mut wildcards)?;
                wildcards.insert(stem, lines(&text));
            }
            "yaml" | "json" => structured(path, name, quirks, &mut wildcards)?,
            "yml" if quirks == Quirks::Sane => structured(path, name, quirks, &mut wildcards)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(wildcards)
}

/// Reads all `.txt` files below a folder for A1111's small wildcard extension.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn read_simple_folder(folder: &Path) -> io::Result<SimpleWildcards> {
    let mut files = SimpleWildcards::new();
    each_file(folder, |path, name| {
        if let Some(stem) = name.strip_suffix(".txt") {
            let bytes = std::fs::read(path)?;
            let text =
                text_file::decode(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes));
            files.insert(stem.to_owned(), text.lines().map(str::to_owned).collect());
        }
        Ok(())
    })?;
    Ok(files)
}

/// Calls `read` for each file with its path and its name relative to the folder, in sorted order.
fn each_file(folder: &Path, mut read: impl FnMut(&Path, &str) -> io::Result<()>) -> io::Result<()> {
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    let kept = walk.filter_entry(|entry| {
        entry.depth() == 0 || !(entry.file_type().is_dir() && hidden(entry.file_name()))
    });
    for entry in kept {
        // A dangling link or a link to a folder above is no reason to refuse the rest.
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() > 0 => continue,
            Err(error) => return Err(error.into()),
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        read(entry.path(), &parts.join("/"))?;
    }
    Ok(())
}

/// A file's text; of other encodings bytes that are not UTF-8 are left out as in the peer. A byte
/// order mark is no text, except with quirks.
fn text(path: &Path, name: &str, quirks: Quirks, wildcards: &mut Wildcards) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    if quirks == Quirks::Sane
        && let Ok(text) = text_file::decode(&bytes)
    {
        return Ok(text.into_owned());
    }
    let text: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
    if text.len() != bytes.len() {
        wildcards.notes.push(format!("{name} is not UTF-8: some characters are missing"));
    }
    Ok(text)
}

fn lines(text: &str) -> Vec<Value> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept =
        text.split('\n').map(strip).filter(|line| !line.is_empty() && !line.starts_with('#'));
    kept.map(Value::plain).collect()
}

/// Reads a YAML or JSON file; JSON is read as such, so that its errors are its own.
fn structured(
    path: &Path,
    name: &str,
    quirks: Quirks,
    wildcards: &mut Wildcards,
) -> io::Result<()> {
    let bytes = std::fs::read(path)?;
    let text = match text_file::decode(&bytes) {
        Ok(text) => text,
        Err(why) => {
            wildcards.notes.push(format!("{name} is {why}; it is left out"));
            return Ok(());
        }
    };
    let value: Result<Yaml, String> = if name.ends_with(".json") {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_yaml_ng::from_str(&text).map_err(|error| error.to_string())
    };
    let folder = name.rsplit_once('/').map(|(folder, _)| folder);
    let inside = |key: &str| folder.map_or(key.to_owned(), |folder| format!("{folder}/{key}"));
    match value {
        Err(error) => {
            wildcards.notes.push(format!("{name} cannot be read and is left out: {error}"))
        }
        Ok(Yaml::Mapping(map)) => {
            let mut reader = Reader { file: name, quirks, wildcards };
            reader.map(&map, folder.unwrap_or_default());
        }
        Ok(Yaml::Sequence(list)) => {
            let texts = list.iter().filter_map(Yaml::as_str).map(Value::plain);
            let values: Vec<Value> = texts.collect();
            let file = name.rsplit('/').next().unwrap_or(name);
            if !values.is_empty() {
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                wildcards.insert(inside(stem), values);
            }
        }
        Ok(_) => wildcards.notes.push(format!("{name} holds neither a map nor a list")),
    }
    Ok(())
}

/// Collects the wildcards of one file.
struct Reader<'a> {
    file: &'a str,
    quirks: Quirks,
    wildcards: &'a mut Wildcards,
}

impl Reader<'_> {
    fn map(&mut self, map: &serde_yaml_ng::Mapping, above: &str) {
        for (key, value) in map {
            let Some(key) = key.as_str() else { continue };
            let name = if above.is_empty() { key.to_owned() } else { format!("{above}/{key}") };
            match value {
                Yaml::Null => {}
                Yaml::Mapping(inner) => self.map(inner, &name),
                Yaml::Sequence(list) if !list.is_empty() => {
                    let values: Option<Vec<_>> =
                        list.iter().map(|item| self.item(item, &name)).collect();
                    match values {
                        Some(values) => {
                            self.wildcards.insert(name, values.into_iter().flatten().collect());
                        }
                        None => self.note(&name),
                    }
                }
                single => {
                    if let Some(text) = self.scalar(single).filter(|text| !text.is_empty()) {
                        let value = Yaml::String(text);
                        let values = self.item(&value, &name).flatten();
                        self.wildcards.insert(name, values.into_iter().collect());
                    } else if !matches!(single, Yaml::Sequence(_) | Yaml::String(_)) {
                        self.note(&name);
                    }
                }
            }
        }
    }

    fn note(&mut self, name: &str) {
        self.wildcards.notes.push(format!("{}: {name} is no list of texts", self.file));
    }

    /// A text; in the sane reading also a number or a truth value.
    fn scalar(&self, value: &Yaml) -> Option<String> {
        match value {
            Yaml::String(text) => Some(text.clone()),
            Yaml::Number(number) if self.quirks == Quirks::Sane => Some(number.to_string()),
            Yaml::Bool(truth) if self.quirks == Quirks::Sane => Some(truth.to_string()),
            _ => None,
        }
    }

    /// One item of a list: `Some(None)` if it is left out, `None` if it spoils the list.
    #[expect(clippy::option_option, reason = "left out is not spoilt")]
    fn item(&mut self, item: &Yaml, name: &str) -> Option<Option<Value>> {
        if let Some(text) = self.scalar(item) {
            return Some((!text.is_empty()).then(|| weighted(&text)));
        }
        if let Yaml::Mapping(map) = item {
            let weight = match map.get("weight") {
                None => 1.0,
                Some(Yaml::String(text)) => number(strip(text))?,
                Some(value) => value.as_f64()?,
            };
            let text = |key| map.get(key).and_then(|v| self.scalar(v)).filter(|t| !t.is_empty());
            if let Some(text) = text("text").or_else(|| text("content")) {
                #[expect(clippy::float_cmp, reason = "exactly 1 is no weight, as in the peer")]
                let plain = weight == 1.0;
                let value =
                    if plain { Value::plain(&text) } else { Value::weighted(&text, weight) };
                return Some(Some(value));
            }
        }
        if !item.is_null() {
            self.note(name);
        }
        Some(None)
    }
}

/// `2::text`, where the text begins with a digit; everything before the last `::` is the weight.
fn weighted(text: &str) -> Value {
    let numeric = text.starts_with(|c| digit(c).is_some());
    match text.rsplit_once("::").filter(|_| numeric) {
        Some((weight, content)) => match number(strip(weight)) {
            Some(weight) => Value::weighted(content, weight),
            None => Value::plain(text),
        },
        None => Value::plain(text),
    }
}
