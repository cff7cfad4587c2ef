//! Picture files: which there are in the places that a user names, and their pixels.
use crate::failure::Failure;
use image::{ImageDecoder as _, ImageReader, RgbImage};
use std::path::{Path, PathBuf};

const ENDINGS: &[&str] = &["png", "jpg", "jpeg", "webp", "bmp"];

/// The picture files among files and directly inside folders, in the order given, each folder
/// sorted by name.
///
/// # Errors
/// If a place does not exist or cannot be read, or no picture is found in all of them.
pub(crate) fn list(places: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for place in places {
        if place.is_dir() {
            let entries = std::fs::read_dir(place)
                .map_err(|e| Failure::io("cannot read the folder", place, &e))?;
            let mut inside: Vec<PathBuf> = entries
                .filter_map(|e| e.ok().map(|e| e.path()))
                .filter(|p| is_picture(p))
                .collect();
            inside.sort();
            found.extend(inside);
        } else if place.is_file() {
            found.push(place.clone());
        } else {
            return Err(Failure::user(format!("no such file or folder: {}", place.display())));
        }
    }
    if found.is_empty() {
        let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        return Err(Failure::user(format!("no pictures in {}", places.join(", ")))
            .hint(format!("files ending in .{} are read", ENDINGS.join(", ."))));
    }
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    path.is_file() && ending.is_some_and(|e| ENDINGS.contains(&e.as_str()))
}

/// The pixels of a picture file, turned as its EXIF data say.
///
/// # Errors
/// If it cannot be read or is no picture.
pub(crate) fn open(path: &Path) -> Result<RgbImage, Failure> {
    let reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| Failure::io("cannot read", path, &e))?;
    decode(reader)
        .map_err(|e| Failure::user(format!("{}: not a readable picture: {e}", path.display())))
}

/// The pixels of a picture in memory.
///
/// # Errors
/// If it is no picture.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<RgbImage, Failure> {
    let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?;
    Ok(decode(reader)?)
}

fn decode<R: std::io::BufRead + std::io::Seek>(
    reader: ImageReader<R>,
) -> image::ImageResult<RgbImage> {
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = image::DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture.to_rgb8())
}
