//! Pictures inside a page: shrunk, as JPEG, in base64.
use crate::dataset::{Pixels, crop, image as files};
use crate::plan::{PlannedPicture, TrainPlan};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
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
    shrunk(&rgb(&files::read(path, false).ok()?.rgb)?, longest)
}

/// A training picture as it is trained, but for its size: what is cropped from what it is resized to.
pub(super) fn cropped(plan: &TrainPlan, picture: &PlannedPicture, longest: u32) -> Option<Inside> {
    let filter = plan.sets[picture.set].filter();
    let scaled = plan.reads.scaled(picture, filter, !plan.kohya_numbers).ok()?;
    let (size, window) = (scaled.rgb.size(), picture.bucket);
    let is_inside = size.0 >= window.0 && size.1 >= window.1;
    let cut = is_inside.then(|| crop::crop(&scaled.rgb, picture.corner(), window));
    shrunk(&rgb(cut.as_ref().unwrap_or(&scaled.rgb))?, longest)
}

fn rgb(pixels: &Pixels) -> Option<RgbImage> {
    RgbImage::from_raw(pixels.width as u32, pixels.height as u32, pixels.data.clone())
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
