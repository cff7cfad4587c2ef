//! Embeddings as they were after a step of a training, instead of those of a file.
use crate::Failure;
use crate::request::Draw as Options;
use std::path::{Path, PathBuf};
use wayword_diffusion::{Embeddings, repeat};
use wayword_formats::hash::{sha256_bytes, short_network};
use wayword_formats::infotext::Infotext;
use wayword_interface::{Diagnostic, Warning};
use wayword_train::run_folder::kept::KeptVectors;
use wayword_train::run_folder::steps::StepChoice;
use wayword_train::vectors;

/// A run, its steps and the strength of its vectors.
#[derive(Debug)]
pub(super) struct RunVectors {
    run: PathBuf,
    step: Option<StepChoice>,
    strength: Option<f64>,
    /// What a repeated picture says of the vectors, if they should be the same.
    hash: Option<String>,
}

/// The run that is asked for by options or that a repeated picture names; `None`: words are those of
/// files alone.
///
/// # Errors
/// If a run is missing, or the picture's text cannot be read.
pub(super) fn asked(
    options: &Options,
    from: Option<&Infotext>,
) -> Result<Option<RunVectors>, Failure> {
    let says = |key: &str| from.and_then(|text| text.get(key));
    let run = match (&options.run, says(repeat::RUN)) {
        (Some(run), _) => run.clone(),
        (None, Some(name)) => found(options, name)?,
        (None, None) => {
            let given = [
                ("{draw.step}", options.step.is_some()),
                ("{draw.strength}", options.strength.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(Failure::user(format!("{name} without {{draw.run}}"))
                    .hint("pass the run's folder NAME.run with {draw.run}")),
                None => Ok(None),
            };
        }
    };
    let changed = options.step.is_some() || options.strength.is_some();
    Ok(Some(RunVectors {
        run,
        step: options.step.or(read(repeat::RUN_STEP, says(repeat::RUN_STEP))?),
        strength: options.strength.or(read(repeat::RUN_STRENGTH, says(repeat::RUN_STRENGTH))?),
        hash: says(repeat::RUN_HASH).filter(|_| !changed).map(str::to_owned),
    }))
}

/// A run's folder by its name: beside the picture, or in folders of embeddings.
fn found(options: &Options, name: &str) -> Result<PathBuf, Failure> {
    let beside = options.from.as_deref().and_then(Path::parent);
    let folders = options.places.embeddings.iter().map(PathBuf::as_path);
    // The text may be a stranger's: only a plain name is looked for.
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    let places = folders.chain(beside).map(|folder| folder.join(name));
    let mut places = places.filter(|place| plain && place.is_dir());
    places.next().ok_or_else(|| {
        Failure::user(format!("the image was drawn with a step of {name}, which was not found"))
            .hint("pass that run's folder with {draw.run}")
    })
}

fn read<T: std::str::FromStr>(key: &str, value: Option<&str>) -> Result<Option<T>, Failure> {
    let wrong = |value: &str| {
        let text = format!("its text says `{key}: {value}`, which cannot be read");
        Diagnostic::new(text).with_field("draw.from")
    };
    Ok(value.map(|value| value.parse().map_err(|_| wrong(value))).transpose()?)
}

impl RunVectors {
    /// Adds the run's embeddings under their names; those of the same names in folders give way.
    /// What a picture's text says of them.
    ///
    /// # Errors
    /// If it is no run's folder, a step is not kept, or the base has vectors of another width.
    pub(super) fn add(
        &self,
        words: &mut Embeddings,
        warn: impl FnOnce(Warning),
    ) -> Result<Vec<(String, String)>, Failure> {
        let kept = KeptVectors::open(&self.run)?;
        let choice = self.step.unwrap_or(StepChoice::One(kept.last()));
        let strength = self.strength.unwrap_or(1.0);
        let mut run_vectors = kept.all(choice)?;
        vectors::scale(&mut run_vectors, strength);
        let bytes: Vec<u8> = run_vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
        let hash = short_network(&sha256_bytes(&bytes)).to_owned();
        for (name, vectors) in kept.by_name(&run_vectors) {
            words.add(&name, vectors, None)?;
        }
        let name = std::path::absolute(&self.run).unwrap_or_else(|_| self.run.clone());
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(said) = self.hash.as_ref().filter(|said| **said != hash) {
            let text = format!(
                "it was drawn with step {choice} of {name} [{said}], the one here is [{hash}]"
            );
            warn(
                Warning::new(text).with_hint("the run was made anew, or another one has its name"),
            );
        }
        let mut pairs = vec![
            (repeat::RUN.to_owned(), name),
            (repeat::RUN_STEP.to_owned(), choice.to_string()),
            (repeat::RUN_HASH.to_owned(), hash),
        ];
        if strength.to_bits() != 1.0f64.to_bits() {
            pairs.push((repeat::RUN_STRENGTH.to_owned(), strength.to_string()));
        }
        Ok(pairs)
    }
}
