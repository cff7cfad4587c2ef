//! The base of a command: found, named, loaded onto the processor.
use crate::request;
use crate::session::{Context, Core};
use crate::{Failure, base_search};
use std::path::{Path, PathBuf};
use wayword_diffusion::base::fingerprint;
use wayword_diffusion::{BaseOptions, Device, DeviceOptions, Precision, Prediction, find_device};
use wayword_interface::options::nearest;

/// The device that was asked for, or the first, with its threads and precision.
///
/// # Errors
/// If there is none of this name.
pub(crate) fn device(machine: &request::Machine, core: &Core) -> Result<Device, Failure> {
    let found = match (&machine.device, core.devices.first()) {
        (None, Some(first)) => first,
        (name, _) => {
            let name = name.as_deref().unwrap_or_default();
            find_device(&core.devices, name).map_err(wayword_diffusion::Error::from)?
        }
    };
    let (threads, precision) = (machine.threads, machine.precision.map(precision));
    Ok(found.open(DeviceOptions { precision, threads }).map_err(wayword_diffusion::Error::from)?)
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
pub(crate) struct BaseLocation {
    pub(crate) options: BaseOptions,
    /// Threads and precision of the device, by which a loaded base is known again.
    pub(crate) device: String,
}

/// The base that was named, or else the one original that is found on this machine, for drawing: as
/// in A1111 with the VAE that lies beside it under its name.
///
/// # Errors
/// If none was named and not exactly one original is found.
pub(crate) fn for_drawing(
    base: &request::Base,
    machine: &request::Machine,
    context: &Context<'_>,
) -> Result<BaseLocation, Failure> {
    let mut place = place(base, machine, context)?;
    if place.options.vae.is_none() {
        place.options.vae = vae_beside(&place.options.path);
        if let Some(vae) = &place.options.vae {
            let checkpoint = place.options.path.display();
            let text = format!(
                "using the VAE beside it: {} (else {{any.vae}} {checkpoint})",
                vae.display()
            );
            context.progress.note(&text);
        }
    }
    Ok(place)
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
) -> Result<BaseLocation, Failure> {
    let path = match &base.base {
        Some(path) if !path.exists() => called(path, context)?,
        Some(path) => path.clone(),
        None => search(context)?,
    };
    let options = BaseOptions {
        path,
        vae: base.vae.as_deref().map(|vae| vae_called(vae, context)),
        prediction: base.prediction.map(|p| match p {
            request::Prediction::Epsilon => Prediction::Epsilon,
            request::Prediction::V => Prediction::V,
        }),
        hashes: context.core.environment.hash_cache(),
        device: device(machine, context.core)?,
        stop: context.progress.stop.clone(),
    };
    let (own, precision) = (options.device.name(), options.device.precision().name());
    let device = format!("{own}, {:?} threads, {precision}", machine.threads);
    Ok(BaseLocation { options, device })
}

/// The VAE at a path, or of a name in the folders that are known; what is not found is refused
/// where it is read.
fn vae_called(vae: &Path, context: &Context<'_>) -> PathBuf {
    if vae.exists() {
        return vae.to_owned();
    }
    context.core.folders().vae(vae).unwrap_or_else(|| vae.to_owned())
}

/// The checkpoint that is called so: by the beginning of its SHA-256, as in a picture's settings,
/// or by its file's name in the folders that are known.
fn called(name: &Path, context: &Context<'_>) -> Result<PathBuf, Failure> {
    let core = context.core;
    let files = base_search::checkpoints(&core.environment, &core.folders().checkpoints);
    let text = name.to_string_lossy();
    let is_called = |path: &&PathBuf| {
        let full = path.file_name().unwrap_or_default();
        full == name || (path.is_file() && path.file_stem().unwrap_or_default() == name)
    };
    let mut found = files.iter().filter(is_called);
    if let (Some(only), None) = (found.next(), found.next()) {
        return Ok(only.clone());
    }
    if (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        context.progress.note(&format!("looking for the checkpoint with the hash {text}"));
        let wanted = text.to_lowercase();
        for path in files.iter().filter(|path| path.is_file()) {
            if hash(path, context)?.starts_with(&wanted) {
                context.progress.note(&format!("using {}", path.display()));
                return Ok(path.clone());
            }
        }
    }
    let near =
        nearest(&text, &files.iter().filter_map(|p| p.file_stem()?.to_str()).collect::<Vec<_>>());
    let hint = near.map_or_else(
        || {
            let folders = base_search::folders(&core.environment, &core.folders().checkpoints);
            format!("give its path, its name, or its hash; {}", base_search::looked_in(&folders))
        },
        |near| format!("did you mean {near}?"),
    );
    Err(Failure::user(format!("no such checkpoint: {text}")).hint(hint))
}

/// The SHA-256 of a file, or of a diffusers folder's parts, remembered where there is a place.
pub(crate) fn hash(path: &Path, context: &Context<'_>) -> Result<String, Failure> {
    let cache = context.core.environment.hash_cache();
    Ok(fingerprint(path, cache.as_deref(), context.progress.stop)?)
}

fn search(context: &Context<'_>) -> Result<PathBuf, Failure> {
    let (core, progress) = (context.core, &context.progress);
    progress.note("no {any.base} given: searching for the original Stable Diffusion 1.5 or 1.4");
    let more = core.folders().checkpoints;
    let files = base_search::checkpoints(&core.environment, &more);
    let folders = base_search::folders(&core.environment, &more);
    let found = base_search::find(&files, &folders, |path| hash(path, context).ok());
    progress.go_on()?;
    let (path, name) = found?;
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
