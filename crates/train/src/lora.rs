//! LoRAs that a base wears while an embedding is learned on it: named, recorded in the plan, put on.
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, Loras, Network};
use wayword_formats::hash;
use wayword_interface::{Diagnostic, Quiet, Warning};

/// A LoRA of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedLora {
    /// The name by which it was asked for.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Multiplier of the text encoder's modules.
    pub text: f32,
    /// Multiplier of the UNet's modules.
    pub unet: f32,
}

impl std::fmt::Display for PlannedLora {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.text.to_bits() == self.unet.to_bits() {
            write!(f, "{} at {}", self.name, self.unet)
        } else {
            write!(f, "{} at {} (text encoder {})", self.name, self.unet, self.text)
        }
    }
}

/// Finds LoRAs that are written `NAME:WEIGHT` or `NAME:TEXT:UNET`, NAME being a file or the name of
/// one in these folders. Without a weight it is 1.
///
/// # Errors
/// If a weight is no number, a name means no file, or a folder cannot be read.
pub fn planned(wanted: &[String], folders: &[PathBuf]) -> Result<Vec<PlannedLora>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let loras = Loras::open(folders, &Quiet).map_err(refused)?;
    let mut out: Vec<PlannedLora> = Vec::new();
    for text in wanted {
        let (name, text, unet) = read(text)?;
        let path = if Path::new(name).is_file() {
            std::path::absolute(name).unwrap_or_else(|_| name.into())
        } else {
            let found = loras.network(name, text, unet).map_err(refused)?;
            let path = &found.loaded.file.path;
            std::path::absolute(path).unwrap_or_else(|_| path.clone())
        };
        if out.iter().any(|lora| lora.path == path) {
            return Err(Error::option("train.lora", "each LoRA once", format!("{name} twice")));
        }
        let sha256 = hash::sha256(&path)?;
        let name = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy().into_owned());
        out.push(PlannedLora { name, path, sha256, text, unet });
    }
    Ok(out)
}

/// Name and weights; colons that stand before no number belong to the name.
fn read(text: &str) -> Result<(&str, f32, f32)> {
    let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
    let Some((rest, last)) = text.rsplit_once(':') else { return Ok((text, 1.0, 1.0)) };
    if Path::new(text).is_file() {
        return Ok((text, 1.0, 1.0));
    }
    let Some(unet) = number(last) else {
        let expected = "NAME:WEIGHT, such as style:0.8";
        return Err(Error::option("train.lora", expected, text));
    };
    match rest.rsplit_once(':').map(|(name, text)| (name, number(text))) {
        Some((name, Some(text))) => Ok((name, text, unet)),
        _ => Ok((rest, unet, unet)),
    }
}

/// Reads a plan's LoRAs, to be activated on a base.
///
/// # Errors
/// If a file is gone, or is another than the plan's.
pub fn open(loras: &[PlannedLora]) -> Result<Vec<Network>> {
    let mut networks = Vec::new();
    for lora in loras {
        let (name, path) = (&lora.name, lora.path.display());
        if !lora.path.is_file() {
            return Err(Error::run(&lora.path, format!("the run's LoRA `{name}` is not there"))
                .with_hint("put the file back; the word is learned on top of it"));
        }
        if hash::sha256(&lora.path)? != lora.sha256 {
            let what = format!("the LoRA `{name}` is another file than at the run's start");
            return Err(Error::run(&lora.path, what).with_hint(format!(
                "put the old {path} back, or start again with {{train.overwrite}}"
            )));
        }
        let loaded = Loras::default().load_path(&lora.path).map_err(refused)?;
        networks.push(Network::new(name, loaded, lora.text, lora.unet));
    }
    Ok(networks)
}

/// What of a plan's LoRAs does not fit a base.
///
/// # Errors
/// As [`open`], and if nothing of one fits.
pub fn remarks(base: &Base, loras: &[PlannedLora]) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for network in open(loras)? {
        warnings.extend(network.remarks(base).map_err(refused)?);
    }
    Ok(warnings)
}

fn refused(error: wayword_diffusion::Error) -> Error {
    Diagnostic::from(error).with_field("train.lora").into()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn names_and_weights() {
        assert_eq!(read("style").unwrap(), ("style", 1.0, 1.0));
        assert_eq!(read("style:0.8").unwrap(), ("style", 0.8, 0.8));
        assert_eq!(read("style:0:0.5").unwrap(), ("style", 0.0, 0.5));
        assert_eq!(read("c:/x.safetensors:-1").unwrap(), ("c:/x.safetensors", -1.0, -1.0));
        assert!(read("style:strong").is_err());
    }
}
