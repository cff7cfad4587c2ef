//! Pictures inside a page: shrunk, as JPEG, in base64.
use crate::dataset::image as files;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{RgbImage, imageops::crop_imm};
use std::path::Path;

/// Quality of the JPEGs, of 100.
const QUALITY: u8 = 88;

/// A picture for a page.
pub(super) struct Inside {
    /// What `src` takes.
    pub(super) src: String,
    /// Its width in the file.
    pub(super) width: u32,
    /// Its height.
    pub(super) height: u32,
}

/// A file's picture, no side longer than `longest`; `None` if it cannot be read.
pub(super) fn of_file(path: &Path, longest: u32) -> Option<Inside> {
    shrunk(&open(path, false)?, longest)
}

/// A training picture as it was cropped: resized to cover, the middle of it.
pub(super) fn cropped(
    path: &Path,
    bucket: (usize, usize),
    orient: bool,
    longest: u32,
) -> Option<Inside> {
    let picture = open(path, orient)?;
    let (width, height) = picture.dimensions();
    let shape = bucket.0 as f64 / bucket.1.max(1) as f64;
    // The largest part of the picture that has the bucket's shape.
    let w = f64::from(width).min(f64::from(height) * shape);
    let (w, h) =
        ((w.round() as u32).clamp(1, width), ((w / shape).round() as u32).clamp(1, height));
    let middle = crop_imm(&picture, (width - w) / 2, (height - h) / 2, w, h).to_image();
    shrunk(&middle, longest)
}

fn open(path: &Path, orient: bool) -> Option<RgbImage> {
    let rgb = files::read(path, orient).ok()?.rgb;
    RgbImage::from_raw(rgb.width as u32, rgb.height as u32, rgb.data)
}

/// A picture, no side longer than `longest`.
pub(super) fn shrunk(picture: &RgbImage, longest: u32) -> Option<Inside> {
    let (width, height) = picture.dimensions();
    let most = width.max(height).max(1);
    let side = |n: u32| (u64::from(n) * u64::from(longest) / u64::from(most)).max(1) as u32;
    let small = (most > longest)
        .then(|| imageops::resize(picture, side(width), side(height), FilterType::Triangle));
    let picture = small.as_ref().unwrap_or(picture);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(picture).ok()?;
    let (width, height) = picture.dimensions();
    Some(Inside { src: format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)), width, height })
}
