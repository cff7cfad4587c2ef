//! The base of a command: found, named, loaded onto the processor.
use crate::failure::Failure;
use crate::options;
use crate::show::Progress;
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, BaseOptions, CpuOptions, Device, Event, Precision, Prediction, cpu};
use wayword_formats::hash::HashCache;
use wayword_interface::Events;
use wayword_session::base_search;

/// The processor with the threads and precision that were asked for.
pub(crate) fn device(threads: Option<usize>, precision: Option<options::Precision>) -> Device {
    let precision = precision.map_or_else(Precision::best, self::precision);
    cpu(CpuOptions { threads, precision, ..CpuOptions::default() })
}

/// The library's word for a precision.
pub(crate) const fn precision(precision: options::Precision) -> Precision {
    match precision {
        options::Precision::F32 => Precision::F32,
        options::Precision::Bf16 => Precision::Bf16,
    }
}

/// The precision of a plan, by its name; plans of older versions were made in f32.
pub(crate) fn precision_of(name: &str) -> options::Precision {
    match name {
        "bf16" => options::Precision::Bf16,
        _ => options::Precision::F32,
    }
}

/// Loads the base that was named, or else the one original that is found on this machine, for
/// drawing: as in A1111 with the VAE that lies beside it under its name.
///
/// # Errors
/// If none was named and not exactly one original is found, or it cannot be loaded.
pub(crate) fn load(
    base: &options::Base,
    machine: &options::Machine,
    progress: &Progress,
    events: &dyn Events<Event>,
) -> Result<Base, Failure> {
    let mut options = place(base, machine, progress)?;
    if options.vae.is_none() {
        options.vae = vae_beside(&options.path);
        if let Some(vae) = &options.vae {
            let own = options.path.display();
            progress
                .note(&format!("using the VAE beside it: {} (else --vae {own})", vae.display()));
        }
    }
    Ok(Base::load(&options, events)?)
}

/// `NAME.vae.safetensors`, `.pt` or `.ckpt` beside a checkpoint `NAME.…`.
fn vae_beside(checkpoint: &Path) -> Option<PathBuf> {
    let endings = ["vae.safetensors", "vae.pt", "vae.ckpt"];
    let mut found = endings.iter().map(|ending| checkpoint.with_extension(ending));
    found.find(|path| checkpoint.is_file() && path.is_file() && path != checkpoint)
}

/// The base that was named, or else the one original that is found, and where it is to be loaded.
///
/// # Errors
/// If it is not there, or none was named and not exactly one original is found.
pub(crate) fn place(
    base: &options::Base,
    machine: &options::Machine,
    progress: &Progress,
) -> Result<BaseOptions, Failure> {
    let path = match &base.base {
        Some(path) => {
            if !path.exists() {
                return Err(Failure::user(format!("no such checkpoint: {}", path.display())));
            }
            path.clone()
        }
        None => search(progress)?,
    };
    Ok(BaseOptions {
        path,
        vae: base.vae.clone(),
        prediction: base.prediction.map(|p| match p {
            options::Prediction::Epsilon => Prediction::Epsilon,
            options::Prediction::V => Prediction::V,
        }),
        hashes: super::hash_cache(),
        device: device(machine.threads, machine.precision),
    })
}

fn search(progress: &Progress) -> Result<PathBuf, Failure> {
    progress.note("no --base given: looking for the original Stable Diffusion 1.5 or 1.4");
    let cache = super::hash_cache();
    let (path, name) = base_search::find(&super::environment(), |path| match &cache {
        Some(cache) => HashCache::open(cache).sha256(path).ok(),
        None => wayword_formats::hash::sha256(path).ok(),
    })?;
    progress.note(&format!("using {name}: {}", path.display()));
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::vae_beside;

    #[test]
    fn a_vae_beside_a_checkpoint_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("a.v1.safetensors"), "").unwrap();
        assert_eq!(vae_beside(&path("a.v1.safetensors")), None);
        std::fs::write(path("a.vae.pt"), "").unwrap();
        assert_eq!(vae_beside(&path("a.v1.safetensors")), None);
        std::fs::write(path("a.v1.vae.pt"), "").unwrap();
        assert_eq!(vae_beside(&path("a.v1.safetensors")), Some(path("a.v1.vae.pt")));
        assert_eq!(vae_beside(dir.path()), None);
    }
}
