//! Picture files to pixels of 8 bits: the one place where pictures are decoded.
//!
//! PNG, JPEG, WebP and BMP are told by their content. The camera's orientation and the color profile
//! count unless [`Reading`] switches them off, as kohya's trainer does. Sizes are checked before
//! anything is decoded, and files of other kinds are refused by name.

mod color;
mod jpeg;
mod kinds;

pub use kinds::MOST_PIXELS;
pub(crate) use kinds::is_other_kind;

use crate::error::{At, Error, Fault};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::{Cursor, Read as _, Seek as _};
use std::path::Path;

/// What of a file counts beside its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Turn the picture as its EXIF orientation says.
    pub orient: bool,
    /// Convert its colors from its profile to sRGB.
    pub convert_colors: bool,
}

impl Reading {
    /// As people see the picture.
    pub const SEEN: Self = Self { orient: true, convert_colors: true };
    /// The pixels as they are stored, as kohya's trainer reads them.
    pub const STORED: Self = Self { orient: false, convert_colors: false };
}

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`, sRGB; transparent pixels keep the color that the file gives them.
    pub rgb: Vec<u8>,
    /// `[height, width]`, 255 being opaque; `None` where the file has no transparency.
    pub alpha: Option<Vec<u8>>,
    /// What was done that a viewer would not notice, a sentence each.
    pub notes: Vec<String>,
}

impl Picture {
    /// The colors over white, `[height, width, 3]`, in the same memory.
    #[must_use]
    pub fn on_white(mut self) -> Vec<u8> {
        let mix = |v: u8, a: u8| {
            let (v, a) = (u32::from(v), u32::from(a));
            u8::try_from((v * a + 255 * (255 - a) + 127) / 255).unwrap_or(u8::MAX)
        };
        let pixels = self.rgb.as_chunks_mut::<3>().0.iter_mut();
        pixels.zip(self.alpha.unwrap_or_default()).for_each(|(p, a)| *p = p.map(|v| mix(v, a)));
        self.rgb
    }
}

/// Reads a picture file.
///
/// # Errors
/// Where it cannot be read, is no picture or of a kind that is not read, is damaged, or has more than
/// [`MOST_PIXELS`].
pub fn read(path: &Path, reading: Reading) -> Result<Picture, Error> {
    from_bytes(&bytes(path, reading)?, reading).at(path)
}

/// The same, and the file's SHA-256, in one reading.
///
/// # Errors
/// As [`read`].
pub fn read_with_hash(path: &Path, reading: Reading) -> Result<(Picture, String), Error> {
    let bytes = bytes(path, reading)?;
    let picture = from_bytes(&bytes, reading).at(path)?;
    Ok((picture, crate::hash::sha256_bytes(&bytes)))
}

/// All bytes of a file whose header is that of a picture which is read.
fn bytes(path: &Path, reading: Reading) -> Result<Vec<u8>, Error> {
    let (mut file, _) = opened(path, reading)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).at(path)?;
    Ok(bytes)
}

/// As [`read`], of bytes in memory.
///
/// # Errors
/// As [`read`], without the path.
pub fn from_bytes(bytes: &[u8], reading: Reading) -> Result<Picture, Fault> {
    let mut opened = open(Cursor::new(bytes), bytes)?;
    let mut notes = Vec::new();
    notes.extend(kinds::animation(bytes));
    let profile =
        if reading.convert_colors { opened.decoder.icc_profile().ok().flatten() } else { None };
    let orientation = if reading.orient { opened.orientation } else { Orientation::NoTransforms };
    let own = match opened.format {
        ImageFormat::Jpeg => read_jpeg(bytes, orientation)?,
        _ => None,
    };
    let picture = match own {
        Some(picture) => picture,
        None => {
            let found = DynamicImage::from_decoder(opened.decoder);
            let mut picture = found.map_err(|e| kinds::damaged(&e))?;
            picture.apply_orientation(orientation);
            picture
        }
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (mut rgb, alpha) = if picture.color().has_alpha() {
        let (rgb, alpha) = without_alpha(picture.into_rgba8().into_raw());
        (rgb, Some(alpha))
    } else {
        (picture.into_rgb8().into_raw(), None)
    };
    if let Some(profile) = profile {
        notes.extend(color::to_srgb(&profile, &mut rgb));
    }
    Ok(Picture { width, height, rgb, alpha, notes })
}

/// Colors and transparency of `[pixels, 4]`, the colors in the same memory.
fn without_alpha(mut rgba: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let alpha = rgba.iter().skip(3).step_by(4).copied().collect();
    let count = rgba.len() / 4;
    for pixel in 0..count {
        rgba.copy_within(4 * pixel..4 * pixel + 3, 3 * pixel);
    }
    rgba.truncate(3 * count);
    rgba.shrink_to_fit();
    (rgba, alpha)
}

/// What is known of a picture file before it is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRecord {
    /// Width and height, after orientation where the reading says so.
    pub size: (usize, usize),
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Looks at a file in one reading: its header, the hash of its bytes, and the bytes themselves where
/// they are `most` at most, so that it need not be read again to be decoded.
///
/// # Errors
/// As [`read`], as far as the header shows it.
pub fn record(
    path: &Path,
    reading: Reading,
    most: usize,
) -> Result<(PictureRecord, Option<Vec<u8>>), Error> {
    let (mut file, size) = opened(path, reading)?;
    if file.metadata().at(path)?.len() > most as u64 {
        return Ok((PictureRecord { size, sha256: crate::hash::digest(file).at(path)? }, None));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).at(path)?;
    Ok((PictureRecord { size, sha256: crate::hash::sha256_bytes(&bytes) }, Some(bytes)))
}

/// Width and height from the file's header, after orientation where `reading` says so.
///
/// # Errors
/// As [`read`], as far as the header shows it.
pub fn size(path: &Path, reading: Reading) -> Result<(usize, usize), Error> {
    opened(path, reading).map(|(_, size)| size)
}

/// A file at its beginning, and its size by its header, by which a bomb is refused.
fn opened(path: &Path, reading: Reading) -> Result<(std::fs::File, (usize, usize)), Error> {
    let mut file = std::fs::File::open(path).at(path)?;
    let size = header(&mut std::io::BufReader::new(&file), reading).at(path)?;
    file.rewind().at(path)?;
    Ok((file, size))
}

fn header(
    reader: &mut std::io::BufReader<&std::fs::File>,
    reading: Reading,
) -> Result<(usize, usize), Fault> {
    let start = std::io::BufRead::fill_buf(reader)?.to_vec();
    let opened = open(reader, &start)?;
    let (width, height) = opened.decoder.dimensions();
    let is_turned = matches!(
        opened.orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = (width as usize, height as usize);
    Ok(if reading.orient && is_turned { (height, width) } else { (width, height) })
}

struct Opened<D> {
    decoder: D,
    format: ImageFormat,
    orientation: Orientation,
}

/// Reads the header; `start` is the beginning of the file.
fn open<'a, R: std::io::BufRead + std::io::Seek + 'a>(
    reader: R,
    start: &[u8],
) -> Result<Opened<impl ImageDecoder + use<'a, R>>, Fault> {
    if let Some(refused) = kinds::refused(start) {
        return Err(refused);
    }
    let reader = ImageReader::new(reader).with_guessed_format()?;
    let format = reader.format().ok_or_else(kinds::no_picture)?;
    let mut decoder = reader.into_decoder().map_err(|e| kinds::damaged(&e))?;
    let (width, height) = decoder.dimensions();
    kinds::check_size(width, height)?;
    // Damaged metadata is no reason to refuse a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened { decoder, format, orientation })
}

/// JPEGs to libjpeg's levels, turned. `None` for kinds that the other decoder takes.
fn read_jpeg(file: &[u8], orientation: Orientation) -> Result<Option<DynamicImage>, Fault> {
    let picture = match jpeg::decode(file, turning(orientation)) {
        Ok(picture) => picture,
        Err(jpeg::Refused::OtherKind) => return Ok(None),
        Err(jpeg::Refused::Damaged(what)) => {
            return Err(Fault::Container(format!("the image cannot be read: {what}")));
        }
    };
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (width, height) = (side(picture.width), side(picture.height));
    Ok(if picture.channels == 1 {
        image::GrayImage::from_raw(width, height, picture.data).map(DynamicImage::ImageLuma8)
    } else {
        image::RgbImage::from_raw(width, height, picture.data).map(DynamicImage::ImageRgb8)
    })
}

/// EXIF's orientation in the decoder's words.
fn turning(orientation: Orientation) -> jpeg::Turning {
    let (reverse_columns, reverse_rows, transpose) = match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (true, false, false),
        Orientation::Rotate180 => (true, true, false),
        Orientation::FlipVertical => (false, true, false),
        Orientation::Rotate90FlipH => (false, false, true),
        Orientation::Rotate90 => (false, true, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, false, true),
    };
    jpeg::Turning { reverse_columns, reverse_rows, transpose }
}

#[cfg(test)]
mod tests;
