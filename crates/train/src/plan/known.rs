//! What a plan knows its base and its pictures by, so that others can tell whether they have the same.
use super::{PlannedFile, TrainPlan};
use crate::Result;
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_formats::known;
use wayword_interface::Warning;

/// Values of a token's row in Stable Diffusion 1.x: only on such a base can a word travel.
const FAMILY_WIDTH: usize = 768;

impl TrainPlan {
    /// Writes down which base this is and how it computes. Waits for the base's hash.
    ///
    /// # Errors
    /// If a file of the base can no longer be read.
    pub fn recognize(&mut self, base: &Base) -> Result<()> {
        self.base.sha256 = base.fingerprint()?;
        let original = self.base.sha256.as_deref().and_then(known::original);
        self.base.known = original.map(str::to_owned);
        self.base.vae = match (&base.info.vae, base.vae_sha256()?) {
            (Some(path), Some(sha256)) => {
                Some(PlannedFile { path: super::check::absolute(path), sha256 })
            }
            _ => None,
        };
        self.precision = base.device().precision().name().into();
        self.device = device_kind(&base.device().name());
        let of_the_family = self.base.token_width == FAMILY_WIDTH;
        if of_the_family && self.base.sha256.is_some() && self.base.known.is_none() {
            let name = &self.base.name;
            self.warnings.push(
                Warning::new(format!(
                    "{name} is not an original Stable Diffusion 1.4 or 1.5 file; if it is a \
                     merge, the word will may not work well with other checkpoints"
                ))
                .with_hint("train on the original 1.5, and draw with the merge"),
            );
        }
        Ok(())
    }
}

/// A device's name without the number of threads, on which no result depends.
fn device_kind(name: &str) -> String {
    match name.rsplit_once(", ") {
        Some((kind, threads)) if threads.ends_with("threads") => kind.to_owned(),
        _ => name.to_owned(),
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// A picture's name from the given folder on, with `/` on every system.
pub(super) fn name_below(path: &Path, folder: &Path, given: &[PathBuf]) -> String {
    let roots = given.iter().map(PathBuf::as_path).chain([folder]);
    let below = roots.filter_map(|root| {
        let root = super::check::absolute(root);
        path.strip_prefix(&root).ok().map(Path::to_owned)
    });
    let below = below.max_by_key(|p| p.components().count());
    let Some(below) = below.filter(|p| p.components().next().is_some()) else {
        return file_name(path);
    };
    let parts: Vec<_> = below.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
