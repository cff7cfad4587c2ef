//! Files of options: TOML under the options' names, read with line numbers, written with help.
use super::{Layer, Options, Origin, Scope, Values};
use crate::Diagnostic;
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Spanned;

impl Layer {
    /// What a TOML text gives; `file` is said in errors. Names may be written with `-` for `_`, and
    /// values as people write them.
    ///
    /// # Errors
    /// If it is not TOML, an option is unknown, a value does not fit, or two options conflict.
    pub fn toml<R: Options>(text: &str, file: &str) -> Result<Self, Diagnostic> {
        let text = text.trim_start_matches('\u{feff}');
        let entries: BTreeMap<Spanned<String>, Value> = toml::from_str(text).map_err(|e| {
            let TomlMistake { line, hint } = TomlMistake::of(text, &e);
            Diagnostic::new(format!("{file}, line {line}: {}", e.message())).with_hint_if(hint)
        })?;
        let mut specs = R::specs();
        specs.retain(|spec| spec.scope == Scope::Everywhere);
        let mut layer = Self::default();
        for (key, value) in entries {
            let line = line(text, key.span().start);
            let origin = Origin::Line { file: file.to_owned(), line };
            layer.set(R::REQUEST, &specs, key.get_ref(), &value, origin)?;
        }
        for spec in specs.iter().filter(|spec| layer.get(spec.name).is_some()) {
            if let Some(other) = spec.conflicts.iter().find(|other| layer.get(other).is_some()) {
                let text = format!("{file}: both `{}` and `{other}`", spec.name);
                return Err(Diagnostic::new(text).with_hint("leave one of them out"));
            }
        }
        Ok(layer)
    }
}

/// Where a TOML text is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlMistake {
    /// The line, from 1.
    pub line: usize,
    /// What to do about it, where that can be told.
    pub hint: Option<String>,
}

impl TomlMistake {
    /// Where `error` is in the text that it refused.
    #[must_use]
    pub fn of(text: &str, error: &toml::de::Error) -> Self {
        let line = line(text, error.span().map_or(0, |span| span.start));
        let hint = windows_path(text.lines().nth(line - 1).unwrap_or_default());
        Self { line, hint }
    }
}

/// The line of a place in a text, from 1.
fn line(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
}

/// What to do about a backslash in double quotes, which TOML takes for the begin of an escape.
fn windows_path(line: &str) -> Option<String> {
    let value = line.split_once('=')?.1.trim_start();
    (value.starts_with('"') && value.contains('\\')).then(|| {
        "write a path with `/`, or in single quotes: `\\` has a meaning in double ones".to_owned()
    })
}

/// All options of a request as TOML under their headings; what is left out stands as a comment.
///
/// # Errors
/// If TOML cannot say a value.
pub fn to_toml<R: Options>(values: &Values) -> Result<String, Diagnostic> {
    let (mut text, mut tables, mut group) = (String::new(), String::new(), "");
    for spec in R::specs().into_iter().filter(|spec| spec.scope == Scope::Everywhere) {
        if spec.group != group {
            group = spec.group;
            text.push_str(&format!("\n# {group}\n"));
        }
        match values.get(spec.name) {
            None => text.push_str(&format!("# {} =\n", spec.name)),
            Some(value) => {
                let lines = entry(spec.name, value).map_err(|message| {
                    Diagnostic::new(message).with_field(format!("{}.{}", R::REQUEST, spec.name))
                })?;
                // Tables take all that follows them, so they come last.
                if lines.starts_with('[') { &mut tables } else { &mut text }
                    .push_str(&format!("{lines}\n"));
            }
        }
    }
    Ok(text + &tables)
}

/// One `key = value`, as TOML writes it.
///
/// # Errors
/// If TOML cannot say it.
pub fn entry(key: &str, value: &Value) -> Result<String, String> {
    // TOML's whole numbers end at 2^63; as text they are read, too.
    let large = value.as_u64().filter(|n| i64::try_from(*n).is_err()).map(|n| n.to_string());
    let value = &large.map_or_else(|| value.clone(), Value::String);
    let lines = toml::to_string(&BTreeMap::from([(key, value)])).map_err(|e| e.to_string())?;
    Ok(lines.trim().to_owned())
}
