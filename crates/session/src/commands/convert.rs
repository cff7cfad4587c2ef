//! `wayword convert`: an embedding in another program's layout, from a file or a run's steps.
mod source;

use crate::Facts;
use crate::Failure;
use crate::commands::make_folder;
use crate::request::{Convert as Options, ConvertLayout, ConvertType, Program};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::embedding::{self, Layout};
use wayword_formats::{Dtype, Embedding, endings};

/// Runs the command.
///
/// # Errors
/// If IN is no embedding, OUT exists or has an ending that its layout does not have, or a value is
/// too large for the type.
pub(crate) fn run(options: &Options) -> Result<Facts, Failure> {
    let (input, output) = (&options.input, &options.output);
    let layout = match options.for_program {
        Some(program) => layout_for(program, output)?,
        None => options.layout.map_or_else(|| by_ending(output), Ok)?,
    };
    if !input.exists() {
        return Err(Failure::user(format!("no such file: {}", input.display())));
    }
    if output.exists() && !options.overwrite {
        return Err(Failure::user(format!("{} already exists", output.display()))
            .hint("choose another name, or pass {convert.overwrite}"));
    }
    if options.token.as_ref().is_some_and(|token| token.trim().is_empty()) {
        return Err(Failure::user("{convert.token} is empty")
            .hint("it is the name that is used in prompts"));
    }
    let word = source::read(options)?;
    let mut dtype = options.dtype.map_or_else(|| kept(word.dtype), self::dtype);
    let mut name = name(options, &word);
    let mut remark = None;
    match options.for_program {
        Some(Program::SdCpp) => dtype = Dtype::F32,
        // The only key from which it goes on.
        Some(Program::OneTrainer) => name = "emp_params".into(),
        Some(Program::Diffusers) if word.count > 1 && name != name.to_lowercase() => {
            name = name.to_lowercase();
            remark = Some(format!(
                "the word inside is {name}: newer versions of diffusers use one vector only of a word with capitals"
            ));
        }
        _ => {}
    }
    if let Some(folder) = output.parent() {
        make_folder(folder)?;
    }
    let kept_metadata = metadata(&word, dtype);
    match layout {
        ConvertLayout::Kohya => {
            embedding::write_kohya(output, &word.vectors, word.width, dtype, &kept_metadata)?;
        }
        ConvertLayout::A1111 => embedding::write_a1111(output, &word, &name, dtype)?,
        ConvertLayout::Diffusers => {
            let word = Embedding { metadata: kept_metadata, ..word.clone() };
            embedding::write_diffusers(output, &word, &name, dtype)?;
        }
    }
    let written = embedding::read(output)?;
    let mut facts = Facts::default();
    facts.text("file", output.display());
    facts.text("word", written.trigger(output));
    facts.text("layout", written.layout);
    facts.maybe("key", written.key.as_ref());
    facts.text("dtype", written.dtype.to_string().to_lowercase());
    facts.add("vectors", written.count, written.count.to_string());
    facts.add("width", written.width, written.width.to_string());
    if let Some(remark) = remark {
        facts.warn(remark);
    }
    if written.vectors != word.vectors {
        facts.warn(format!("values were rounded to {dtype}"));
    }
    lost(&word, &written, output, &mut facts);
    Ok(facts)
}

/// Keys that are shown by name; JSON has all.
const SHOWN: usize = 6;

/// Says what IN holds beside its values and OUT does not: hashes of values that were rounded, and
/// entries that OUT has no place for.
fn lost(word: &Embedding, written: &Embedding, output: &Path, facts: &mut Facts) {
    let notes = [
        ("step", word.step.is_some() && written.step.is_none()),
        ("sd_checkpoint", word.sd_checkpoint.is_some() && written.sd_checkpoint.is_none()),
        (
            "sd_checkpoint_name",
            word.sd_checkpoint_name.is_some() && written.sd_checkpoint_name.is_none(),
        ),
    ];
    let notes = notes.iter().filter(|(_, lost)| *lost).map(|(key, _)| *key);
    let entries = word.metadata.keys().filter(|key| !written.metadata.contains_key(*key));
    let gone: Vec<&str> = entries.map(String::as_str).chain(notes).collect();
    if gone.is_empty() {
        return;
    }
    facts.silent("dropped", json!(gone));
    let (hashes, rest): (Vec<&str>, Vec<&str>) =
        gone.iter().partition(|key| is_hash(key) && !written.metadata.is_empty());
    if !hashes.is_empty() {
        facts.warn(format!("left out, as the values have changed: {}", hashes.join(", ")));
    }
    if rest.is_empty() {
        return;
    }
    let mut list = rest[..rest.len().min(SHOWN)].join(", ");
    if rest.len() > SHOWN {
        list.push_str(&format!(" and {} more", rest.len() - SHOWN));
    }
    let place = if endings::of(output) == "safetensors" {
        "which only A1111's .pt files hold"
    } else {
        "which only .safetensors files hold"
    };
    let entries = if rest.len() == 1 { "entry" } else { "entries" };
    facts.warn(format!("{} metadata {entries} left out, {place}: {list}", rest.len()));
}

/// Whether an entry is a hash of the values.
fn is_hash(key: &str) -> bool {
    key.starts_with("sshs_") || key == "modelspec.hash_sha256"
}

/// The layout that a program reads in a file of this ending, as found by running each one's loader.
fn layout_for(program: Program, output: &Path) -> Result<ConvertLayout, Failure> {
    let (title, endings, layout): (_, &[&str], _) = match program {
        Program::A1111 => ("A1111", &["safetensors", "pt", "bin"], None),
        Program::ComfyUi => ("ComfyUI", &["safetensors", "pt", "bin"], None),
        Program::Diffusers => {
            ("diffusers", &["safetensors", "bin"], Some(ConvertLayout::Diffusers))
        }
        Program::InvokeAi => ("InvokeAI", &["safetensors", "pt"], None),
        Program::OneTrainer => ("OneTrainer", &["safetensors"], Some(ConvertLayout::Diffusers)),
        Program::SdNext => ("SD.Next", &["safetensors", "pt"], None),
        Program::SdCpp => ("stable-diffusion.cpp", &["safetensors", "pt"], None),
    };
    let ending = endings::of(output);
    if !endings.contains(&ending.as_str()) {
        let list: Vec<String> = endings.iter().map(|e| format!(".{e}")).collect();
        return Err(Failure::user(format!("{title} does not read what would be in a `.{ending}`"))
            .hint(format!("give OUT the ending {}", list.join(" or "))));
    }
    layout.map_or_else(|| by_ending(output), Ok)
}

/// Whose layout an ending means.
fn by_ending(path: &Path) -> Result<ConvertLayout, Failure> {
    match endings::of(path).as_str() {
        "safetensors" => Ok(ConvertLayout::Kohya),
        "pt" => Ok(ConvertLayout::A1111),
        "bin" => Ok(ConvertLayout::Diffusers),
        other => Err(Failure::user(format!("cannot write an embedding as `.{other}`"))
            .hint("use .safetensors, .pt or .bin")),
    }
}

/// The word inside: as asked, else the one that IN brings, else OUT's name.
fn name(options: &Options, word: &Embedding) -> String {
    let inside = match word.layout {
        Layout::OneTensor => word.key.clone(),
        Layout::A1111 | Layout::PictureText | Layout::PicturePixels => word.name.clone(),
        Layout::Kohya | Layout::Bare => None,
    };
    let stem = || options.output.file_stem().map(|s| s.to_string_lossy().into_owned());
    let named = options.token.clone().or(inside.filter(|name| !name.is_empty()));
    named.or_else(stem).unwrap_or_default()
}

/// The metadata of a safetensors file; a hash of the values goes when these are rounded.
fn metadata(word: &Embedding, dtype: Dtype) -> BTreeMap<String, String> {
    let mut metadata = word.metadata.clone();
    if dtype != word.dtype {
        metadata.retain(|key, _| !is_hash(key));
    }
    metadata
}

const fn dtype(kind: ConvertType) -> Dtype {
    match kind {
        ConvertType::F32 => Dtype::F32,
        ConvertType::F16 => Dtype::F16,
        ConvertType::Bf16 => Dtype::BF16,
    }
}

/// A type that every program reads: 64 bits become 32.
const fn kept(found: Dtype) -> Dtype {
    match found {
        Dtype::F16 | Dtype::BF16 => found,
        _ => Dtype::F32,
    }
}
