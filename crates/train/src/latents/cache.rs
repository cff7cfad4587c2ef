//! Latents on disk, under names that say all they depend on: nothing stale is ever found.
use super::Latent;
use crate::dataset::Filter;
use crate::error::AtFile;
use crate::plan::PlannedPicture;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_formats::{Array, Fault, SafeTensors, hash, safetensors};
use wayword_tensor::Grid;

/// Changes when latents of the same picture become others.
const VERSION: u32 = 1;

/// A folder of latents, for one VAE.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// What is the same for all pictures.
    common: String,
}

impl Cache {
    /// For a base's VAE. The device is a part of the names, since its last bits are in the numbers.
    pub(super) fn new(base: &Base, folder: &Path, orient: bool) -> Result<Self> {
        let device = base.device().name();
        let common = format!("{VERSION}\n{}\n{device}\norient {orient}", vae(base)?);
        Ok(Self { folder: folder.into(), common })
    }

    /// Where a picture's latents lie, and what the file says that they are of.
    fn place(
        &self,
        picture: &PlannedPicture,
        filter: Option<Filter>,
        mirrored: bool,
    ) -> (PathBuf, String) {
        let PlannedPicture { sha256, bucket, resized, .. } = picture;
        let text = format!(
            "{}\n{sha256}\nresized {resized:?}\ncut {bucket:?}\nfilter {filter:?}\nmirrored {mirrored}",
            self.common
        );
        let corner = picture.crop.map_or_else(String::new, |corner| format!("\nat {corner:?}"));
        let text = text + &corner;
        let name = hash::sha256_bytes(text.as_bytes());
        (self.folder.join(format!("{}.safetensors", &name[..32])), text)
    }

    /// Whether a picture's latents lie there.
    pub(super) fn has(
        &self,
        picture: &PlannedPicture,
        filter: Option<Filter>,
        mirrored: bool,
    ) -> bool {
        self.place(picture, filter, mirrored).0.is_file()
    }

    /// The latents of a picture, from the folder or made and put there.
    pub(super) fn get(
        &self,
        picture: &PlannedPicture,
        grid: Grid,
        filter: Option<Filter>,
        mirrored: bool,
        make: impl FnOnce() -> Result<Latent>,
    ) -> Result<Latent> {
        let (path, text) = self.place(picture, filter, mirrored);
        if let Some(latent) = read(&path, grid, &text) {
            return Ok(latent);
        }
        let latent = make()?;
        std::fs::create_dir_all(&self.folder).at(&self.folder)?;
        let shape = vec![latent.mean.len() / grid.tokens(), grid.height, grid.width];
        let array = |values: &[f32]| {
            Array::from_f32(shape.clone(), values).map_err(|e| Error::from(Fault::at(e, &path)))
        };
        let arrays = vec![
            ("mean".to_owned(), array(&latent.mean)?),
            ("deviation".to_owned(), array(&latent.deviation)?),
        ];
        safetensors::write(&path, &arrays, &BTreeMap::from([("of".to_owned(), text)]))?;
        Ok(latent)
    }
}

/// A damaged file is as good as none.
fn read(path: &Path, grid: Grid, text: &str) -> Option<Latent> {
    let file = SafeTensors::open(path).ok()?;
    if file.metadata().get("of")? != text {
        return None;
    }
    let values = |name: &str| {
        let values = file.get(name)?.to_f32().ok()?;
        let fits = values.len() == 4 * grid.tokens() && values.iter().all(|v| v.is_finite());
        fits.then_some(values)
    };
    Some(Latent { grid, mean: values("mean")?, deviation: values("deviation")? })
}

/// What the VAE's weights are known by.
fn vae(base: &Base) -> Result<String> {
    if let Some(vae_sha256) = base.vae_sha256()? {
        return Ok(vae_sha256);
    }
    let folder = match &base.info.vae {
        Some(folder) => folder.clone(),
        None => match base.sha256()? {
            Some(whole) => return Ok(whole),
            None => base.info.path.join("vae"),
        },
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).at(&folder)? {
        let path = entry.at(&folder)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut hashes = String::new();
    for file in files {
        hashes.push_str(&hash::sha256(&file)?);
    }
    Ok(hash::sha256_bytes(hashes.as_bytes()))
}
