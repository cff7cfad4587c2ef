//! Loss masks: mask pictures are found by the names of the pictures that they belong to.
use super::scan::PictureFile;
use crate::error::{AtFile, Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::endings;

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
            .with_hint("masks have the images' names, with any extension"));
        };
        picture.mask = Some(mask.clone());
    }
    Ok(())
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
