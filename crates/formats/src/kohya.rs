//! What users of kohya's trainer keep their options in: the GUI's JSON, the TOML that the GUI writes
//! for a run, and the command line itself, pasted as text. Keys and values only; no meaning.
mod command;

use crate::error::{At, Error, Fault};
use std::fmt;
use std::path::{Path, PathBuf};
use wayword_interface::options::TomlMistake;
use wayword_interface::text_file;

/// The longest file that is read, in bytes; real ones have some thousand.
const LONGEST: usize = 1 << 20;

/// Which of the three a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The GUI's saved fields: one flat JSON object.
    GuiJson,
    /// The options of one run, as given by `--config_file`.
    Toml,
    /// A command line, also as a part of a script.
    CommandLine,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// JSON's null.
    Null,
    /// True or false; a flag without a value is true.
    Bool(bool),
    /// A text or a number in its own spelling.
    Text(String),
    /// Several values after one key.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) if text.is_empty() => f.write_str("\"\""),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(" ")),
        }
    }
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, without leading dashes.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// A file of options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KohyaOptions {
    /// What the file is.
    pub form: Form,
    /// The script that a command line runs.
    pub script: Option<String>,
    /// What stands between `accelerate launch` and the script.
    pub launcher: Vec<Entry>,
    /// The options, in the file's order; a key that is given twice stands twice.
    pub entries: Vec<Entry>,
    /// Words of a command line that belong to no option.
    pub stray: Vec<String>,
}

/// Reads a file of options. A command line that names a run's TOML, as the one that the GUI prints
/// does, has that file's options before its own: the later ones win.
///
/// # Errors
/// If it or the file that it names cannot be read, is longer than 1 MiB, or is none of the three
/// forms.
pub fn read(path: &Path) -> Result<KohyaOptions, Error> {
    let bytes = std::fs::read(path).at(path)?;
    let mut options = parse(&bytes).at(path)?;
    let named = options.entries.iter().rev().find(|entry| entry.key == CONFIG_FILE);
    if let (Form::CommandLine, Some(entry)) = (options.form, named) {
        let file = config_file(path, &entry.value.to_string())?;
        let bytes = std::fs::read(&file).at(&file)?;
        let run = parse(&bytes).at(&file)?;
        options.entries = run.entries.into_iter().chain(options.entries).collect();
    }
    Ok(options)
}

const CONFIG_FILE: &str = "config_file";

/// The TOML that a command line names: as it is named, else beside the command's own file.
fn config_file(command: &Path, name: &str) -> Result<PathBuf, Error> {
    let name = if name.ends_with(".toml") { name.to_owned() } else { format!("{name}.toml") };
    let last = name.rsplit(['/', '\\']).next().unwrap_or(&name);
    let places =
        [PathBuf::from(&name), command.with_file_name(&name), command.with_file_name(last)];
    let found = places.into_iter().find(|place| place.is_file());
    found.ok_or_else(|| {
        let what = format!("the command reads its options from {name}, which was not found");
        let hint = "put that file next to this one, or pass it directly: {any.kohya} FILE.toml";
        Fault::at(Fault::kind(what, hint), command)
    })
}

/// The same from bytes.
///
/// # Errors
/// If they are more than 1 MiB, no UTF-8 or UTF-16 text, or none of the three forms.
pub fn parse(bytes: &[u8]) -> Result<KohyaOptions, Fault> {
    if bytes.len() > LONGEST {
        return Err(Fault::container(format!(
            "{} bytes are too many for an options file",
            bytes.len()
        )));
    }
    if let Some(what) = crate::stranger(bytes) {
        return Err(Fault::container(format!("expected kohya's options, found {what}")));
    }
    let text = text_file::decode(bytes).map_err(|e| Fault::container(e.to_string()))?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Fault::container("the file is empty"));
    }
    if trimmed.starts_with('{') {
        return json(trimmed);
    }
    if let Some(words) = command::python_list(trimmed) {
        return command::of_words(words);
    }
    match trimmed.parse::<toml::Table>() {
        Ok(table) => from_table(&table),
        Err(_) if trimmed.split_whitespace().any(|word| word.starts_with("--")) => {
            command::parse(trimmed)
        }
        Err(error) => {
            let TomlMistake { line, hint } = TomlMistake::of(trimmed, &error);
            let what = format!(
                "neither JSON, TOML nor a command line: as TOML, line {line}: {}",
                error.message()
            );
            let forms = "pass the .json saved by kohya's GUI, the .toml of a run, or the command in a text file";
            Err(Fault::kind(what, hint.unwrap_or_else(|| forms.into())))
        }
    }
}

fn json(text: &str) -> Result<KohyaOptions, Fault> {
    let parsed: serde_json::Value = serde_json::from_str(text)
        .map_err(|e| Fault::library(format!("line {}: JSON", e.line()), e))?;
    let object = parsed.as_object().ok_or_else(|| Fault::container("no JSON object"))?;
    let entry = |(key, value): (&String, &serde_json::Value)| Entry {
        key: key.clone(),
        value: from_json(value),
    };
    Ok(KohyaOptions {
        form: Form::GuiJson,
        script: None,
        launcher: Vec::new(),
        entries: object.iter().map(entry).collect(),
        stray: Vec::new(),
    })
}

fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => Value::List(list.iter().map(|v| from_json(v).to_string()).collect()),
        // Rust writes 1e-05 as 0.00001 unless asked to debug.
        Json::Number(number) if number.is_f64() => {
            Value::Text(number.as_f64().map_or(String::new(), |x| format!("{x:?}")))
        }
        other => Value::Text(other.to_string()),
    }
}

fn from_table(table: &toml::Table) -> Result<KohyaOptions, Fault> {
    if table.contains_key("datasets") {
        return Err(Fault::kind(
            "describes data sets, not the options of a run",
            "pass it instead of the image folder, or name it with dataset_config",
        ));
    }
    let mut entries = Vec::new();
    for (key, value) in table {
        // The trainer flattens one level of tables; their names say nothing.
        match value {
            toml::Value::Table(inner) => {
                entries.extend(inner.iter().map(|(key, value)| from_toml(key, value)));
            }
            value => entries.push(from_toml(key, value)),
        }
    }
    let (script, launcher, stray) = (None, Vec::new(), Vec::new());
    Ok(KohyaOptions { form: Form::Toml, script, launcher, entries, stray })
}

fn from_toml(key: &str, value: &toml::Value) -> Entry {
    fn convert(value: &toml::Value) -> Value {
        match value {
            toml::Value::Boolean(value) => Value::Bool(*value),
            toml::Value::String(text) => Value::Text(text.clone()),
            toml::Value::Float(number) => Value::Text(format!("{number:?}")),
            toml::Value::Array(list) => {
                Value::List(list.iter().map(|v| convert(v).to_string()).collect())
            }
            other => Value::Text(other.to_string()),
        }
    }
    Entry { key: key.to_owned(), value: convert(value) }
}

#[cfg(test)]
mod tests;
