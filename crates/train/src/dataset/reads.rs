//! What was read of picture files, so that a plan, its inspection, the latents and the run's page read
//! and decode each file once.
use super::image::{self, Decoded};
use super::resize::resize;
use super::{Filter, Pixels};
use crate::plan::PlannedPicture;
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_formats::picture::PictureRecord;

/// Bytes of files and pixels that are held at most; what does not fit is read again.
const MOST_HELD: usize = 256 << 20;

/// The readings of a plan's pictures. Clones share them. They are no part of what a plan means: any
/// two are equal, and a plan that comes from its file begins with none.
#[derive(Debug, Clone, Default)]
pub struct PictureReads(Arc<Mutex<Reads>>);

impl PartialEq for PictureReads {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for PictureReads {}

#[derive(Debug, Default)]
struct Reads {
    files: HashMap<PathBuf, FileRead>,
    scaled: HashMap<ScaledKey, Arc<ScaledPicture>>,
    held: usize,
}

/// A file that was read.
#[derive(Debug)]
struct FileRead {
    record: PictureRecord,
    /// The file itself, until it was decoded for each of its places in the plan.
    bytes: Option<Arc<Vec<u8>>>,
    places: usize,
}

/// A file, the size that it is scaled to, and the filter.
type ScaledKey = (PathBuf, (usize, usize), Option<Filter>);

/// A picture at the size that it is resized to before it is cropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaledPicture {
    /// RGB.
    pub rgb: Pixels,
    /// The alpha channel, where the file has one.
    pub alpha: Option<Pixels>,
}

impl ScaledPicture {
    /// Scales a decoded picture; alpha by the default filter, as masks are.
    #[must_use]
    pub fn of(decoded: &Decoded, size: (usize, usize), filter: Option<Filter>) -> Self {
        let alpha = decoded.alpha.as_ref().map(|alpha| resize(alpha, size, None));
        Self { rgb: resize(&decoded.rgb, size, filter), alpha }
    }

    fn bytes(&self) -> usize {
        self.rgb.data.len() + self.alpha.as_ref().map_or(0, |alpha| alpha.data.len())
    }
}

impl PictureReads {
    /// Width, height and SHA-256 of a file, which is read whole where there is room for it.
    ///
    /// # Errors
    /// If the file cannot be read or is no picture, naming it.
    pub fn record(&self, path: &Path, orient: bool) -> Result<PictureRecord> {
        let key = key(path);
        let mut reads = self.lock();
        if let Some(file) = reads.files.get_mut(&key) {
            file.places += 1;
            return Ok(file.record.clone());
        }
        let (record, bytes) = image::record(path, orient, MOST_HELD.saturating_sub(reads.held))?;
        reads.held += bytes.as_ref().map_or(0, Vec::len);
        let file = FileRead { record: record.clone(), bytes: bytes.map(Arc::new), places: 1 };
        reads.files.insert(key, file);
        Ok(record)
    }

    /// Whether a file with this hash was read for the plan, and need not be hashed again.
    #[must_use]
    pub fn has(&self, path: &Path, sha256: &str) -> bool {
        self.lock().files.get(&key(path)).is_some_and(|file| file.record.sha256 == sha256)
    }

    /// Decodes the file that has this hash, from memory where it is still there.
    ///
    /// # Errors
    /// If the file cannot be read, is no picture, or has another hash.
    pub fn decoded(&self, path: &Path, orient: bool, sha256: &str) -> Result<Decoded> {
        decode(self.take(path, sha256), path, orient, sha256)
    }

    /// The same, upright, before the file's turn in the plan has come: its bytes stay for that.
    ///
    /// # Errors
    /// As [`PictureReads::decoded`].
    pub fn decoded_for_crop(&self, path: &Path, sha256: &str) -> Result<Decoded> {
        let bytes = {
            let reads = self.lock();
            let file = reads.files.get(&key(path)).filter(|file| file.record.sha256 == sha256);
            file.and_then(|file| file.bytes.clone())
        };
        decode(bytes, path, true, sha256)
    }

    /// The picture at the size that it is resized to; decoded where that was not done yet.
    ///
    /// # Errors
    /// As [`PictureReads::decoded`].
    pub fn scaled(
        &self,
        picture: &PlannedPicture,
        filter: Option<Filter>,
        orient: bool,
    ) -> Result<Arc<ScaledPicture>> {
        let key = (picture.path.clone(), picture.resized, filter);
        if let Some(found) = self.lock().scaled.get(&key) {
            return Ok(Arc::clone(found));
        }
        let decoded = self.decoded(&picture.path, orient, &picture.sha256)?;
        Ok(self.keep(picture, filter, ScaledPicture::of(&decoded, picture.resized, filter)))
    }

    /// Keeps a picture that was scaled, where there is room.
    pub fn keep(
        &self,
        picture: &PlannedPicture,
        filter: Option<Filter>,
        scaled: ScaledPicture,
    ) -> Arc<ScaledPicture> {
        let scaled = Arc::new(scaled);
        let mut reads = self.lock();
        if reads.held + scaled.bytes() <= MOST_HELD {
            let key = (picture.path.clone(), picture.resized, filter);
            reads.held += scaled.bytes();
            if let Some(old) = reads.scaled.insert(key, Arc::clone(&scaled)) {
                reads.held -= old.bytes();
            }
        }
        scaled
    }

    /// Gives back all that is held but the scaled pixels of some pictures.
    pub fn keep_only<'a>(&self, pictures: impl IntoIterator<Item = &'a PlannedPicture>) {
        let keep: HashSet<_> = pictures.into_iter().map(|p| (&p.path, p.resized)).collect();
        let mut reads = self.lock();
        reads.files.values_mut().for_each(|file| file.bytes = None);
        reads.scaled.retain(|(path, size, _), _| keep.contains(&(path, *size)));
        reads.held = reads.scaled.values().map(|scaled| scaled.bytes()).sum();
    }

    /// A file's bytes; they are given up with the last of its places.
    fn take(&self, path: &Path, sha256: &str) -> Option<Arc<Vec<u8>>> {
        let mut reads = self.lock();
        let file = reads.files.get_mut(&key(path))?;
        if file.record.sha256 != sha256 {
            return None;
        }
        file.places = file.places.saturating_sub(1);
        if file.places > 0 {
            return file.bytes.clone();
        }
        let bytes = file.bytes.take()?;
        reads.held -= bytes.len();
        Some(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Reads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decodes a file's bytes, or the file where they are not held any more.
fn decode(bytes: Option<Arc<Vec<u8>>>, path: &Path, orient: bool, sha256: &str) -> Result<Decoded> {
    match bytes {
        Some(bytes) => image::from_bytes(&bytes, path, orient),
        None => image::read_unchanged(path, orient, sha256)?.ok_or_else(|| changed(path)),
    }
}

/// A plan names its files from the root.
fn key(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The error about a file that is not the one of the plan any more.
pub(crate) fn changed(path: &Path) -> Error {
    Error::data(format!("{}: was changed since the run began", path.display()))
        .with_hint("put the old file back, or start again with {train.overwrite}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(path: &Path, sha256: String) -> PlannedPicture {
        let fit = crate::dataset::bucket::BucketAssignment { bucket: (4, 2), resized: (4, 2) };
        PlannedPicture { sha256, ..PlannedPicture::of_test(path, (8, 4), fit) }
    }

    #[test]
    fn a_file_is_read_once_and_its_pixels_are_those_of_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let pixel = |x: u32, y: u32| ::image::Rgba([x as u8 * 9, y as u8, 7, 200 + x as u8]);
        ::image::RgbaImage::from_fn(8, 4, pixel).save(&path).unwrap();
        let reads = PictureReads::default();
        let record = reads.record(&path, true).unwrap();
        let decoded = image::read(&path, true).unwrap();
        // The file is gone, and its bytes are still those of the hash.
        std::fs::remove_file(&path).unwrap();
        let picture = planned(&path, record.sha256.clone());
        let scaled = reads.scaled(&picture, None, true).unwrap();
        assert_eq!(*scaled, ScaledPicture::of(&decoded, (4, 2), None));
        assert!(scaled.alpha.is_some() && reads.has(&path, &record.sha256));
        assert_eq!(reads.lock().held, 4 * 2 * 4, "the file is given back");
        assert_eq!(*reads.scaled(&picture, None, true).unwrap(), *scaled);
        assert!(reads.scaled(&picture, Some(Filter::Box), true).is_err(), "it would be read again");
        reads.keep_only([]);
        assert_eq!(reads.lock().held, 0);
        assert!(reads.scaled(&picture, None, true).is_err());
    }

    #[test]
    fn another_file_of_the_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        ::image::RgbImage::new(8, 4).save(&path).unwrap();
        let reads = PictureReads::default();
        let error = reads.decoded(&path, true, "0").unwrap_err();
        assert!(error.to_string().contains("was changed since"), "{error}");
    }
}
