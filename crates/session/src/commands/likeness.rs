//! `wayword likeness`: how alike two sets of pictures are.
use super::judge::Judge;
use super::pictures;
use crate::Failure;
use crate::request::Likeness as Options;
use crate::session::Context;
use serde::Serialize;
use std::path::PathBuf;
use wayword_interface::Warning;
use wayword_train::image_encoder::{self, ImageEncoder as _, Normalize, OnnxOptions};

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
    /// Pictures in which a face network found no face; they do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_face: Vec<PathBuf>,
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
    let files = pictures::list(&options.pictures)?;
    let references = pictures::list(&options.to)?;
    let judge = open(options, &references, context)?;
    let mut without_face = Vec::new();
    let mut vectors = |files: &[PathBuf]| -> Result<Vec<(PathBuf, Vec<f32>)>, Failure> {
        let (mut seen, mut strange) = (Vec::new(), Vec::new());
        for file in files {
            context.progress.go_on()?;
            let picture = pictures::open(file)?;
            let Some(vector) = judge.look(&picture)? else {
                let text = format!("{}: no face was found; it does not count", file.display());
                context.progress.warn(Warning::new(text));
                without_face.push(file.clone());
                continue;
            };
            if !judge.knows(&picture, &vector)? {
                strange.push(file);
            }
            seen.push((file.clone(), vector));
        }
        refuse(&strange, files.len())?;
        if seen.is_empty() {
            let total = files.len();
            return Err(Failure::user(format!("none of {total} images shows a face"))
                .hint("a face network compares photos of people; use DINO or CLIP for others"));
        }
        Ok(seen)
    };
    let (ours, theirs) = (vectors(&files)?, vectors(&references)?);
    let (files, ours): (Vec<PathBuf>, Vec<Vec<f32>>) = ours.into_iter().unzip();
    let theirs: Vec<Vec<f32>> = theirs.into_iter().map(|(_, vector)| vector).collect();
    let likeness = image_encoder::similarity(&ours, &theirs)?;
    let each = files.into_iter().zip(likeness.pictures);
    Ok(LikenessReport {
        mean: likeness.mean,
        spread: likeness.spread,
        pictures: each.map(|(file, likeness)| PictureLikeness { file, likeness }).collect(),
        references: theirs.len(),
        without_face,
    })
}

/// Refuses pictures of which the encoder can say nothing. Single odd ones are what a learned word
/// sometimes draws; where they are more than half, the pictures are others than the encoder's.
fn refuse(strange: &[&PathBuf], judged: usize) -> Result<(), Failure> {
    let Some(first) = strange.first().filter(|_| strange.len() * 2 > judged) else { return Ok(()) };
    let (count, what) = (strange.len(), "the bundled image encoder only knows images of the demo");
    Err(Failure::user(format!(
        "{what}: {count} of {judged} are others, such as {}",
        first.display()
    ))
    .hint("pass a network for photos with {likeness.judge}, such as DINO or CLIP as an ONNX file"))
}

fn open(
    options: &Options,
    references: &[PathBuf],
    context: &Context<'_>,
) -> Result<Judge, Failure> {
    let Some(path) = &options.judge else {
        if options.size.is_some() || options.normalize.is_some() || options.mean.is_some() {
            return Err(Failure::user("the bundled judge knows its own size and colours")
                .hint("{likeness.size}, {likeness.normalize}, {likeness.mean} and {likeness.std} go with {likeness.judge}"));
        }
        return Judge::bundled();
    };
    let named = options.normalize.and_then(|named| Normalize::named(named.name()));
    let given = options.mean.zip(options.std).map(|(mean, std)| Normalize { mean, std });
    let options = OnnxOptions {
        size: options.size.map(|s| (s.width, s.height)),
        normalize: given.or(named),
        output: options.output.clone(),
    };
    Judge::named(path, &options, references, context)
}
