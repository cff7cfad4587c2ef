//! `wayword.toml`, presets, and how layers of options become one.
//!
//! A layer is a table of options under the names of their flags. Later layers win: the defaults, a
//! preset, another trainer's options, `wayword.toml`, the flags.
use crate::error::AtFile as _;
use crate::lr::RateList;
use crate::optim::nearest;
use crate::plan::TrainOptions;
use crate::{Error, Result};
use serde::Deserialize as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The recipes that come with the program, by name; plain TOML that can be read and copied.
pub const PRESETS: &[(&str, &str)] = &[
    ("person", include_str!("../presets/person.toml")),
    ("object", include_str!("../presets/object.toml")),
    ("style", include_str!("../presets/style.toml")),
];

/// Options under the names of their flags.
pub type Layer = Table;

/// Options that are not the training's but the program's: the base and the machine.
const PROGRAM: &[&str] =
    &["preset", "base", "vae", "prediction", "precision", "threads", "low-memory", "strict"];

/// Options of which one silences the other: the later layer's counts.
const EITHER: &[(&str, &str)] = &[("steps", "epochs"), ("epochs", "steps")];

/// All layers together.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The training_loop that the rest is built on.
    pub preset: Option<String>,
    /// The checkpoint.
    pub base: Option<PathBuf>,
    /// Another VAE.
    pub vae: Option<PathBuf>,
    /// `epsilon` or `v`.
    pub prediction: Option<String>,
    /// `f32` or `bf16`.
    pub precision: Option<String>,
    /// Threads.
    pub threads: Option<usize>,
    /// Whether a step computes blocks twice to save memory.
    pub low_memory: bool,
    /// Whether warnings are errors.
    pub strict: bool,
    /// The training's own options.
    pub train: TrainOptions,
}

/// Every option's name, in the order of the help.
#[must_use]
pub fn keys() -> Vec<String> {
    let own = serde_json::to_value(TrainOptions::default()).unwrap_or_default();
    let own = own.as_object().into_iter().flat_map(|map| map.keys().cloned());
    PROGRAM.iter().map(|key| (*key).to_owned()).chain(own).collect()
}

/// A preset's layer.
///
/// # Errors
/// If there is none of the name.
pub fn preset(name: &str) -> Result<Table> {
    let found = PRESETS.iter().find(|(known, _)| *known == name.trim().to_lowercase());
    let Some((name, text)) = found else {
        return Err(Error::option("train.preset", "person, object or style", format!("`{name}`")));
    };
    parse(text, &format!("preset {name}"))
}

/// Reads a `wayword.toml`.
///
/// # Errors
/// If the file cannot be read, is no TOML, or has an option that is unknown or of the wrong kind.
pub fn read(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).at(path)?;
    parse(&text, &path.display().to_string())
}

/// The same from text; `name` is said in errors.
///
/// # Errors
/// If it is no TOML, or has an option that is unknown or of the wrong kind.
pub fn parse(text: &str, name: &str) -> Result<Table> {
    let text = text.trim_start_matches('\u{feff}');
    let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let table = text.parse::<Table>().map_err(|e| {
        let at = line(e.span().map_or(0, |span| span.start));
        Error::data(format!("{name}, line {at}: {}", e.message()))
    })?;
    let spans = toml::de::DeTable::parse(text).map(toml::Spanned::into_inner).ok();
    let known = keys();
    let mut layer = Table::new();
    for (key, value) in table {
        let span = spans.as_ref().and_then(|spans| spans.keys().find(|k| *k.get_ref() == *key));
        let place = format!("{name}, line {}: `{key}`", line(span.map_or(0, |k| k.span().start)));
        // Names with `_`, as other programs write them, are the same.
        let key = key.replace('_', "-");
        if !known.contains(&key) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let error = Error::data(format!("{place} is no option of a training"));
            return Err(match nearest(&key, &known) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint("see the list of options"),
            });
        }
        let fitted = fit(&key, value).map_err(|what| Error::data(format!("{place}: {what}")))?;
        layer.insert(key, fitted);
    }
    if layer.contains_key("steps") && layer.contains_key("epochs") {
        return Err(Error::data(format!("{name}: both `steps` and `epochs`")));
    }
    Ok(layer)
}

/// A value in the kind that the option has: a number for a text, `512,768` for a size, one text for
/// a list.
pub(crate) fn fit(key: &str, value: Value) -> std::result::Result<Value, String> {
    let first = match accepted(key, &value) {
        Ok(()) => return Ok(value),
        Err(what) => what,
    };
    other_kinds(&value).into_iter().find(|v| accepted(key, v).is_ok()).ok_or(first)
}

fn accepted(key: &str, value: &Value) -> std::result::Result<(), String> {
    let table = Table::from_iter([(key.to_owned(), value.clone())]);
    settings(table).map(|_| ()).map_err(|e| match e {
        Error::Refused(diagnostic) => diagnostic.message,
        other => other.to_string(),
    })
}

fn other_kinds(value: &Value) -> Vec<Value> {
    let mut kinds = Vec::new();
    match value {
        Value::Integer(number) => {
            kinds.push(Value::String(number.to_string()));
            kinds.push(Value::Array(vec![value.clone(), value.clone()]));
        }
        Value::Float(number) => {
            kinds.push(Value::String(format!("{number:?}")));
            if number.fract() == 0.0 && number.abs() < 1e15 {
                kinds.push(Value::Integer(*number as i64));
            }
        }
        Value::String(text) => {
            let text = text.trim();
            kinds.extend(text.parse().ok().map(Value::Integer));
            kinds.extend(text.parse().ok().map(Value::Float));
            kinds.extend(text.to_lowercase().parse().ok().map(Value::Boolean));
            let whole = text.parse::<f64>().ok().filter(|x| x.fract() == 0.0 && x.abs() < 1e15);
            kinds.extend(whole.map(|x| Value::Integer(x as i64)));
            let parts: Option<Vec<i64>> =
                text.split([',', 'x', 'X']).map(|part| part.trim().parse().ok()).collect();
            if let Some(parts) = parts {
                let twice = if parts.len() == 1 { vec![parts[0]; 2] } else { parts };
                kinds.push(Value::Array(twice.into_iter().map(Value::Integer).collect()));
            }
            let pair: Option<Vec<f64>> = text.split(',').map(|p| p.trim().parse().ok()).collect();
            kinds.extend(
                pair.map(|pair| Value::Array(pair.into_iter().map(Value::Float).collect())),
            );
            kinds.push(Value::Array(vec![value.clone()]));
        }
        Value::Array(list) => {
            // A list where one value is wanted: command lines leave strays behind a flag.
            let texts = list.iter().map(|v| match v {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            kinds.push(Value::Array(texts.map(Value::String).collect()));
        }
        _ => {}
    }
    kinds
}

/// All layers in one table; later ones win.
#[must_use]
pub fn merge(layers: impl IntoIterator<Item = Table>) -> Table {
    let mut all = Table::new();
    for layer in layers {
        for (one, other) in EITHER {
            if layer.contains_key(*one) && !layer.contains_key(*other) {
                all.remove(*other);
            }
        }
        // A list of rates says how long the run is and how the rate goes on.
        let list = layer.get("lr").and_then(Value::as_str).filter(|lr| lr.contains(':'));
        if let Some(list) = list.and_then(|lr| lr.parse::<RateList>().ok()) {
            let length = ["steps", "epochs"].into_iter().filter(|_| list.end().is_some());
            for key in ["scheduler", "warmup"].into_iter().chain(length) {
                all.remove(key);
            }
        }
        all.extend(layer);
    }
    all
}

/// A table as options; what it lacks has its default.
///
/// # Errors
/// If a value is of the wrong kind.
pub fn settings(mut table: Table) -> Result<Settings> {
    fn take<T: for<'a> serde::Deserialize<'a>>(table: &mut Table, key: &str) -> Result<Option<T>> {
        let value = table.remove(key);
        let value = value.map(|v| v.try_into::<T>());
        value.transpose().map_err(|e| Error::data(plain(&e)))
    }
    let preset = take(&mut table, "preset")?;
    let base = take(&mut table, "base")?;
    let vae = take(&mut table, "vae")?;
    let prediction = take(&mut table, "prediction")?;
    let precision = take(&mut table, "precision")?;
    let threads = take(&mut table, "threads")?;
    let low_memory = take(&mut table, "low-memory")?.unwrap_or(false);
    let strict = take(&mut table, "strict")?.unwrap_or(false);
    let train = TrainOptions::deserialize(Value::Table(table));
    let train = train.map_err(|e| Error::data(plain(&e)))?;
    Ok(Settings { preset, base, vae, prediction, precision, threads, low_memory, strict, train })
}

/// The first line of serde's words, as the rest repeats the key; kinds in words.
fn plain(error: &toml::de::Error) -> String {
    let text = error.message().lines().next().unwrap_or_default();
    let kinds = [
        ("usize", "a whole number from 0"),
        ("u32", "a whole number from 0"),
        ("u64", "a whole number from 0"),
        ("f64", "a number"),
        ("a sequence", "a list"),
        ("a boolean", "true or false"),
    ];
    let said = kinds.iter().find_map(|(kind, words)| {
        let start = text.strip_suffix(kind)?;
        start.ends_with("expected ").then(|| format!("{start}{words}"))
    });
    said.unwrap_or_else(|| text.to_owned())
}

/// Options as a layer in which everything stands.
///
/// # Errors
/// If a number does not fit TOML.
pub fn layer(settings: &Settings) -> Result<Table> {
    let too_large = |e: toml::ser::Error| match settings.train.seed {
        Some(seed) if seed > i64::MAX as u64 => {
            Error::option("train.seed", format!("at most {}", i64::MAX), seed.to_string())
        }
        _ => Error::data(e.to_string()),
    };
    let mut table = Table::try_from(&settings.train).map_err(too_large)?;
    let text = |path: &PathBuf| Value::String(path.display().to_string());
    let program = [
        settings.preset.clone().map(Value::String),
        settings.base.as_ref().map(text),
        settings.vae.as_ref().map(text),
        settings.prediction.clone().map(Value::String),
        settings.precision.clone().map(Value::String),
        settings.threads.map(|n| Value::Integer(n as i64)),
        Some(Value::Boolean(settings.low_memory)),
        Some(Value::Boolean(settings.strict)),
    ];
    for (key, value) in PROGRAM.iter().zip(program) {
        table.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    Ok(table)
}

/// A `wayword.toml` with every option; what is left to the program stands as a comment.
///
/// # Errors
/// If a number does not fit TOML.
pub fn write(settings: &Settings) -> Result<String> {
    let table = layer(settings)?;
    let mut text = format!(
        "# wayword {}: options of a training\n# Flags win over what stands here.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut tables = String::new();
    for key in keys() {
        match table.get(&key) {
            None => text.push_str(&format!("# {key} =\n")),
            Some(value) => {
                let one = Table::from_iter([(key.clone(), value.clone())]);
                let lines = one.to_string();
                // Tables take all that follows them, so they come last.
                if lines.trim_start().starts_with('[') { &mut tables } else { &mut text }
                    .push_str(&format!("{}\n", lines.trim_end()));
            }
        }
    }
    Ok(text + &tables)
}

#[cfg(test)]
mod tests;
