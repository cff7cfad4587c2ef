//! Loss masks: a picture's own alpha channel, or a mask picture beside it.
use super::bucket::BucketAssignment;
use super::image;
use super::pixels::Pixels;
use super::resize::resize;
use super::scan::PictureFile;
use crate::error::{AtFile, Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::endings;

/// Where masks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Masks {
    /// Every place counts in full.
    #[default]
    None,
    /// The alpha channel; pictures without one count in full.
    Alpha,
    /// Mask pictures that [`pair`] found.
    Pictures,
}

/// Gives each picture the mask of the same name, without ending, in `folder`.
///
/// # Errors
/// If the folder cannot be read or a picture has no mask.
pub fn pair(pictures: &mut [PictureFile], folder: &Path) -> Result<()> {
    let mut masks = BTreeMap::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if endings::has(&path, endings::PICTURES) && !endings::is_hidden(&path) {
            masks.insert(path.file_stem().map(|s| s.to_os_string()), path);
        }
    }
    for picture in pictures {
        let stem = picture.path.file_stem().map(|s| s.to_os_string());
        let Some(mask) = masks.get(&stem) else {
            return Err(Error::data(format!(
                "{}: no mask for {}",
                folder.display(),
                picture.name()
            ))
            .with_hint("masks have the pictures' names, with any ending"));
        };
        picture.mask = Some(mask.clone());
    }
    Ok(())
}

/// The mask of a picture at its resized size, before it is cropped; white counts in full.
///
/// # Errors
/// If a mask picture cannot be read.
pub fn read(
    masks: Masks,
    picture: &PictureFile,
    decoded: &image::Decoded,
    fit: &BucketAssignment,
    orient: bool,
) -> Result<Option<Pixels>> {
    let mask = match (masks, &picture.mask) {
        (Masks::Alpha, _) => decoded.alpha.clone(),
        // The red channel, as in kohya; masks are gray, so any would do.
        (Masks::Pictures, Some(path)) => Some(image::read(path, orient)?.rgb.channel(0)),
        _ => None,
    };
    Ok(match (masks, mask) {
        (Masks::None, _) => None,
        (_, Some(mask)) => Some(resize(&mask, fit.resized, None)),
        (_, None) => Some(Pixels::filled(fit.resized.0, fit.resized.1, 1, 255)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        ::image::RgbImage::new(2, 2).save(dir.path().join("a.png")).unwrap();
        let picture = |name: &str| PictureFile {
            path: name.into(),
            size: (2, 2),
            sha256: String::new(),
            caption: None,
            mask: None,
        };
        let mut pictures = [picture("x/a.jpg")];
        pair(&mut pictures, dir.path()).unwrap();
        assert_eq!(pictures[0].mask.as_deref(), Some(dir.path().join("a.png").as_path()));
        let error = pair(&mut [picture("x/b.jpg")], dir.path()).unwrap_err();
        assert!(error.to_string().contains("b.jpg"));
    }
}
