//! `wayword likeness`: how alike two sets of pictures are.
use super::pictures;
use crate::failure::Failure;
use crate::options::Likeness as Options;
use crate::show::{self, Facts};
use serde_json::json;
use std::path::{Path, PathBuf};
use wayword_train::image_encoder::{self, ImageEncoder, Normalize, OnnxImageEncoder, OnnxOptions};

/// The judge of the demo's small world.
const BUNDLED: &[u8] = include_bytes!("../../../../demo/judge.onnx");

/// Runs the command.
///
/// # Errors
/// If a picture or the judge cannot be read, or the judge fails.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let judge = open(options)?;
    let files = pictures::list(&options.pictures)?;
    let references = pictures::list(&options.to)?;
    let likeness =
        image_encoder::similarity(&vectors(&judge, &files)?, &vectors(&judge, &references)?)?;
    if options.json {
        let each: Vec<_> = files
            .iter()
            .zip(&likeness.pictures)
            .map(|(file, value)| json!({ "file": file, "likeness": value }))
            .collect();
        let all = json!({
            "mean": likeness.mean,
            "spread": likeness.spread,
            "pictures": each,
            "references": references.len(),
        });
        return show::data(&all.to_string());
    }
    let mut facts = Facts::default();
    for (file, value) in files.iter().zip(&likeness.pictures) {
        facts.line(&file.display().to_string(), format!("{value:6.3}"));
    }
    let lines = facts.to_lines();
    lines.iter().try_for_each(|line| show::data(line))?;
    show::data(&format!(
        "mean {:.3}, spread {:.3}: {} pictures to {} references",
        likeness.mean,
        likeness.spread,
        files.len(),
        references.len()
    ))
}

/// The bundled judge: what the demo and `likeness` without `--judge` use.
///
/// # Errors
/// If it cannot be run, which a test would have noticed.
pub(crate) fn bundled() -> Result<OnnxImageEncoder, Failure> {
    Ok(OnnxImageEncoder::from_bytes(
        Path::new("judge.onnx"),
        BUNDLED.to_vec(),
        &OnnxOptions::default(),
    )?)
}

fn open(options: &Options) -> Result<OnnxImageEncoder, Failure> {
    let Some(path) = &options.judge else {
        if options.size.is_some() || options.normalize.is_some() || options.mean.is_some() {
            return Err(Failure::user("the bundled judge knows its own size and colours")
                .hint("--size, --normalize, --mean and --std go with --judge"));
        }
        return bundled();
    };
    let named = options.normalize.and_then(|named| Normalize::named(named.name()));
    let given = options.mean.zip(options.std).map(|(mean, std)| Normalize { mean, std });
    let options = OnnxOptions {
        size: options.size.map(|s| (s.width, s.height)),
        normalize: given.or(named),
        output: options.output.clone(),
    };
    Ok(OnnxImageEncoder::open(path, &options)?)
}

fn vectors(judge: &OnnxImageEncoder, files: &[PathBuf]) -> Result<Vec<Vec<f32>>, Failure> {
    files.iter().map(|file| Ok(judge.vector(&pictures::open(file)?)?)).collect()
}
