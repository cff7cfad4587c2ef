//! Latents that kohya's trainer left beside a picture: `NAME_0640x0480_sd.npz`, or `NAME.npz`.
//!
//! Such a file says neither of which VAE nor of which content it is. It is taken only on request,
//! and only where what it does say fits: the picture's size, the size of the latents, and that it is
//! no older than the picture.
use super::Latent;
use crate::error::about;
use crate::plan::PlannedPicture;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use wayword_diffusion::vae::LATENT_SIZE;
use wayword_interface::Diagnostic;
use wayword_tensor::Grid;
use zip::ZipArchive;

/// More bytes than this in one array are refused.
const MOST_BYTES: u64 = 1 << 30;

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kohya {
    grid: Grid,
    plain: Vec<f32>,
    mirrored: Option<Vec<f32>>,
}

impl Kohya {
    /// The latents as kohya drew them: without a spread of their own.
    pub(super) fn latent(&self, mirrored: bool) -> Option<Latent> {
        let mean = if mirrored { self.mirrored.clone()? } else { self.plain.clone() };
        Some(Latent { grid: self.grid, deviation: vec![0.0; mean.len()], mean })
    }
}

/// The fitting file beside a picture, or why there is none.
pub(crate) fn find(picture: &PlannedPicture) -> Result<PathBuf, Diagnostic> {
    let stem = picture.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (width, height) = picture.size;
    let names = [format!("{stem}.npz"), format!("{stem}_{width:04}x{height:04}_sd.npz")];
    let mut paths = names.iter().map(|name| picture.path.with_file_name(name));
    let Some(path) = paths.find(|path| path.is_file()) else {
        let path = picture.path.display();
        return Err(Diagnostic::new(format!("{path}: has no latents of kohya's")));
    };
    let time = |path: &Path| path.metadata().ok()?.modified().ok();
    if time(&path) < time(&picture.path) {
        return Err(Diagnostic::new(format!("{}: is older than its image", path.display())));
    }
    read(&path, picture).map_err(|unfit| about(&path, unfit))?;
    Ok(path)
}

/// What a picture's file holds, or why it does not fit.
pub(super) fn read(path: &Path, picture: &PlannedPicture) -> Result<Kohya, Diagnostic> {
    let file = File::open(path).map_err(Diagnostic::of)?;
    let mut archive = ZipArchive::new(file).map_err(Diagnostic::of)?;
    let (width, height) = picture.bucket;
    let grid = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
    let mut latents = |name: &str| {
        let (shape, values) = array(&mut archive, name)?;
        let wanted = [4, grid.height, grid.width];
        if shape != wanted {
            let text = format!("its {name} are {shape:?}, expected {wanted:?}");
            return Err(Diagnostic::new(text));
        }
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let finite = values.iter().all(|v| v.is_finite());
        finite
            .then_some(values)
            .ok_or_else(|| Diagnostic::new(format!("its {name} are not finite")))
    };
    let plain = latents("latents")?;
    let mirrored = latents("latents_flipped").ok();
    let (_, size) = array(&mut archive, "original_size")?;
    if size != [picture.size.0 as f64, picture.size.1 as f64] {
        return Err(Diagnostic::new(format!("is of an image of {size:?}")));
    }
    Ok(Kohya { grid, plain, mirrored })
}

/// An array by its name without `.npy`: its shape and numbers.
fn array(archive: &mut ZipArchive<File>, name: &str) -> Result<(Vec<usize>, Vec<f64>), Diagnostic> {
    let mut bytes = Vec::new();
    let damaged = || format!("array {name} cannot be read");
    let member = archive.by_name(&format!("{name}.npy"));
    let member = member.map_err(|e| Diagnostic::of(e).in_context(damaged()))?;
    let read = member.take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|e| Diagnostic::of(e).in_context(damaged()))?;
    let other = || format!("array {name} is damaged or of a kind that is not read");
    npy(&bytes).ok_or_else(|| Diagnostic::new(other()))
}

/// An array file of NumPy's format 1 to 3: little-endian floats and integers.
fn npy(bytes: &[u8]) -> Option<(Vec<usize>, Vec<f64>)> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (major, rest) = (*rest.first()?, rest.get(2..)?);
    let (length, rest) = match major {
        1 => (usize::from(u16::from_le_bytes(*rest.first_chunk()?)), rest.get(2..)?),
        _ => (u32::from_le_bytes(*rest.first_chunk()?) as usize, rest.get(4..)?),
    };
    let (header, data) = rest.split_at_checked(length)?;
    let header = std::str::from_utf8(header).ok()?;
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start());
    if !after("'fortran_order':")?.starts_with("False") {
        return None;
    }
    let list = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
    let sides = list.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape: Vec<usize> = sides.map(|s| s.parse().ok()).collect::<Option<_>>()?;
    let kind = after("'descr':")?.strip_prefix('\'')?.split_once('\'')?.0;
    let values: Vec<f64> = match kind {
        "<f2" => {
            let halves = data.as_chunks::<2>().0.iter();
            halves.map(|b| f64::from(half::f16::from_le_bytes(*b).to_f32())).collect()
        }
        "<f4" => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        "<f8" => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        "<i4" => data.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        "<i8" => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        _ => return None,
    };
    let count = shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side))?;
    (values.len() == count).then_some((shape, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn npy_bytes(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\0".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.as_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn only_what_fits_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        std::fs::write(&path, b"older").unwrap();
        let fit = crate::dataset::bucket::BucketAssignment { bucket: (16, 8), resized: (16, 12) };
        let mut picture = PlannedPicture::of_test(&path, (640, 480), fit);
        assert!(find(&picture).unwrap_err().message.contains("has no latents"));
        let latents: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let size: Vec<u8> = [640i64, 480].iter().flat_map(|v| v.to_le_bytes()).collect();
        let file = dir.path().join("a_0640x0480_sd.npz");
        let mut zip = zip::ZipWriter::new(File::create(file).unwrap());
        for (name, bytes) in [
            ("latents", npy_bytes("<f4", "(4, 1, 2)", &latents)),
            ("original_size", npy_bytes("<i8", "(2,)", &size)),
        ] {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap();
        let path = find(&picture).unwrap();
        let read = read(&path, &picture).unwrap();
        let found = read.latent(false).unwrap();
        assert_eq!(found.mean, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert!(found.deviation == [0.0; 8] && read.latent(true).is_none());
        picture.bucket = (16, 16);
        assert!(find(&picture).unwrap_err().message.contains("expected [4, 2, 2]"));
    }
}
