//! Caption files beside photos, which go with the images that are made of them.
use super::record::PreparedPicture;
use crate::Failure;
use crate::commands::write;
use std::path::{Path, PathBuf};

/// Copies the caption files of a photo beside its image, over those that lie there where `anew`.
///
/// # Errors
/// If one cannot be read or written.
pub(super) fn copy(
    picture: &PreparedPicture,
    endings: &[String],
    out: &Path,
    anew: bool,
) -> Result<(), Failure> {
    for (from, to) in pairs(picture, endings, out) {
        if from.is_file() && (anew || !to.exists()) {
            let bytes = std::fs::read(&from).map_err(|e| Failure::io("cannot read", &from, &e))?;
            write(&to, &bytes)?;
        }
    }
    Ok(())
}

/// Each caption file of a photo that there may be, and where its copy lies.
pub(super) fn pairs(
    picture: &PreparedPicture,
    endings: &[String],
    out: &Path,
) -> Vec<(PathBuf, PathBuf)> {
    let image = out.join(&picture.file);
    let pair = |ending: &String| {
        let ending = ending.trim_start_matches('.');
        (picture.source.with_extension(ending), image.with_extension(ending))
    };
    endings.iter().map(pair).collect()
}
