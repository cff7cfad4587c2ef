//! The face detector: YuNet (Wu, Peng, Yu 2023) through the `rten` crate, read as OpenCV's
//! `FaceDetectorYN` reads it.
use crate::{Area, Face, Rgb, Turn, View, decimate, nms};
use rten::{Model, NodeId};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use wayword_interface::Diagnostic;

/// The network; its license lies beside it.
const NETWORK: &[u8] = include_bytes!("../assets/yunet_n.onnx");

/// Pixels between two places of each of the network's three levels.
const STRIDES: [usize; 3] = [8, 16, 32];

/// What the network says of each place: class, object, box, key points.
const KINDS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// Overlap from which on two detections are one, as OpenCV's default.
const SAME: f32 = 0.3;

/// The longer side that photos are shrunk to. The network finds faces of about 10 to 300 pixels.
const SIDE: usize = 640;

/// The score from which on [`Detector::find`] counts a face.
const SCORE: f32 = 0.6;

/// What a turned picture's face must exceed where there is no upright one without turning.
const SCORE_TURNED: f32 = 0.7;

/// Score from which on a face surely stands upright: on its side the test's portrait has 0.87.
const SURE: f32 = 0.9;

/// How much surer a face must be in a turned picture.
const SURER: f32 = 0.02;

/// A picture whose padded sides are this has one place at the coarsest level, and no face is found in
/// it, as OpenCV finds none.
const LEAST: usize = 32;

/// Degrees from which on a head does not lean: the photo lies on its side.
const LYING: f32 = 60.0;

/// The network's raw outputs, by name such as `cls_8`: `[1, places, values]`.
pub type Outputs = Vec<(String, Vec<f32>)>;

/// Faces of a photo.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// How the photo is turned before its faces are upright.
    pub turn: Turn,
    /// Faces in the turned photo, the surest first.
    pub faces: Vec<Face>,
}

/// The loaded network.
pub struct Detector {
    model: Model,
    input: NodeId,
    /// In the order of [`STRIDES`], [`KINDS`] within.
    outputs: Vec<NodeId>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Detector(YuNet)")
    }
}

impl Detector {
    /// The network inside the program. To be loaded once for a job and used for all its pictures.
    ///
    /// # Errors
    /// If it cannot be run, which a test would have noticed.
    pub fn bundled() -> Result<Self, Diagnostic> {
        Self::from_bytes(NETWORK.to_vec())
    }

    /// A network of YuNet's inputs and outputs.
    ///
    /// # Errors
    /// If it is no such network.
    fn from_bytes(bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        let model = Model::load(bytes).map_err(|e| {
            Diagnostic::new("the face detector's network cannot be loaded").with_source(e)
        })?;
        let [input] = model.input_ids() else {
            return Err(Diagnostic::new("the face detector's network has not one input"));
        };
        let input = *input;
        let mut outputs = Vec::new();
        for name in names() {
            let id = model.find_node(&name).ok_or_else(|| {
                Diagnostic::new(format!("the face detector's network has no output `{name}`"))
            })?;
            outputs.push(id);
        }
        Ok(Self { model, input, outputs })
    }

    /// The network's outputs for a picture as it is, padded with black to multiples of 32.
    ///
    /// # Errors
    /// If the network fails.
    pub fn outputs(&self, picture: View<'_>) -> Result<Outputs, Diagnostic> {
        let (width, height) = padded(picture);
        let input = NdTensor::from_data([1, 3, height, width], planes(picture, (width, height)));
        let failed = || Diagnostic::new("the face detector failed");
        let results = self
            .model
            .run(vec![(self.input, input.into())], &self.outputs, None)
            .map_err(|e| failed().with_source(e))?;
        let mut out = Vec::new();
        for (name, value) in names().zip(results) {
            let values = Tensor::<f32>::try_from(value).map_err(|e| failed().with_source(e))?;
            out.push((name, values.to_vec()));
        }
        Ok(out)
    }

    /// Faces of a picture as it is, with scores of at least `score`, the surest first: the numbers of
    /// OpenCV's `FaceDetectorYN`.
    ///
    /// # Errors
    /// If the network fails.
    pub fn detect(&self, picture: View<'_>, score: f32) -> Result<Vec<Face>, Diagnostic> {
        let (width, height) = padded(picture);
        if width.max(height) <= LEAST {
            return Ok(Vec::new());
        }
        let outputs = self.outputs(picture)?;
        let mut faces = Vec::new();
        for (stride, level) in STRIDES.into_iter().zip(outputs.chunks_exact(KINDS.len())) {
            let (columns, rows) = (width / stride, height / stride);
            let fits = level.iter().zip(KINDS).all(|(o, k)| o.1.len() == columns * rows * k.1);
            if !fits {
                return Err(Diagnostic::new("the face detector gave outputs of another size"));
            }
            faces.extend((0..rows * columns).filter_map(|place| {
                let corner = ((place % columns) as f32, (place / columns) as f32);
                face(level, place, corner, stride as f32).filter(|face| face.score >= score)
            }));
        }
        Ok(nms::keep(&faces, SAME).into_iter().map(|place| faces[place]).collect())
    }

    /// Faces of a picture of any size, not turned, with scores of at least `score`, the surest first.
    /// Looks at it at two sizes, the larger of at most 1280 pixels.
    ///
    /// # Errors
    /// If the network fails.
    pub fn search(&self, picture: View<'_>, score: f32) -> Result<Vec<Face>, Diagnostic> {
        let (width, height) = picture.size();
        let factor = width.max(height).div_ceil(2 * SIDE);
        let small = decimate(picture, factor);
        let faces = self.both_sizes(&small, score)?;
        Ok(faces.iter().map(|face| face.scaled(factor as f32)).collect())
    }

    /// Faces of a photo of any size, upright or on its side. Looks at the photo at two sizes, and
    /// closer where it finds nobody.
    ///
    /// # Errors
    /// If the network fails.
    pub fn find(&self, photo: View<'_>) -> Result<Found, Diagnostic> {
        let (width, height) = photo.size();
        let factor = |side: usize| width.max(height).div_ceil(side);
        let small = decimate(photo, factor(SIDE));
        let mut found = self.upright(&small)?;
        if found.faces.is_empty() && factor(2 * SIDE) < factor(SIDE) {
            let closer = decimate(photo, factor(2 * SIDE));
            let faces = self.detect(closer.view(), SCORE)?;
            let by = factor(2 * SIDE) as f32;
            return Ok(Found { faces: faces.iter().map(|f| f.scaled(by)).collect(), ..found });
        }
        // The division may have left out some pixels of the right and bottom border.
        let by = factor(SIDE) as f32;
        found.faces.iter_mut().for_each(|face| *face = face.scaled(by));
        Ok(found)
    }

    /// Faces of a small picture, turned where that makes them upright. The network also finds faces that
    /// lie on their side, less surely and often with landmarks as if they stood.
    fn upright(&self, small: &Rgb) -> Result<Found, Diagnostic> {
        let stands = |face: &&Face| Turn::upright(face.roll(), LYING) == Turn::None;
        let faces = self.both_sizes(small, SCORE)?;
        let mut best = largest(&faces).filter(stands).map_or(SCORE_TURNED, |face| face.score);
        let mut found = Found { turn: Turn::None, faces };
        if best >= SURE && largest(&found.faces).is_some() {
            return Ok(found);
        }
        for turn in [Turn::Right, Turn::Left, Turn::Half] {
            let faces = self.both_sizes(&turn.apply(small), SCORE)?;
            let score = largest(&faces).filter(stands).map_or(0.0, |face| face.score);
            if score > best + SURER {
                best = score;
                found = Found { turn, faces };
            }
        }
        Ok(found)
    }

    /// Faces at the picture's size and at half of it, where large ones are found.
    fn both_sizes(&self, small: &Rgb, score: f32) -> Result<Vec<Face>, Diagnostic> {
        let mut faces = self.detect(small.view(), score)?;
        if small.width.min(small.height) >= 64 {
            let half = decimate(small.view(), 2);
            faces.extend(self.detect(half.view(), score)?.iter().map(|face| face.scaled(2.0)));
        }
        Ok(nms::keep(&faces, SAME).into_iter().map(|place| faces[place]).collect())
    }
}

/// The face with the largest box.
#[must_use]
pub fn largest(faces: &[Face]) -> Option<&Face> {
    faces.iter().max_by(|a, b| a.area.size().total_cmp(&b.area.size()))
}

fn names() -> impl Iterator<Item = String> {
    STRIDES.into_iter().flat_map(|s| KINDS.into_iter().map(move |(kind, _)| format!("{kind}_{s}")))
}

/// Width and height as the network takes them.
fn padded(picture: View<'_>) -> (usize, usize) {
    let (width, height) = picture.size();
    (width.next_multiple_of(32), height.next_multiple_of(32))
}

/// Blue, green and red planes of levels 0 to 255.
fn planes(picture: View<'_>, (width, height): (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; 3 * width * height];
    for y in 0..picture.size().1 {
        for (x, pixel) in picture.row(y).as_chunks::<3>().0.iter().enumerate() {
            for (plane, level) in pixel.iter().rev().enumerate() {
                out[(plane * height + y) * width + x] = f32::from(*level);
            }
        }
    }
    out
}

/// The face that a place of a level speaks of; `None` where its numbers are none.
fn face(
    level: &[(String, Vec<f32>)],
    place: usize,
    (column, row): (f32, f32),
    stride: f32,
) -> Option<Face> {
    let [(_, class), (_, object), (_, sides), (_, points)] = level else { return None };
    let score = (class[place].clamp(0.0, 1.0) * object[place].clamp(0.0, 1.0)).sqrt();
    let sides: [f32; 4] = sides[4 * place..4 * place + 4].try_into().ok()?;
    let (x, y) = ((column + sides[0]) * stride, (row + sides[1]) * stride);
    let (width, height) = (sides[2].exp() * stride, sides[3].exp() * stride);
    let area = Area { left: x - width / 2.0, top: y - height / 2.0, width, height };
    let points = points[10 * place..10 * place + 10].as_chunks::<2>().0;
    let point = |p: [f32; 2]| [(p[0] + column) * stride, (p[1] + row) * stride];
    let landmarks = std::array::from_fn(|i| point(points[i]));
    let is_number = [score, area.left, area.top, width, height].iter().all(|v| v.is_finite());
    is_number.then_some(Face { score, area, landmarks })
}
