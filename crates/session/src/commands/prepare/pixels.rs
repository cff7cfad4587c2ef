//! Photos as pixels, and images as files.
use crate::Failure;
use crate::request::PreparedFormat;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};
use std::path::Path;
use wayword_formats::picture::{self, Reading};
use wayword_formats::png_text::encode_rgb8;
use wayword_vision::Rgb;

/// A photo as people see it, on white where it is transparent, and what reading did with it.
///
/// # Errors
/// If it cannot be read or is no picture.
pub(super) fn read(path: &Path) -> Result<Photo, Failure> {
    let (mut found, sha256) = picture::read_with_hash(path, Reading::SEEN)?;
    let (width, height, notes) = (found.width, found.height, std::mem::take(&mut found.notes));
    Ok(Photo { pixels: Rgb { width, height, rgb: found.on_white() }, sha256, notes })
}

/// Pixels of a photo from its file's header; 0 where that cannot be read.
pub(super) fn count(path: &Path) -> usize {
    picture::size(path, Reading::STORED).map_or(0, |(width, height)| width * height)
}

/// A photo that was read.
pub(super) struct Photo {
    /// What people see.
    pub(super) pixels: Rgb,
    /// The file's SHA-256.
    pub(super) sha256: String,
    /// What reading did with it.
    pub(super) notes: Vec<String>,
}

/// The same pixels for drawing and encoding.
///
/// # Errors
/// If a side does not fit into 32 bits, which no photo that is read has.
pub(crate) fn image(pixels: Rgb) -> Result<RgbImage, Failure> {
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    RgbImage::from_raw(side(pixels.width), side(pixels.height), pixels.rgb)
        .ok_or_else(|| Failure::user("the image has fewer pixels than its size says"))
}

/// The bytes of an image's file.
///
/// # Errors
/// If it cannot be encoded.
pub(super) fn encoded(image: &RgbImage, format: PreparedFormat) -> Result<Vec<u8>, Failure> {
    let (width, height) = image.dimensions();
    match format {
        PreparedFormat::Png => Ok(encode_rgb8(width, height, image.as_raw(), &[])
            .map_err(|fault| Failure::user(fault.to_string()))?),
        PreparedFormat::Jpg => jpeg(image, 95),
    }
}

/// The same as JPEG of a quality of 1 to 100.
///
/// # Errors
/// If it cannot be encoded.
pub(super) fn jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode(
        image.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}
