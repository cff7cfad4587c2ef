//! The pictures of a data set as pixels; decoding itself is [`wayword_formats::picture`]'s.
use super::pixels::Pixels;
use crate::error::{AtFile as _, Error, Result};
use std::path::Path;
use wayword_formats::picture::{self, PictureRecord, Reading};
use wayword_formats::{Fault, hash};

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// RGB; an alpha channel is dropped without being composed with anything, as kohya does.
    pub rgb: Pixels,
    /// The alpha channel, where the file has one.
    pub alpha: Option<Pixels>,
    /// What was done with the file, such as a converted color profile, a sentence each.
    pub notes: Vec<String>,
}

/// Kohya's trainer takes the pixels as they are stored.
fn reading(orient: bool) -> Reading {
    if orient { Reading::SEEN } else { Reading::STORED }
}

/// Decodes a file. `orient`: as people see it, turned as its EXIF orientation says and with its color
/// profile converted (kohya does neither).
///
/// # Errors
/// If the file cannot be read or is no picture, naming it.
pub fn read(path: &Path, orient: bool) -> Result<Decoded> {
    picture::read(path, reading(orient)).map(decoded).map_err(refused)
}

/// The same where the file is still the one of this SHA-256; `None` where it is another.
///
/// # Errors
/// As [`read`].
pub fn read_unchanged(path: &Path, orient: bool, sha256: &str) -> Result<Option<Decoded>> {
    let bytes = std::fs::read(path).at(path)?;
    if hash::sha256_bytes(&bytes) != sha256 {
        return Ok(None);
    }
    from_bytes(&bytes, path, orient).map(Some)
}

/// The same of a file's bytes; errors name `path`.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], path: &Path, orient: bool) -> Result<Decoded> {
    let picture = picture::from_bytes(bytes, reading(orient));
    picture.map(decoded).map_err(|fault| refused(fault.at(path)))
}

fn decoded(picture: picture::Picture) -> Decoded {
    let (width, height) = (picture.width, picture.height);
    let pixels = |channels, data| Pixels { width, height, channels, data };
    Decoded {
        rgb: pixels(3, picture.rgb),
        alpha: picture.alpha.map(|alpha| pixels(1, alpha)),
        notes: picture.notes,
    }
}

/// Width and height of a file, after orientation if `orient`, and its SHA-256; with its bytes where
/// they are `most` at most.
///
/// # Errors
/// If the file cannot be read or is no picture, naming it.
pub fn record(path: &Path, orient: bool, most: usize) -> Result<(PictureRecord, Option<Vec<u8>>)> {
    picture::record(path, reading(orient), most).map_err(refused)
}

fn refused(error: wayword_formats::Error) -> Error {
    match error {
        wayword_formats::Error { path, fault: Fault::Io(source) } => Error::File { path, source },
        other => {
            let hint =
                other.hint().unwrap_or("replace the file, or move it out of the folder".into());
            Error::data(other.to_string()).with_hint(hint)
        }
    }
}
