//! Presets, files and flags put together, and what is said about a translation from kohya's options.
use crate::Failure;
use crate::commands::write;
use crate::event::Progress;
use crate::request::Train as Options;
use std::path::Path;
use wayword_formats::kohya as kohya_file;
use wayword_interface::options::Layer;
use wayword_interface::{Events as _, Warning};
use wayword_train::config;
use wayword_train::event::Event;
use wayword_train::kohya::{self, Translation};

/// Everything that was asked for: the defaults, a preset, kohya's options, `wayword.toml`, flags.
///
/// # Errors
/// If a file cannot be read, or something in it is unknown or has no place.
pub(crate) fn gather(flags: &Layer, progress: &Progress<'_>) -> Result<Options, Failure> {
    let typed: Options = flags.read()?;
    let file = typed.config.as_deref().map(config::read).transpose()?.unwrap_or_default();
    let numbers = flags.get("kohya_numbers").or(file.get("kohya_numbers"));
    let numbers = numbers.is_some_and(|on| *on == true);
    let kohya =
        typed.kohya.as_deref().map(|path| translated(path, numbers, progress)).transpose()?;
    // Kohya's options are a recipe of their own.
    let plain = kohya.is_none().then_some("person");
    let name = typed.preset.as_deref().or(file.text("preset")).or(plain).map(str::to_owned);
    let preset = name.as_deref().map(config::preset).transpose()?.unwrap_or_default();
    let merged = config::merge([preset, kohya.unwrap_or_default(), file, flags.clone()]);
    let preset = name.map(|name| name.trim().to_lowercase());
    Ok(Options { preset, ..merged.read()? })
}

/// Writes all options to a file that `--config` reads.
pub(super) fn save(options: &Options, path: &Path) -> Result<(), Failure> {
    if path.exists() && !options.overwrite {
        let message = format!("{} already exists", path.display());
        return Err(Failure::user(message).hint("choose another name, or pass {train.overwrite}"));
    }
    write(path, config::write(options)?.as_bytes())
}

fn translated(path: &Path, numbers: bool, progress: &Progress<'_>) -> Result<Layer, Failure> {
    let mut found = kohya::translate(&kohya_file::read(path)?)?;
    // The GUI always sets it; without kohya's numbers it would be an option without effect.
    if !numbers && found.layer.remove("mixed_precision").is_some() {
        let place = found.translated.iter().position(|pair| pair.0.starts_with("mixed_precision"));
        let theirs = place.map(|place| found.translated.remove(place).0).unwrap_or_default();
        let why =
            "{train.precision} is the device's own; {train.kohya_numbers} rounds as kohya does";
        found.ignored.push((theirs, why.into()));
    }
    say(&found, progress);
    Ok(found.layer)
}

/// What became of each of kohya's options.
fn say(found: &Translation, progress: &Progress<'_>) {
    let list = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            progress.note(title);
            lines.iter().for_each(|line| progress.note(&format!("  {line}")));
        }
    };
    let arrows = |pairs: &[(String, String)]| -> Vec<String> {
        let width = pairs.iter().map(|(from, _)| from.chars().count().min(44)).max().unwrap_or(0);
        pairs.iter().map(|(from, to)| format!("{from:<width$} -> {to}")).collect()
    };
    let reasons = found.ignored.iter().map(|(what, why)| format!("{what}: {why}")).collect();
    list("translated from kohya's options:", arrows(&found.translated));
    list("taken as kohya's defaults:", arrows(&found.assumed));
    list("without effect here:", reasons);
    list("good to know:", found.notes.clone());
    for (what, near) in &found.unknown {
        let text = format!("{what}: unknown, and ignored");
        let hint = near.as_ref().map(|near| format!("did you mean {near}?"));
        progress.event(Event::Warned(Warning::new(text).with_hint_if(hint)));
    }
    for warning in &found.warnings {
        progress.event(Event::Warned(warning.clone()));
    }
}
