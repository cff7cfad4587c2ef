//! Stable Diffusion 1.x checkpoints of every layout, as named arrays under diffusers names.
//!
//! A single file (safetensors or torch pickle, with CompVis' or diffusers' names), a folder as
//! diffusers writes it, or a VAE alone. What the file holds beside the model (EMA copies, the
//! trainer's state, noise schedules, position ids) is left out and counted. Other families of
//! models are recognized by their names and shapes and refused in a sentence.

mod folder;
mod kind;
mod weights_hash;

use crate::array::{Array, Dtype};
use crate::error::{At, Error, Fault};
use crate::map::Map;
use crate::names::Component;
use crate::pickle::{self, Value};
use crate::safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a checkpoint is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One safetensors file.
    SafeTensors,
    /// One torch pickle (`.ckpt`, `.pt`, `.bin`).
    Pickle,
    /// A folder with one file per component.
    Diffusers,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SafeTensors => "single file, safetensors",
            Self::Pickle => "single file, pickle",
            Self::Diffusers => "diffusers folder",
        })
    }
}

/// Whose names the tensors have in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// CompVis' `input_blocks.1.0`.
    Ldm,
    /// Diffusers' `down_blocks.0.resnets.0`.
    Diffusers,
}

/// One tensor, and where it came from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The values.
    pub array: Array,
    /// Its key in the file.
    pub key: String,
}

/// What one component has: tensors by diffusers name.
pub type Entries = BTreeMap<String, Entry>;

/// An open checkpoint. Arrays are views of the mapped file where the format allows it.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// The file or folder.
    pub path: PathBuf,
    /// How it is laid out; `None` for tensors that were made in memory.
    pub layout: Option<Layout>,
    /// The names in the file; `None` where both kinds of names are the same.
    pub naming: Option<Naming>,
    /// The safetensors header's metadata.
    pub metadata: BTreeMap<String, String>,
    /// `config.json` of each component, where the layout has them.
    pub configs: BTreeMap<Component, serde_json::Value>,
    /// What was left out, as sentences: how many EMA copies and so on.
    pub left_out: Vec<String>,
    /// Keys that belong to nothing known.
    pub unknown: Vec<String>,
    parts: BTreeMap<Component, Entries>,
}

/// Tensors of one file by its own keys.
struct CheckpointPart {
    tensors: BTreeMap<String, Array>,
    metadata: BTreeMap<String, String>,
    layout: Layout,
    left_out: Vec<String>,
}

impl Checkpoint {
    /// Opens a base model: a file or a diffusers folder with all three components.
    ///
    /// # Errors
    /// Where it cannot be read, is another kind of model, or lacks a component.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_without(path, &[])
    }

    /// The same for a model of which some components come from elsewhere and may be missing.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_without(path: &Path, elsewhere: &[Component]) -> Result<Self, Error> {
        let found = Self::inspect(path)?;
        let missing = |c: &Component| found.part(*c).is_none() && !elsewhere.contains(c);
        let missing: Vec<&str> =
            Component::ALL.iter().filter(|c| missing(c)).map(|c| c.name()).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let has: Vec<&str> = found.parts.keys().map(|c| c.name()).collect();
        let what = format!("no {} in it, only the {}", missing.join(", no "), has.join(" and "));
        let hint = match found.part(Component::Vae) {
            Some(_) if has.len() == 1 => {
                "pass a VAE with {any.vae} and a full model with {any.base}"
            }
            None if missing == [Component::Vae.name()] => {
                "pass one with {any.vae}, such as vae-ft-mse-840000-ema-pruned.safetensors"
            }
            _ => "{any.base} needs a full Stable Diffusion 1.x model",
        };
        Err(Fault::kind(what, hint)).at(path)
    }

    /// Opens the VAE of a file or folder: a VAE alone, with or without prefix, or a whole model's.
    ///
    /// # Errors
    /// Where it cannot be read, is another kind of model, or has no VAE.
    pub fn open_vae(path: &Path) -> Result<Self, Error> {
        let mut found = Self::inspect(path)?;
        found.parts.retain(|c, _| *c == Component::Vae);
        if found.parts.is_empty() {
            return Err(Fault::kind("no VAE in it", "{any.vae} needs a Stable Diffusion 1.x VAE"))
                .at(path);
        }
        Ok(found)
    }

    /// Opens whatever components there are.
    ///
    /// # Errors
    /// Where it cannot be read, or is another kind of model, or has no component at all.
    pub fn inspect(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return folder::open(path);
        }
        let source = CheckpointPart::read(path)?;
        let mut found = Self {
            path: path.to_owned(),
            layout: Some(source.layout),
            metadata: source.metadata,
            left_out: source.left_out,
            ..Self::default()
        };
        kind::check(&source.tensors).at(path)?;
        found.sort(source.tensors);
        found.refuse_relatives().at(path)?;
        Ok(found)
    }

    /// A model made in memory, from diffusers names per component.
    #[must_use]
    pub fn from_parts(parts: BTreeMap<Component, BTreeMap<String, Array>>) -> Self {
        let entry = |(key, array): (String, Array)| (key.clone(), Entry { array, key });
        let parts =
            parts.into_iter().map(|(c, part)| (c, part.into_iter().map(entry).collect())).collect();
        Self { parts, ..Self::default() }
    }

    /// The tensors of a component by diffusers name.
    #[must_use]
    pub fn part(&self, component: Component) -> Option<&Entries> {
        self.parts.get(&component)
    }

    /// The element type of most values.
    #[must_use]
    pub fn dtype(&self) -> Option<Dtype> {
        let mut bytes = BTreeMap::<Dtype, usize>::new();
        for entry in self.parts.values().flat_map(Entries::values) {
            *bytes.entry(entry.array.dtype()).or_default() += entry.array.elements();
        }
        bytes.into_iter().max_by_key(|(_, n)| *n).map(|(dtype, _)| dtype)
    }

    /// Puts tensors of one file under their component and diffusers name.
    fn sort(&mut self, tensors: BTreeMap<String, Array>) {
        let mut left: BTreeMap<Left, usize> = BTreeMap::new();
        let mut parts: BTreeMap<Component, Vec<(String, String, Array)>> = BTreeMap::new();
        for (key, array) in tensors {
            if let Some(why) = Left::why(&key) {
                *left.entry(why).or_default() += 1;
            } else if let Some((component, rest)) = Component::of(&key) {
                let rest = rest.to_owned();
                parts.entry(component).or_default().push((rest, key, array));
            } else {
                self.unknown.push(key);
            }
        }
        for (component, part) in parts {
            self.add(component, part);
        }
        self.left_out.extend(left.into_iter().map(|(why, n)| why.sentence(n)));
    }

    /// Adds tensors, given as (key without prefix, key, array), to a component.
    fn add(&mut self, component: Component, part: Vec<(String, String, Array)>) {
        let table = component.table(part.iter().map(|(rest, ..)| rest.as_str()));
        for (rest, key, array) in part {
            let Some(name) = table.diffusers(&rest) else {
                self.unknown.push(key);
                continue;
            };
            if component == Component::Unet {
                let naming = if name == rest { Naming::Diffusers } else { Naming::Ldm };
                self.naming.get_or_insert(naming);
            }
            self.parts.entry(component).or_default().insert(name, Entry { array, key });
        }
    }

    /// Refuses models of the same names whose shapes say that they want something else.
    fn refuse_relatives(&self) -> Result<(), Fault> {
        if self.parts.is_empty() {
            let what = "it has no tensor that belongs to a Stable Diffusion 1.x model";
            return Err(Fault::kind(what, "{any.base} needs a full Stable Diffusion 1.x model"));
        }
        let Some(unet) = self.part(Component::Unet) else { return Ok(()) };
        kind::check_unet(unet)
    }
}

/// Why a tensor of a sound checkpoint is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    Ema,
    Schedule,
    PositionIds,
    VaeLoss,
}

impl Left {
    fn why(key: &str) -> Option<Self> {
        const SCHEDULES: [&str; 5] = ["betas", "alphas", "sqrt_", "log_one_", "posterior_"];
        let begins = |words: &[&str]| words.iter().any(|w| key.starts_with(w));
        if begins(&["model_ema.", "first_stage_model.model_ema."]) {
            Some(Self::Ema)
        } else if begins(&SCHEDULES) || key == "lvlb_weights" || key == "logvar" {
            Some(Self::Schedule)
        } else if key.ends_with("embeddings.position_ids") {
            Some(Self::PositionIds)
        } else if begins(&["loss.", "first_stage_model.loss."]) {
            Some(Self::VaeLoss)
        } else {
            None
        }
    }

    fn sentence(self, n: usize) -> String {
        match self {
            Self::Ema => {
                format!("{n} EMA tensors are ignored, as in A1111; the plain weights are used")
            }
            Self::Schedule => format!("{n} tensors of the noise schedule are not needed"),
            Self::PositionIds => {
                format!("{n} tensor of position ids is ignored; positions are always 0, 1, 2, …")
            }
            Self::VaeLoss => format!("{n} tensors of the VAE's training loss are not needed"),
        }
    }
}

impl CheckpointPart {
    /// Reads a file by its content, whatever its name ends in.
    fn read(path: &Path) -> Result<Self, Error> {
        let map = Map::open(path).at(path)?;
        let start = map.as_slice().get(..2).unwrap_or_default();
        let pickled = start == b"PK" || start.first() == Some(&0x80);
        if pickled && path.extension().is_none_or(|e| e != "safetensors") {
            return Self::pickle(&pickle::from_map(&map).at(path)?).at(path);
        }
        let file = SafeTensors::from_map(map).at(path)?;
        let tensors = file.names().filter_map(|n| Some((n.to_owned(), file.get(n)?))).collect();
        let metadata = file.metadata().clone();
        Ok(Self { tensors, metadata, layout: Layout::SafeTensors, left_out: Vec::new() })
    }

    /// The tensors of a pickle: under `state_dict`, or at the top.
    fn pickle(value: &Value) -> Result<Self, Fault> {
        let state = value.get("state_dict").unwrap_or(value);
        let entries = state.entries().ok_or_else(|| {
            Fault::kind(format!("holds {}, not named tensors", state.kind()), "not a checkpoint")
        })?;
        let mut tensors = BTreeMap::new();
        let mut others = 0;
        for (key, value) in entries {
            match (key.as_text(), value.as_tensor()) {
                (Some(key), Some(array)) => drop(tensors.insert(key.to_owned(), array.clone())),
                _ => others += 1,
            }
        }
        if value.get("state_dict").is_some() {
            others += value.entries().map_or(0, |e| e.len() - 1);
        }
        let left_out = match others {
            0 => Vec::new(),
            n => vec![format!("{n} entries of the trainer's state are ignored")],
        };
        // An embedding is told by the keys at the top, which hold no tensors themselves.
        if tensors.is_empty() {
            kind::check_words(value)?;
        }
        Ok(Self { tensors, metadata: BTreeMap::new(), layout: Layout::Pickle, left_out })
    }
}

#[cfg(test)]
mod tests;
