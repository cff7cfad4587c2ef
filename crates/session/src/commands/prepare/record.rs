//! `prepare.json`: what was decided about each photo, and why. Changes that are made in it by hand are
//! kept when the command is run again.
use crate::Failure;
use crate::commands::write;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_vision::{Crop, Face, Framing, Quality, Turn};

/// The name of the file.
pub(super) const NAME: &str = "prepare.json";

/// The version of its form.
const VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreparedSet {
    version: u32,
    /// Width and height of the images.
    pub resolution: (u32, u32),
    /// Every photo, in the order of looking.
    pub pictures: Vec<PreparedPicture>,
}

/// What is done with a photo: what an editor may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choice {
    /// Degrees by which the photo is turned clockwise, after its own orientation: 0, 90, 180 or 270.
    pub turn: Turn,
    /// Left, top, width and height in pixels of the turned photo.
    pub crop: Option<Crop>,
    /// Whether an image is written.
    pub keep: bool,
}

/// One photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreparedPicture {
    /// The photo's file.
    pub source: PathBuf,
    /// Its SHA-256; a changed photo is looked at anew.
    pub sha256: String,
    /// Width and height as people see it, before `turn`.
    pub size: (usize, usize),
    /// The image's file in the output folder.
    pub file: String,
    /// What is done.
    #[serde(flatten)]
    pub choice: Choice,
    /// What was proposed; where it differs from what is done, that was changed by hand.
    pub proposed: Choice,
    /// What the crop shows of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framing: Option<Framing>,
    /// The face that the crop is placed around, in the turned photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<Face>,
    /// Sharpness and light of the face, or of the photo where there is none.
    pub quality: Quality,
    /// Faces in the photo.
    pub faces: usize,
    /// Why it is left out, or what to look at.
    pub reasons: Vec<String>,
}

impl PreparedPicture {
    /// The photo's name without its folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.source.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether somebody changed what was proposed.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.choice != self.proposed
    }
}

impl PreparedSet {
    pub(super) fn new(resolution: (u32, u32), pictures: Vec<PreparedPicture>) -> Self {
        Self { version: VERSION, resolution, pictures }
    }

    /// The set in an output folder, for an editor.
    ///
    /// # Errors
    /// If there is none, it cannot be read, or a value in it does not fit.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        Self::read(folder)?.ok_or_else(|| {
            Failure::user(format!("{} holds no {NAME}", folder.display()))
                .hint("prepare photos into the folder first")
        })
    }

    /// Changes what is done with the photo of an image's file. The images are made anew when the
    /// command is run again on the folder in which the set is saved.
    ///
    /// # Errors
    /// If there is no such image, or a crop does not lie inside its photo.
    pub fn choose(&mut self, file: &str, choice: Choice) -> Result<(), Failure> {
        let picture = self.pictures.iter_mut().find(|picture| picture.file == file);
        let picture = picture.ok_or_else(|| {
            Failure::user(format!("{NAME}: there is no image {file:?}"))
                .hint("name an image as `file` has it")
        })?;
        let (width, height) = choice.turn.size(picture.size);
        if let Some(crop) = choice.crop.filter(|crop| !crop.fits((width, height))) {
            let [left, top, w, h] = <[usize; 4]>::from(crop);
            return Err(Failure::user(format!(
                "{file}: `crop`: expected a part of {width} x {height} pixels, found {w} x {h} at \
                 {left}, {top}"
            )));
        }
        picture.choice = choice;
        Ok(())
    }

    /// Saves the set in its output folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Failure> {
        self.write(folder).map(|_| ())
    }

    /// The file of a folder; `None` where there is none.
    ///
    /// # Errors
    /// If it cannot be read, or a value in it does not fit.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::io("cannot read", &path, &e)),
        };
        let set: Self = serde_json::from_str(&text).map_err(|e| {
            Failure::user(format!("{}: {e}", path.display()))
                .hint("correct the line, or remove the file to begin anew")
        })?;
        if set.version != VERSION {
            let found = set.version;
            return Err(Failure::user(format!(
                "{}: expected version {VERSION}, found {found}",
                path.display()
            ))
            .hint("remove the file to begin anew"));
        }
        if let Some(odd) = set.pictures.iter().find(|p| !is_name(&p.file)) {
            return Err(Failure::user(format!(
                "{}: `file`: expected a file name without a folder, found {:?}",
                path.display(),
                odd.file
            )));
        }
        Ok(Some(set))
    }

    /// Writes the file into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let path = folder.join(NAME);
        let text = serde_json::to_string_pretty(self).map_err(Failure::of)?;
        write(&path, format!("{text}\n").as_bytes())?;
        Ok(path)
    }

    /// Takes over what was changed by hand in an earlier file, of photos that are the same.
    pub(super) fn keep_changes(&mut self, earlier: &Self) -> usize {
        let mut kept = 0;
        for picture in &mut self.pictures {
            let same = |other: &&PreparedPicture| {
                other.sha256 == picture.sha256 && other.name() == picture.name()
            };
            let Some(other) = earlier.pictures.iter().find(same) else { continue };
            let turned = other.choice.turn.size(picture.size);
            let fits = other.choice.crop.is_none_or(|crop| crop.fits(turned));
            if other.is_changed() && fits {
                picture.choice = other.choice;
                // A photo that is kept needs a crop.
                picture.choice.crop = picture.choice.crop.or(picture.proposed.crop);
                picture.reasons.push("changed by hand".into());
                if let (Some(crop), Some(face)) = (picture.choice.crop, picture.face) {
                    picture.framing = Some(Framing::of(crop.height as f32, face.area.height));
                }
                kept += 1;
            }
        }
        kept
    }
}

/// Whether a name stays inside its folder.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).file_name().is_some_and(|n| n == name)
        && !name.contains('\\')
}
