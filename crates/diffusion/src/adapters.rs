//! LoRA and its family, applied to a base.
//!
//! The change is added in f32 to the checkpoint's own weight, which is read again from the mapped
//! file, rounded once, and put in the place of the weight that the models use: no second copy of
//! the model is held, and a weight that is restored is the one that was loaded, bit for bit.
mod apply;
mod asked;
mod choose;
mod delta;
mod dense;
mod fit;
mod folder;
mod guard;
mod rotate;
mod tags;

pub use asked::Asked;
pub use fit::Misfit;
pub use folder::Loras;
pub use guard::{AdapterGuard, JobSize};
pub use tags::{LoraTag, lora_tags};

pub(crate) use apply::{ComponentModules, ModuleHandle};
pub(crate) use choose::{Chosen, choose};
pub(crate) use guard::ActiveAdapters;

use crate::{Base, Error, Result};
use fit::Sizes;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use wayword_formats::lora::{self, Adapter, File, Lora};
use wayword_formats::{Array, Component};
use wayword_interface::Warning;
use wayword_prompt::Quirks;

/// A file of the LoRA family, read.
#[derive(Debug)]
pub struct Loaded {
    /// The file.
    pub file: File,
    /// What it holds; its tensors are views of the mapped file.
    pub lora: Lora,
    hash: OnceLock<Option<String>>,
    /// What tells this file from another one at the same place, and from itself after a change.
    version: Option<FileVersion>,
}

/// Where a file really is, its length and when it was last written.
type FileVersion = (PathBuf, u64, SystemTime);

fn version(path: &Path) -> Option<FileVersion> {
    let facts = path.metadata().ok()?;
    Some((path.canonicalize().ok()?, facts.len(), facts.modified().ok()?))
}

impl Loaded {
    fn new(file: File) -> Result<Self> {
        let version = version(&file.path);
        let lora = lora::read(&file.path)?;
        Ok(Self { file, lora, hash: OnceLock::new(), version })
    }

    /// A1111's short hash of the file, computed when first asked for; `None` if it cannot be read.
    #[must_use]
    pub fn short_hash(&self) -> Option<&str> {
        self.hash.get_or_init(|| self.file.short_hash().ok()).as_deref()
    }
}

/// A LoRA with its multipliers, as a prompt asks for it.
#[derive(Debug, Clone)]
pub struct Network {
    /// The name that was written.
    pub name: String,
    /// The file.
    pub loaded: Arc<Loaded>,
    /// Multiplier of the text encoder's modules.
    pub text: f32,
    /// Multiplier of the UNet's modules.
    pub unet: f32,
    /// How many ranks of plain LoRA modules count; `None` all.
    pub ranks: Option<usize>,
    /// Whether A1111's accidents are kept.
    pub quirks: Quirks,
}

/// Two jobs that each read the same file have equal networks.
impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (&self.loaded, &other.loaded);
        (Arc::ptr_eq(one, two) || (one.version.is_some() && one.version == two.version))
            && self.numbers() == other.numbers()
            && self.quirks == other.quirks
    }
}

impl Network {
    /// All of a file, with these multipliers.
    #[must_use]
    pub fn new(name: &str, loaded: Arc<Loaded>, text: f32, unet: f32) -> Self {
        let quirks = Quirks::default();
        Self { name: name.into(), loaded, text, unet, ranks: None, quirks }
    }

    fn numbers(&self) -> (u32, u32, Option<usize>) {
        (self.text.to_bits(), self.unet.to_bits(), self.ranks)
    }

    /// The multiplier of a component's modules.
    fn multiplier(&self, component: Component) -> f32 {
        match component {
            Component::Text => self.text,
            _ => self.unet,
        }
    }

    /// Compares with a base: what fits, what does not.
    ///
    /// # Errors
    /// If it is made for another family of models, or nothing of it fits.
    pub fn matched(&self, base: &Base) -> Result<Matched> {
        let mut out = Matched::default();
        for adapter in &self.loaded.lora.adapters {
            let name = || adapter.target.kohya();
            match base.module(&adapter.target).and_then(|module| Sizes::of(&module.shape)) {
                None => out.missing.push(name()),
                Some(sizes) => match fit::check(adapter, &sizes) {
                    Ok(()) => out.fitting += 1,
                    Err(misfit) => out.misfits.push((name(), misfit)),
                },
            }
        }
        let width = self.loaded.lora.cross_width();
        let other = width.filter(|w| *w != base.info.token_width).and_then(family);
        let nothing = out.fitting == 0 && self.loaded.lora.embeddings.is_empty();
        if let Some((other, width)) = other.zip(width) {
            let (reads, has) = (width, base.info.token_width);
            let reason = format!(
                "it is for {other}: it expects text of {reads} channels, but this base's has {has}"
            );
            let hint = Some("use a LoRA that was trained on the family of this base".into());
            return Err(Error::Lora { name: self.name.clone(), reason, hint });
        }
        if nothing {
            let (unknown, first) = (&self.loaded.lora.unknown, out.first());
            let first = first.or_else(|| {
                Some(format!("`{}`: {}", unknown.first()?.key, unknown.first()?.reason))
            });
            let made = self.loaded.lora.metadata.get("ss_base_model_version");
            let made =
                made.map(|v| format!("; its metadata says that it is for {v}")).unwrap_or_default();
            let reason =
                format!("none of its modules fit this base ({}){made}", first.unwrap_or_default());
            return Err(Error::Lora { name: self.name.clone(), reason, hint: None });
        }
        Ok(out)
    }

    /// What of it is not used: modules that do not fit, keys that are unknown.
    ///
    /// # Errors
    /// As [`Network::matched`].
    pub fn remarks(&self, base: &Base) -> Result<Vec<Warning>> {
        let (name, lora) = (&self.name, &self.loaded.lora);
        let mut warnings = Vec::new();
        let matched = self.matched(base)?;
        let all = matched.modules();
        if let Some((module, misfit)) = matched.misfits.first() {
            let count = matched.misfits.len();
            let text =
                format!("LoRA `{name}`: {count} of {all} modules do not fit: {module}: {misfit}");
            warnings.push(Warning::new(text));
        }
        if let Some(first) = matched.missing.first() {
            let count = matched.missing.len();
            let text =
                format!("LoRA `{name}`: {count} of {all} modules are not in this base: {first}");
            warnings.push(Warning::new(text));
        }
        if let Some(first) = lora.unknown.first() {
            let count = lora.unknown.len();
            let keys = if count == 1 { "key is" } else { "keys are" };
            let text = format!(
                "LoRA `{name}`: {count} {keys} not used: `{}`: {}",
                first.key, first.reason
            );
            warnings.push(Warning::new(text));
        }
        Ok(warnings)
    }
}

/// The family of models whose texts have this width.
fn family(width: usize) -> Option<&'static str> {
    match width {
        768 => Some("Stable Diffusion 1.x"),
        1024 => Some("Stable Diffusion 2.x"),
        2048 => Some("SDXL"),
        _ => None,
    }
}

/// How a LoRA's modules compare with a base's.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    /// Modules that fit.
    pub fitting: usize,
    /// Modules whose shapes are others, by kohya's name.
    pub misfits: Vec<(String, Misfit)>,
    /// Modules that the base does not have.
    pub missing: Vec<String>,
}

impl Matched {
    fn first(&self) -> Option<String> {
        let misfit = self.misfits.first().map(|(name, misfit)| format!("{name}: {misfit}"));
        let missing = || self.missing.first().map(|n| format!("the base has no {n}"));
        misfit.or_else(missing)
    }

    /// All modules.
    #[must_use]
    pub fn modules(&self) -> usize {
        self.fitting + self.misfits.len() + self.missing.len()
    }
}

/// The weight that an adapter makes of another, `shape` as torch has it: for tests and tools; a
/// base is changed by [`Base::activate`].
///
/// # Errors
/// If the adapter does not fit the shape, or a tensor of it cannot be read.
pub fn merged(
    adapter: &Adapter,
    shape: &[usize],
    weight: &Array,
    multiplier: f32,
    quirks: Quirks,
) -> Result<Vec<f32>> {
    let wrong = |reason: String| Error::Lora { name: adapter.target.kohya(), reason, hint: None };
    let sizes =
        Sizes::of(shape).ok_or_else(|| wrong(format!("{shape:?} is not a weight's shape")))?;
    fit::check(adapter, &sizes).map_err(|misfit| wrong(misfit.to_string()))?;
    let mut values = weight.to_f32().map_err(|fault| wrong(fault.to_string()))?;
    let strength = delta::Strength { multiplier, ranks: None, quirks };
    delta::add(adapter, &sizes, &mut values, &mut None, strength)
        .map_err(|fault| wrong(fault.to_string()))?;
    Ok(values)
}
