//! `wayword.toml`, presets, and how layers of options become one.
//!
//! Later layers win: the defaults, a preset, another trainer's options, `wayword.toml`, the flags.
use crate::Error;
use crate::request::Train;
use std::path::Path;
use wayword_interface::Diagnostic;
use wayword_interface::options::{Layer, Options as _, to_toml};
use wayword_interface::text_file;

/// The recipes that come with the program, by name; plain TOML that can be read and copied.
pub const PRESETS: &[(&str, &str)] = &[
    ("person", include_str!("../presets/person.toml")),
    ("object", include_str!("../presets/object.toml")),
    ("style", include_str!("../presets/style.toml")),
];

/// A preset's layer.
///
/// # Errors
/// If there is none of the name.
pub fn preset(name: &str) -> Result<Layer, Diagnostic> {
    let found = PRESETS.iter().find(|(known, _)| *known == name.trim().to_lowercase());
    let Some((name, text)) = found else {
        let message = format!("expected person, object or style, found `{name}`");
        return Err(Diagnostic::new(message).with_field("train.preset"));
    };
    parse(text, &format!("preset {name}"))
}

/// Reads a `wayword.toml`.
///
/// # Errors
/// If the file cannot be read, is no TOML, or has an option that is unknown or of the wrong kind.
pub fn read(path: &Path) -> Result<Layer, Diagnostic> {
    let text = text_file::read(path).map_err(|source| {
        let error = Error::File { path: path.into(), source };
        let hint = error.hint();
        Diagnostic::of(error).with_hint_if(hint)
    })?;
    parse(&text, &path.display().to_string())
}

/// The same from text; `name` is said in errors.
///
/// # Errors
/// If it is no TOML, or has an option that is unknown or of the wrong kind.
pub fn parse(text: &str, name: &str) -> Result<Layer, Diagnostic> {
    Layer::toml::<Train>(text, name)
}

/// All layers in one; later ones win.
#[must_use]
pub fn merge(layers: impl IntoIterator<Item = Layer>) -> Layer {
    Layer::merge::<Train>(layers)
}

/// A `wayword.toml` with every option; what is left to the program stands as a comment. What the
/// preset says stands there too, so the preset is not named.
///
/// # Errors
/// If TOML cannot say a value.
pub fn write(request: &Train) -> Result<String, Diagnostic> {
    let mut values = request.values();
    values.remove("preset");
    let head = format!(
        "# wayword {}: options of a training\n# Flags win over what stands here.\n",
        env!("CARGO_PKG_VERSION")
    );
    Ok(head + &to_toml::<Train>(&values)?)
}

#[cfg(test)]
mod tests;
