//! Picture files: which there are in the places that a user names, and their pixels.
use crate::Failure;
use image::RgbImage;
use std::path::{Path, PathBuf};
use wayword_formats::endings::{self, PICTURES};
use wayword_formats::picture::{self, Picture, Reading};

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
        return Err(Failure::user(format!("no images in {}", places.join(", ")))
            .hint(format!("files ending in .{} are read", PICTURES[..5].join(", ."))));
    }
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    path.is_file() && endings::has(path, PICTURES) && !endings::is_hidden(path)
}

/// The pixels of a picture file, as people see it.
///
/// # Errors
/// If it cannot be read or is no picture.
pub(crate) fn open(path: &Path) -> Result<RgbImage, Failure> {
    rgb(picture::read(path, Reading::SEEN)?)
}

/// The pixels of a picture in memory.
///
/// # Errors
/// If it is no picture.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<RgbImage, Failure> {
    let found = picture::from_bytes(bytes, Reading::SEEN);
    rgb(found.map_err(|fault| Failure::user(fault.to_string()))?)
}

fn rgb(picture: Picture) -> Result<RgbImage, Failure> {
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    RgbImage::from_raw(side(picture.width), side(picture.height), picture.rgb)
        .ok_or_else(|| Failure::user("the image has fewer pixels than its size says"))
}
