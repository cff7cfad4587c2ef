//! The image encoder that compares pictures: one of a file, the bundled one, or one of the user's
//! folder. A face network sees the largest face of a picture, aligned by its landmarks.
use super::{bundled, demo, pictures, prepare::image_of};
use crate::Failure;
use crate::session::Context;
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_interface::Warning;
use wayword_train::Error;
use wayword_train::image_encoder::{ImageEncoder, NetworkKind, OnnxImageEncoder, OnnxOptions};
use wayword_vision::{Detector, Rgb, aligned, largest};

/// What stands for a file where the network is to be chosen.
const AUTO: &str = "auto";

/// References that are looked at for faces before a network is chosen.
const LOOKED_AT: usize = 8;

/// An image encoder and what its pictures are made ready with.
#[derive(Debug)]
pub(crate) struct Judge {
    encoder: OnnxImageEncoder,
    /// Of a face network.
    detector: Option<Detector>,
    /// Whether it is the bundled one, which knows its own small world only.
    is_bundled: bool,
}

impl Judge {
    fn new(encoder: OnnxImageEncoder) -> Result<Self, Failure> {
        let is_of_faces = encoder.kind() == NetworkKind::Face;
        let detector = is_of_faces.then(Detector::bundled).transpose()?;
        Ok(Self { encoder, detector, is_bundled: false })
    }

    /// The network of a file.
    ///
    /// # Errors
    /// If it cannot be run, or neither it nor the options say what goes in and what comes out.
    pub(crate) fn open(path: &Path, options: &OnnxOptions) -> Result<Self, Failure> {
        Self::new(OnnxImageEncoder::open(path, options)?)
    }

    /// The bundled one: what the demo and `likeness` without a file use.
    ///
    /// # Errors
    /// If it cannot be run, which a test would have noticed.
    pub(crate) fn bundled() -> Result<Self, Failure> {
        Ok(Self { is_bundled: true, ..Self::new(bundled::open()?)? })
    }

    /// The network of a file, or for `auto` the one of the user's folder that fits: a face network
    /// where all of `references` show faces, else DINO, CLIP or another.
    ///
    /// # Errors
    /// As [`Judge::open`]; if the folder holds none that can be used.
    pub(crate) fn named(
        path: &Path,
        options: &OnnxOptions,
        references: &[PathBuf],
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        if is_auto(path) { Self::of_folder(references, context) } else { Self::open(path, options) }
    }

    /// The network that an option names, or without one the bundled one on the demo's model, which is
    /// all that it knows.
    ///
    /// # Errors
    /// As [`Judge::named`].
    pub(crate) fn of_run(
        path: Option<&Path>,
        base: &Base,
        references: &[PathBuf],
        context: &Context<'_>,
    ) -> Result<Option<Self>, Failure> {
        match path {
            Some(path) => Self::named(path, &OnnxOptions::default(), references, context).map(Some),
            None if demo::is_model(base) => Self::bundled().map(Some),
            None => Ok(None),
        }
    }

    fn of_folder(references: &[PathBuf], context: &Context<'_>) -> Result<Self, Failure> {
        let mut found = all(context)?;
        let detector = Detector::bundled()?;
        let has_face = |file: &PathBuf| -> Result<bool, Failure> {
            Ok(!found_faces(&detector, &pictures::open(file)?)?.0.is_empty())
        };
        let mut faces = found.iter().any(|(_, encoder)| encoder.kind() == NetworkKind::Face);
        for file in references.iter().take(LOOKED_AT).take_while(|_| found.len() > 1) {
            context.progress.go_on()?;
            faces = faces && has_face(file)?;
        }
        // Kinds are in the order of preference.
        found.sort_by_key(|(_, encoder)| {
            (!faces && encoder.kind() == NetworkKind::Face, encoder.kind())
        });
        let (path, encoder) = found.swap_remove(0);
        context.progress.note(&format!(
            "compared by {}: {}",
            encoder.kind().name(),
            path.display()
        ));
        Self::new(encoder)
    }

    /// What the network makes of a picture; `None` where it is one for faces and finds none.
    ///
    /// # Errors
    /// If a network fails.
    pub(crate) fn look(&self, picture: &RgbImage) -> Result<Option<Vec<f32>>, Failure> {
        let Some(detector) = &self.detector else { return Ok(Some(self.encoder.vector(picture)?)) };
        let (faces, pixels) = found_faces(detector, picture)?;
        let face = largest(&faces).and_then(|face| aligned(pixels.view(), face));
        let Some(face) = face else { return Ok(None) };
        Ok(Some(self.encoder.vector(&image_of(face)?)?))
    }
}

/// A picture without a face counts as it is: it is as unlike a face as it looks.
impl ImageEncoder for Judge {
    fn vector(&self, picture: &RgbImage) -> wayword_train::Result<Vec<f32>> {
        match self.look(picture) {
            Ok(Some(vector)) => Ok(vector),
            Ok(None) => self.encoder.vector(picture),
            Err(failure) => Err(Error::from(failure.diagnostic)),
        }
    }

    fn outputs(&self, picture: &RgbImage) -> wayword_train::Result<BTreeMap<String, Vec<f32>>> {
        self.encoder.outputs(picture)
    }

    fn words(&self, output: &str) -> Option<&[String]> {
        self.encoder.words(output)
    }

    fn knows(&self, picture: &RgbImage, vector: &[f32]) -> wayword_train::Result<bool> {
        if self.is_bundled { bundled::knows(&self.encoder, picture, vector) } else { Ok(true) }
    }
}

/// Faces of a picture, and the picture as they stand upright.
fn found_faces(
    detector: &Detector,
    picture: &RgbImage,
) -> Result<(Vec<wayword_vision::Face>, Rgb), Failure> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = Rgb { width, height, rgb: picture.as_raw().clone() };
    let found = detector.find(pixels.view())?;
    Ok((found.faces, found.turn.apply(&pixels)))
}

/// A face network of a file, or the first of the user's folder for `auto`.
///
/// # Errors
/// If it is none, or cannot be run.
pub(crate) fn face_network(
    path: &Path,
    context: &Context<'_>,
) -> Result<OnnxImageEncoder, Failure> {
    if is_auto(path) {
        let found = all(context)?.into_iter().find(|(_, e)| e.kind() == NetworkKind::Face);
        let (path, encoder) = found.ok_or_else(|| none(context, "no face network"))?;
        context.progress.note(&format!("faces are compared by {}", path.display()));
        return Ok(encoder);
    }
    let options =
        OnnxOptions { normalize: NetworkKind::Face.normalize(), ..OnnxOptions::default() };
    let network = OnnxImageEncoder::open(path, &options)?;
    let (width, height) = network.size();
    if (width, height) != (112, 112) {
        return Err(Failure::user(format!(
            "{}: expected a face network of 112 x 112 pixels, found {width} x {height}",
            path.display()
        ))
        .hint("leave {prepare.judge} out: the largest and most central face is chosen"));
    }
    Ok(network)
}

/// Servers make paths whole before they come here.
fn is_auto(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == AUTO) && !path.exists()
}

/// The networks of the user's folder that can be run, by name.
fn all(context: &Context<'_>) -> Result<Vec<(PathBuf, OnnxImageEncoder)>, Failure> {
    let folder = context.core.environment.judges();
    let entries = folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| wayword_formats::endings::has(path, &["onnx"]));
    files.sort();
    let mut found = Vec::new();
    for path in files {
        match OnnxImageEncoder::open(&path, &OnnxOptions::default()) {
            Ok(encoder) => found.push((path, encoder)),
            Err(error) => context.progress.warn(Warning::from(Failure::from(error).diagnostic)),
        }
    }
    if found.is_empty() { Err(none(context, "no network")) } else { Ok(found) }
}

fn none(context: &Context<'_>, what: &str) -> Failure {
    let folder = context.core.environment.judges();
    let place = folder.map_or_else(|| "the cache folder".into(), |f| f.display().to_string());
    Failure::user(format!("{what} that can be run in {place}"))
        .hint("put an ONNX file there, or name one instead of `auto`")
}
