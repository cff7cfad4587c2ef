//! `wayword likeness`: how alike two sets of pictures are.
use super::pictures;
use crate::Failure;
use crate::request::Likeness as Options;
use crate::session::Context;
use serde::Serialize;
use std::path::{Path, PathBuf};
use wayword_train::image_encoder::{self, ImageEncoder, Normalize, OnnxImageEncoder, OnnxOptions};

/// The judge of the demo's small world.
const BUNDLED: &[u8] = include_bytes!("../../../../demo/judge.onnx");

/// How alike two sets of pictures are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikenessReport {
    /// Mean over all pairs, -1 to 1.
    pub mean: f64,
    /// Spread of the pictures' means.
    pub spread: f64,
    /// Each picture's mean.
    pub pictures: Vec<PictureLikeness>,
    /// How many pictures they were compared with.
    pub references: usize,
}

/// One picture's likeness to all references.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PictureLikeness {
    /// Its file.
    pub file: PathBuf,
    /// The mean over all references.
    pub likeness: f64,
}

/// Runs the command.
///
/// # Errors
/// If a picture or the judge cannot be read, or the judge fails.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<LikenessReport, Failure> {
    let judge = open(options)?;
    let files = pictures::list(&options.pictures)?;
    let references = pictures::list(&options.to)?;
    let vectors = |files: &[PathBuf]| -> Result<Vec<Vec<f32>>, Failure> {
        let vector = |file: &PathBuf| {
            context.progress.go_on()?;
            Ok(judge.vector(&pictures::open(file)?)?)
        };
        files.iter().map(vector).collect()
    };
    let likeness = image_encoder::similarity(&vectors(&files)?, &vectors(&references)?)?;
    let each = files.into_iter().zip(likeness.pictures);
    Ok(LikenessReport {
        mean: likeness.mean,
        spread: likeness.spread,
        pictures: each.map(|(file, likeness)| PictureLikeness { file, likeness }).collect(),
        references: references.len(),
    })
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
                .hint("{likeness.size}, {likeness.normalize}, {likeness.mean} and {likeness.std} go with {likeness.judge}"));
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
