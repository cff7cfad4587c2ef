//! `wayword inspect`: what is in a file.
mod checkpoint;
mod embedding;
mod lora;
mod table;

pub(crate) use table::token_width;

use crate::Facts;
use crate::Failure;
use crate::request::Inspect as Options;
use crate::session::Context;
use std::path::{Path, PathBuf};
use wayword_formats::{FileKind, endings, hash};

/// Runs the command.
///
/// # Errors
/// If the file cannot be read, or is of a family that is refused.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<Facts, Failure> {
    let file = &options.file;
    if !file.exists() {
        return Err(Failure::user(format!("no such file or folder: {}", file.display())));
    }
    let kind = wayword_formats::kind(file)?;
    let mut facts = Facts::default();
    facts.text("file", file.display());
    // Of a picture people want to know how it was drawn.
    let settings = (kind == FileKind::Unknown && file.is_file())
        .then(|| wayword_formats::picture_text::read(file).ok().map(|found| found.text))
        .flatten();
    let pixels = (kind == FileKind::Unknown).then(|| pixels(file)).flatten();
    let is_image = settings.is_some() || pixels.is_some();
    facts.text("kind", if is_image { "image".into() } else { kind.to_string() });
    let size = size(file)?;
    facts.add("size", size, crate::numbers::bytes(size));
    match kind {
        FileKind::Checkpoint | FileKind::Vae | FileKind::TextEncoder => {
            checkpoint::tell(file, &mut facts)?
        }
        FileKind::Embedding => embedding::tell(file, options.base.as_deref(), &mut facts)?,
        FileKind::Lora => lora::tell(file, &mut facts)?,
        FileKind::Unknown => {
            if let (None, Some((width, height))) = (&settings, pixels) {
                facts.text("pixels", format!("{width} x {height}"));
                facts.line("settings", "none: it does not say how it was made");
            }
            facts.maybe("settings", settings);
            if endings::of(file) == "safetensors" {
                let tensors = wayword_formats::SafeTensors::open(file)?.names().count();
                facts.add("tensors", tensors, tensors.to_string());
            }
        }
    }
    if file.is_file() && !options.no_hash {
        hashes(file, kind, &mut facts, context)?;
    }
    Ok(facts)
}

/// Width and height of a file that is an image.
fn pixels(file: &Path) -> Option<(u32, u32)> {
    let reader = image::ImageReader::open(file).ok()?.with_guessed_format().ok()?;
    reader.into_dimensions().ok()
}

fn hashes(
    file: &Path,
    kind: FileKind,
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let sha256 = super::base::hash(file, context)?;
    facts.text("sha256", &sha256);
    if kind == FileKind::Embedding {
        facts.text("a1111_hash", hash::short_network(&sha256));
        return Ok(());
    }
    facts.text("a1111_hash", hash::short_model(&sha256));
    if kind == FileKind::Checkpoint {
        facts.text("old_a1111_hash", hash::old_model_hash(file)?);
        facts.maybe("known_as", wayword_formats::known::original(&sha256));
    }
    Ok(())
}

/// Bytes of a file, or of all files below a folder.
fn size(path: &Path) -> Result<u64, Failure> {
    let mut waiting: Vec<PathBuf> = vec![path.to_path_buf()];
    let mut size = 0;
    while let Some(path) = waiting.pop() {
        let about = std::fs::metadata(&path).map_err(|e| Failure::io("cannot read", &path, &e))?;
        if !about.is_dir() {
            size += about.len();
            continue;
        }
        let entries = std::fs::read_dir(&path)
            .map_err(|e| Failure::io("cannot read the folder", &path, &e))?;
        waiting.extend(entries.filter_map(|e| e.ok().map(|e| e.path())));
    }
    Ok(size)
}

/// Metadata of a safetensors header, long values cut for people.
fn metadata(metadata: &std::collections::BTreeMap<String, String>, facts: &mut Facts) {
    if metadata.is_empty() {
        return;
    }
    let object: serde_json::Map<_, _> =
        metadata.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
    facts.silent("metadata", serde_json::Value::Object(object));
    for (key, value) in metadata {
        let mut shown: String = value.chars().take(100).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        facts.line(key, shown.replace('\n', " "));
    }
}
