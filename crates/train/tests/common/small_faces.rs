//! Small faces of the demo's world before and after the face detailer, with the masks of their own
//! boxes: YuNet does not know drawn faces.
#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::unwrap_used, reason = "used by tests and by a program that measures")]

use image::RgbImage;
use image::imageops::{self, FilterType};
use std::path::Path;
use std::sync::Arc;
use wayword_diffusion::detail::{DetailSettings, Own, masks};
use wayword_diffusion::img2img::ImageSettings;
use wayword_diffusion::pictures::Pixels;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, draw};
use wayword_interface::{Quiet, Stop};
use wayword_train::image_encoder::{ImageEncoder as _, OnnxImageEncoder, OnnxOptions, similarity};

/// Side of the whole picture; the base draws faces well at 64.
const SIDE: u32 = 128;

/// Left, top and side of the small face in it.
const FACE: (u32, u32, u32) = (48, 40, 32);

/// How the whole picture and the face in it are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// How much the first pass changes the picture that it begins with.
    pub(crate) first: f64,
    /// How much the detailer changes the face.
    pub(crate) denoise: f64,
    /// Pixels around the mask that are drawn with it.
    pub(crate) padding: u32,
    /// Pixels by which the mask grows.
    pub(crate) dilate: i32,
    /// Deviation of the mask's blur in pixels.
    pub(crate) blur: f64,
}

/// For faces of 32 pixels: ADetailer's own values (padding 32, growth and blur 4) are made for faces
/// of 100 and more.
pub(crate) const SMALL: Way = Way { first: 0.3, denoise: 0.4, padding: 0, dilate: 0, blur: 1.0 };

/// The words of the demo.
pub(crate) const WORDS: [&str; 4] = ["edvard2-ti", "mirabo-ti", "pascoe-ti", "tamsyn-ti"];

/// One picture.
pub(crate) struct Measured {
    /// Similarity of the small face and the concept's pictures as it was first drawn.
    pub(crate) before: f64,
    /// The same after the detailer.
    pub(crate) after: f64,
    /// Both pictures.
    pub(crate) pictures: [RgbImage; 2],
}

/// Draws a small picture of a word's person, and its face again.
pub(crate) fn measure(base: &Base, demo: &Path, word: &str, seed: u64, way: Way) -> Measured {
    let encoder =
        OnnxImageEncoder::open(&demo.join("judge.onnx"), &OnnxOptions::default()).unwrap();
    let references: Vec<Vec<f32>> = pictures_of(demo, word.trim_end_matches("-ti"))
        .iter()
        .map(|picture| encoder.vector(picture).unwrap())
        .collect();
    let mut embeddings = Embeddings::new(base);
    let file = demo.join(format!("words/{word}.safetensors"));
    let vectors = wayword_formats::embedding::read(&file).unwrap().vectors;
    embeddings.add(word, vectors, None).unwrap();
    let plain = DrawSettings {
        seed,
        cfg: 4.0,
        embeddings: Some(Arc::new(embeddings)),
        ..DrawSettings::new(base, format!("a photo of {word}"))
    };
    let large = drawn(base, plain.clone());
    let (left, top, side) = FACE;
    let small = imageops::resize(&large, side, side, FilterType::Triangle);
    let mut scene = RgbImage::from_pixel(SIDE, SIDE, *large.get_pixel(1, 1));
    imageops::replace(&mut scene, &small, left.into(), top.into());
    let length = SIDE as usize;
    let scene = Pixels { width: length, height: length, channels: 3, data: scene.into_raw() };
    let image = ImageSettings { denoise: way.first, ..ImageSettings::new(scene) };
    let first = DrawSettings { width: SIDE, height: SIDE, image: Some(image), ..plain };
    let corners = [left, top, left + side - 1, top + side - 1].map(|v| v as f32);
    let detail = DetailSettings {
        masks: vec![Arc::new(masks::of_box(corners, (length, length)))],
        denoise: way.denoise,
        padding: way.padding,
        dilate: way.dilate,
        blur: way.blur,
        size: Own { used: true, value: base.info.resolution },
        ..DetailSettings::default()
    };
    let pictures =
        [drawn(base, first.clone()), drawn(base, DrawSettings { detail: vec![detail], ..first })];
    let alike = |picture: &RgbImage| {
        let face = imageops::crop_imm(picture, left, top, side, side).to_image();
        similarity(&[encoder.vector(&face).unwrap()], &references).unwrap().mean
    };
    Measured { before: alike(&pictures[0]), after: alike(&pictures[1]), pictures }
}

fn drawn(base: &Base, settings: DrawSettings) -> RgbImage {
    let plan = DrawPlan::new(base, settings).unwrap();
    let picture = draw(base, &plan, &Quiet, &Stop::default()).unwrap().remove(0);
    RgbImage::from_raw(picture.width, picture.height, picture.rgb).unwrap()
}

fn pictures_of(demo: &Path, name: &str) -> Vec<RgbImage> {
    let folders = std::fs::read_dir(demo.join("concepts")).unwrap();
    let mut folders = folders.map(|entry| entry.unwrap().path());
    let is_of =
        |folder: &std::path::PathBuf| folder.to_string_lossy().contains(&format!("_{name} "));
    let folder = folders.find(is_of).unwrap();
    let files = wayword_testing::files(&folder, "png");
    files.iter().map(|file| image::open(file).unwrap().to_rgb8()).collect()
}
