//! Presets, files and flags put together, and what is said about a translation from kohya's options.
use crate::failure::Failure;
use crate::options::{Precision, Prediction, Train as Options};
use crate::show::{self, Progress};
use clap::ValueEnum as _;
use std::path::Path;
use wayword_formats::{atomic, kohya as kohya_file};
use wayword_interface::{Events as _, Warning};
use wayword_train::config::{self, Layer, Settings};
use wayword_train::event::Event;
use wayword_train::kohya::{self, Translation};

/// Everything that was asked for: the defaults, a preset, kohya's options, `wayword.toml`, flags.
///
/// # Errors
/// If a file cannot be read, or something in it is unknown or has no place.
pub(crate) fn gather(options: &Options, progress: &Progress) -> Result<Settings, Failure> {
    let layers = &options.layers;
    let file = layers.config.as_deref().map(config::read).transpose()?.unwrap_or_default();
    let kohya = layers.kohya.as_deref().map(|path| translated(path, progress)).transpose()?;
    let asked = config::settings(file.clone())?.preset;
    // Kohya's options are a recipe of their own.
    let plain = kohya.is_none().then_some("person");
    let name = layers.preset.as_deref().or(asked.as_deref()).or(plain);
    let preset = name.map(config::preset).transpose()?.unwrap_or_default();
    let all = config::merge([preset, kohya.unwrap_or_default(), file, flags(options)?]);
    let mut settings = config::settings(all)?;
    settings.preset = name.map(|name| name.trim().to_lowercase());
    Ok(settings)
}

/// What was typed.
fn flags(options: &Options) -> Result<Layer, Failure> {
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|v| v.get_name().to_owned());
    let all = Settings {
        preset: None,
        base: options.base.base.clone(),
        vae: options.base.vae.clone(),
        prediction: options.base.prediction.and_then(|p| name(p.to_possible_value())),
        precision: options.machine.precision.and_then(|p| name(p.to_possible_value())),
        threads: options.machine.threads,
        low_memory: options.low_memory,
        strict: options.strict,
        train: options.to_library(),
    };
    let mut layer = config::layer(&all)?;
    layer.retain(|key, _| options.typed.has(key));
    Ok(layer)
}

/// The base and the machine as all layers say.
pub(crate) fn place(settings: &Settings, options: &Options) -> Result<Options, Failure> {
    let mut placed = options.clone();
    placed.base.base.clone_from(&settings.base);
    placed.base.vae.clone_from(&settings.vae);
    placed.machine.threads = settings.threads;
    placed.layers.preset.clone_from(&settings.preset);
    placed.low_memory = settings.low_memory;
    placed.strict = settings.strict;
    if let Some(text) = &settings.prediction {
        let kind = Prediction::from_str(text, true);
        placed.base.prediction =
            Some(kind.map_err(|_| unknown("prediction", text, "epsilon or v"))?);
    }
    if let Some(text) = &settings.precision {
        let kind = Precision::from_str(text, true);
        placed.machine.precision =
            Some(kind.map_err(|_| unknown("precision", text, "f32 or bf16"))?);
    }
    Ok(placed)
}

fn unknown(option: &str, found: &str, expected: &str) -> Failure {
    Failure::user(format!("--{option}: expected {expected}, found `{found}`"))
}

/// Writes all options to a file that `--config` reads.
pub(super) fn save(
    settings: &Settings,
    path: &Path,
    overwrite: bool,
    progress: &Progress,
) -> Result<(), Failure> {
    if path.exists() && !overwrite {
        let message = format!("{} exists already", path.display());
        return Err(Failure::user(message).hint("give another name, or --overwrite"));
    }
    // What the preset says stands in the file.
    let text = config::write(&Settings { preset: None, ..settings.clone() })?;
    let written = atomic::write_bytes(path, text.as_bytes());
    written.map_err(|e| Failure::io("cannot write", path, &e))?;
    progress.note(&format!("train with it: wayword train --config \"{}\"", path.display()));
    if progress.is_json() { Ok(()) } else { show::data(&path.display().to_string()) }
}

fn translated(path: &Path, progress: &Progress) -> Result<Layer, Failure> {
    let found = kohya::translate(&kohya_file::read(path)?)?;
    say(&found, progress);
    Ok(found.layer)
}

/// What became of each of kohya's options.
fn say(found: &Translation, progress: &Progress) {
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
    for (what, near) in &found.unknown {
        let text = format!("{what}: unknown, and ignored");
        let hint = near.as_ref().map(|near| format!("did you mean {near}?"));
        progress.event(Event::Warned(Warning::new(text).with_hint_if(hint)));
    }
    for warning in &found.warnings {
        progress.event(Event::Warned(warning.clone()));
    }
}
