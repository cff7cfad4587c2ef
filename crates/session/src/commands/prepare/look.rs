//! Looks at one photo: its faces, how sharp and light it is, and a small copy.
use super::pixels;
use crate::Failure;
use image::RgbImage;
use std::path::{Path, PathBuf};
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder};
use wayword_vision::{
    Area, Crop, Detector, Face, Gray, Look, Quality, Rgb, Turn, View, aligned, cut, decimate,
};

/// Longer side of the small copy.
const SMALL: usize = 360;

/// Faces whose quality is measured, the largest first.
const MOST: usize = 12;

/// What is known of a photo.
pub(super) struct Photo {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    /// Width and height before `turn`.
    pub(super) size: (usize, usize),
    pub(super) turn: Turn,
    /// In the turned photo, the largest first.
    pub(super) faces: Vec<Seen>,
    /// Of all of it.
    pub(super) quality: Quality,
    pub(super) look: Look,
    /// A small copy, turned.
    pub(super) small: RgbImage,
    /// What reading did with the photo, such as a converted color profile.
    pub(super) notes: Vec<String>,
}

/// A face of a photo.
pub(super) struct Seen {
    pub(super) face: Face,
    pub(super) quality: Quality,
    /// What a face network makes of it.
    pub(super) vector: Vec<f32>,
}

impl Photo {
    /// Width and height of the turned photo.
    pub(super) fn turned(&self) -> (usize, usize) {
        self.turn.size(self.size)
    }
}

/// Reads and looks at a photo; gives its pixels too. Faces are looked for where there is a detector.
///
/// # Errors
/// If it cannot be read or is no picture, or a network fails.
pub(super) fn look(
    path: &Path,
    detector: Option<&Detector>,
    judge: Option<&OnnxImageEncoder>,
) -> Result<(Photo, Rgb), Failure> {
    let pixels::Photo { pixels: picture, sha256, notes } = pixels::read(path)?;
    let view = picture.view();
    let size = view.size();
    let found = detector.map(|detector| detector.find(view)).transpose()?.unwrap_or_default();
    let turn = found.turn;
    let mut faces = found.faces;
    faces.sort_by(|a, b| b.area.size().total_cmp(&a.area.size()));
    let mut seen = Vec::new();
    for face in faces.into_iter().take(MOST) {
        let vector = match judge {
            Some(judge) => vector(view, turn, &face, judge)?,
            None => Vec::new(),
        };
        let quality = Quality::of(view, before(turn, face.area, size));
        seen.push(Seen { face, quality, vector });
    }
    // Means of whole blocks first, which is quick; filters do the rest.
    let coarse = decimate(view, (size.0.max(size.1) / (2 * SMALL)).max(1));
    let whole = Crop { left: 0, top: 0, width: coarse.width, height: coarse.height };
    let small = small(coarse.view(), size);
    let photo = Photo {
        path: path.to_path_buf(),
        sha256,
        size,
        turn,
        faces: seen,
        quality: Quality::of(coarse.view(), whole.area()),
        look: Look::of(&Gray::of(&small.rgb, 3, small.width)),
        small: pixels::image(turn.apply(&small))?,
        notes,
    };
    Ok((photo, picture))
}

/// An area of the turned photo as it lies before the turn.
fn before(turn: Turn, area: Area, size: (usize, usize)) -> Area {
    let inside = area.inside(turn.size(size));
    let crop = Crop {
        left: inside.left as usize,
        top: inside.top as usize,
        width: inside.width as usize,
        height: inside.height as usize,
    };
    turn.undone(crop, size).area()
}

/// A photo of `(width, height)`, of which `coarse` is a copy, with a longer side of at most [`SMALL`].
fn small(coarse: View<'_>, (width, height): (usize, usize)) -> Rgb {
    let longer = width.max(height);
    let to = |length: usize| (length * SMALL.min(longer)).div_ceil(longer).max(1);
    let whole = Crop { left: 0, top: 0, width: coarse.size().0, height: coarse.size().1 };
    cut(coarse, whole, (to(width), to(height)))
}

/// What a face network makes of a face: zeros where it cannot be aligned.
fn vector(
    photo: View<'_>,
    turn: Turn,
    face: &Face,
    judge: &OnnxImageEncoder,
) -> Result<Vec<f32>, Failure> {
    // A face's surroundings are turned, not the whole photo.
    let size = photo.size();
    let wide = Area {
        left: face.area.left - face.area.width / 2.0,
        top: face.area.top - face.area.height / 2.0,
        width: 2.0 * face.area.width,
        height: 2.0 * face.area.height,
    };
    let part = before(turn, wide, size);
    let crop = Crop {
        left: part.left as usize,
        top: part.top as usize,
        width: part.width as usize,
        height: part.height as usize,
    };
    if !crop.fits(size) {
        return Ok(Vec::new());
    }
    let face_part = turn.apply(&cut(photo, crop, (crop.width, crop.height)));
    let corner = wide.inside(turn.size(size));
    let (left, top) = (corner.left.floor(), corner.top.floor());
    let landmarks = face.landmarks.map(|[x, y]| [x - left, y - top]);
    match aligned(face_part.view(), &Face { landmarks, ..*face }) {
        Some(face) => Ok(judge.vector(&pixels::image(face)?)?),
        None => Ok(Vec::new()),
    }
}
