//! Decodes PNG, JPEG, WebP and BMP files; the camera's orientation is honoured unless switched off.
use super::jpeg;
use super::pixels::Pixels;
use crate::error::{AtFile, Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::path::Path;

/// Endings of files that are read, in lower case.
pub const EXTENSIONS: &[&str] = &["png", "jpg", "jpeg", "webp", "bmp"];

/// Endings of pictures that kohya may read and this program does not.
pub const UNREAD_EXTENSIONS: &[&str] = &["avif", "jxl", "gif", "tif", "tiff", "heic", "heif"];

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// RGB; an alpha channel is dropped without being composed with anything, as kohya does.
    pub rgb: Pixels,
    /// The alpha channel, where the file has one.
    pub alpha: Option<Pixels>,
}

/// Decodes a file. `orient`: turn it as its EXIF orientation says (kohya does not).
///
/// # Errors
/// If the file cannot be read or is no picture, naming it.
pub fn read(path: &Path, orient: bool) -> Result<Decoded> {
    let (decoder, format, orientation) = open(path)?;
    let jpeg = if format == Some(ImageFormat::Jpeg) { read_jpeg(path)? } else { None };
    let mut picture = match jpeg {
        Some(picture) => picture,
        None => DynamicImage::from_decoder(decoder).map_err(|e| broken(path, e))?,
    };
    if orient {
        picture.apply_orientation(orientation);
    }
    Ok(split(&picture))
}

/// JPEGs to libjpeg's levels. `None` for kinds that the other decoder takes.
fn read_jpeg(path: &Path) -> Result<Option<DynamicImage>> {
    let file = std::fs::read(path).at(path)?;
    let picture = match jpeg::decode(&file) {
        Ok(picture) => picture,
        Err(jpeg::Refused::OtherKind) => return Ok(None),
        Err(jpeg::Refused::Damaged(what)) => {
            let what = format!("the picture cannot be read: {what}");
            return Err(Error::run(path, what).with_hint(REPLACE));
        }
    };
    let (width, height) = (picture.width as u32, picture.height as u32);
    Ok(if picture.channels == 1 {
        image::GrayImage::from_raw(width, height, picture.data).map(DynamicImage::ImageLuma8)
    } else {
        image::RgbImage::from_raw(width, height, picture.data).map(DynamicImage::ImageRgb8)
    })
}

/// Width and height of a file, from its header only, after orientation if `orient`.
///
/// # Errors
/// If the file cannot be read or is no picture, naming it.
pub fn size(path: &Path, orient: bool) -> Result<(usize, usize)> {
    let (decoder, _, orientation) = open(path)?;
    let (width, height) = decoder.dimensions();
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if orient && turned { (height, width) } else { (width, height) };
    if width == 0 || height == 0 {
        return Err(Error::data(format!("{}: the picture has no pixels", path.display())));
    }
    Ok((width as usize, height as usize))
}

fn open(path: &Path) -> Result<(impl ImageDecoder, Option<ImageFormat>, Orientation)> {
    let file = |source| Error::File { path: path.into(), source };
    // By content first: a JPEG that is called .png is read nevertheless.
    let reader = ImageReader::open(path).map_err(file)?.with_guessed_format().map_err(file)?;
    let format = reader.format();
    let mut decoder = reader.into_decoder().map_err(|e| broken(path, e))?;
    // Damaged metadata is no reason to refuse a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, format, orientation))
}

/// What to do about a picture that cannot be read.
const REPLACE: &str = "replace the file, or move it out of the folder";

fn broken(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::run(path, "the picture cannot be read").with_source(error).with_hint(REPLACE)
}

fn split(picture: &DynamicImage) -> Decoded {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if !picture.color().has_alpha() {
        let data = picture.to_rgb8().into_raw();
        return Decoded { rgb: Pixels { width, height, channels: 3, data }, alpha: None };
    }
    let rgba = picture.to_rgba8().into_raw();
    let data = rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let alpha = rgba.chunks_exact(4).map(|p| p[3]).collect();
    Decoded {
        rgb: Pixels { width, height, channels: 3, data },
        alpha: Some(Pixels { width, height, channels: 1, data: alpha }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_pictures_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("half.png");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\nnot really").unwrap();
        for error in [read(&path, true).unwrap_err(), size(&path, true).unwrap_err()] {
            assert!(error.to_string().contains("half.png"), "{error}");
        }
        assert!(read(&dir.path().join("none.png"), true).unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn orientation_turns_unless_switched_off() {
        // A 2 x 1 JPEG with EXIF orientation 6 (turn right): what phones write.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("phone.jpg");
        let mut jpeg = Vec::new();
        let picture = image::RgbImage::from_fn(16, 8, |x, _| image::Rgb([x as u8 * 16, 0, 0]));
        let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut jpeg);
        encoder.encode_image(&picture).unwrap();
        let exif: &[u8] =
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut file = jpeg[..2].to_vec();
        file.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
        file.extend(exif);
        file.extend(&jpeg[2..]);
        std::fs::write(&path, file).unwrap();
        assert_eq!(size(&path, false).unwrap(), (16, 8));
        assert_eq!(size(&path, true).unwrap(), (8, 16));
        let turned = read(&path, true).unwrap().rgb;
        assert_eq!(turned.size(), (8, 16));
        assert!(turned.data[0] < 30 && turned.data[turned.data.len() - 3] > 200);
    }
}
