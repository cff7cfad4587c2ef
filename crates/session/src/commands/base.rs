//! The base of a command: found, named, loaded onto the processor.
use crate::request;
use crate::session::Context;
use crate::{Failure, base_search};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::{Base, BaseOptions, CpuOptions, Device, Precision, Prediction, cpu};
use wayword_formats::hash::HashCache;

/// The processor with the threads and precision that were asked for.
pub(crate) fn device(threads: Option<usize>, precision: Option<request::Precision>) -> Device {
    let precision = precision.map_or_else(Precision::best, self::precision);
    cpu(CpuOptions { threads, precision, ..CpuOptions::default() })
}

/// The library's word for a precision.
pub(crate) const fn precision(precision: request::Precision) -> Precision {
    match precision {
        request::Precision::F32 => Precision::F32,
        request::Precision::Bf16 => Precision::Bf16,
    }
}

/// The precision of a plan, by its name; plans of older versions were made in f32.
pub(crate) fn precision_of(name: &str) -> request::Precision {
    match name {
        "bf16" => request::Precision::Bf16,
        _ => request::Precision::F32,
    }
}

/// A base that was found and where it is to be loaded.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) options: BaseOptions,
    /// Threads and precision of the device, by which a loaded base is known again.
    pub(crate) device: String,
}

/// Loads the base that was named, or else the one original that is found on this machine, for
/// drawing: as in A1111 with the VAE that lies beside it under its name.
///
/// # Errors
/// If none was named and not exactly one original is found, or it cannot be loaded.
pub(crate) fn load(
    base: &request::Base,
    machine: &request::Machine,
    context: &Context<'_>,
) -> Result<Arc<Base>, Failure> {
    let mut place = place(base, machine, context)?;
    if place.options.vae.is_none() {
        place.options.vae = vae_beside(&place.options.path);
        if let Some(vae) = &place.options.vae {
            let own = place.options.path.display();
            let text =
                format!("using the VAE beside it: {} (else {{any.vae}} {own})", vae.display());
            context.progress.note(&text);
        }
    }
    context.base(&place)
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
    base: &request::Base,
    machine: &request::Machine,
    context: &Context<'_>,
) -> Result<Place, Failure> {
    let path = match &base.base {
        Some(path) if !path.exists() => {
            return Err(Failure::user(format!("no such checkpoint: {}", path.display())));
        }
        Some(path) => path.clone(),
        None => search(context)?,
    };
    let options = BaseOptions {
        path,
        vae: base.vae.clone(),
        prediction: base.prediction.map(|p| match p {
            request::Prediction::Epsilon => Prediction::Epsilon,
            request::Prediction::V => Prediction::V,
        }),
        hashes: context.core.environment.hash_cache(),
        device: device(machine.threads, machine.precision),
    };
    let precision = machine.precision.map_or_else(Precision::best, self::precision);
    let device = format!("{:?} threads, {}", machine.threads, precision.name());
    Ok(Place { options, device })
}

fn search(context: &Context<'_>) -> Result<PathBuf, Failure> {
    let progress = &context.progress;
    progress.note("no {any.base} given: looking for the original Stable Diffusion 1.5 or 1.4");
    let cache = context.core.environment.hash_cache();
    let (path, name) = base_search::find(&context.core.environment, |path| {
        if progress.stop.is_requested() {
            return None;
        }
        match &cache {
            Some(cache) => HashCache::open(cache).sha256(path).ok(),
            None => wayword_formats::hash::sha256(path).ok(),
        }
    })?;
    progress.go_on()?;
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
