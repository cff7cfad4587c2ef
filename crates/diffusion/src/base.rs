//! A loaded base model: text encoder, UNet, VAE and tokenizer.
//!
//! It holds nothing of a job. Several threads draw and train on it at once; which adapters are on
//! its weights is told by the guards that they hold ([`Base::activate`]).
mod hash;

pub use hash::FileHash;

use crate::adapters::{ActiveAdapters, ComponentModules};
use crate::forecast::DrawSpeed;
use crate::report::PartReport;
use crate::tokenizer::{POSITIONS, Tokenizer, VOCABULARY};
use crate::weights::{TensorSource, Weights};
use crate::{Error, Event, LoadReport, Result, TextEncoder, Unet, Vae};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use wayword_formats::checkpoint::{Checkpoint, Layout, Naming};
use wayword_formats::hash::HashCache;
use wayword_formats::{Array, Component, Dtype};
use wayword_interface::{Events, Stop};
use wayword_tensor::Device;

/// What the UNet predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prediction {
    /// The noise.
    #[default]
    Epsilon,
    /// The velocity, sqrt(a) noise - sqrt(1 - a) latents (Salimans and Ho 2022).
    V,
}

impl Prediction {
    /// Its name: `epsilon` or `v`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::V => "v",
        }
    }
}

/// What to load and where to.
#[derive(Debug, Clone)]
pub struct BaseOptions {
    /// A checkpoint file or a diffusers folder.
    pub path: PathBuf,
    /// Another VAE than the checkpoint's.
    pub vae: Option<PathBuf>,
    /// What the UNet predicts; `None` believes the file, which means noise if it says nothing.
    pub prediction: Option<Prediction>,
    /// Where hashes of files are remembered; `None` computes them each time.
    pub hashes: Option<PathBuf>,
    /// Where the weights go.
    pub device: Device,
    /// Ends the loading between two tensors.
    pub stop: Stop,
}

impl BaseOptions {
    /// A checkpoint on a device, everything else as the file has it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, device: &Device) -> Self {
        Self {
            path: path.into(),
            vae: None,
            prediction: None,
            hashes: None,
            device: device.clone(),
            stop: Stop::default(),
        }
    }
}

/// Facts about a loaded base.
#[derive(Debug, Clone)]
pub struct BaseInfo {
    /// The checkpoint.
    pub path: PathBuf,
    /// How it is laid out; `None` for weights made in memory.
    pub layout: Option<Layout>,
    /// Whose names the file uses.
    pub naming: Option<Naming>,
    /// The element type of most of its values.
    pub dtype: Option<Dtype>,
    /// The VAE file, if it is not the checkpoint's.
    pub vae: Option<PathBuf>,
    /// What the UNet predicts.
    pub prediction: Prediction,
    /// Whether that was asked for, whatever the file says.
    pub prediction_chosen: bool,
    /// Width and height in pixels that it was made for.
    pub resolution: (u32, u32),
    /// Channels of a token.
    pub token_width: usize,
    /// Layers of the text encoder.
    pub text_layers: usize,
    /// Root mean square of the token table's values: 0.0144 in Stable Diffusion 1.5.
    pub token_rms: f32,
    /// What was loaded and what was left.
    pub report: LoadReport,
}

/// A loaded base model.
#[derive(Debug)]
pub struct Base {
    /// Token ids to hidden states; reached through an [`crate::AdapterGuard`].
    pub(crate) text: TextEncoder,
    /// Latents and hidden states to a prediction; reached through an [`crate::AdapterGuard`].
    pub(crate) unet: Unet,
    /// Pixels to latents and back. Adapters do not change it.
    pub vae: Vae,
    /// Text to token ids.
    pub tokenizer: Tokenizer,
    /// Facts.
    pub info: BaseInfo,
    hash: Option<FileHash>,
    vae_hash: Option<FileHash>,
    /// Where the VAE came from, and the same VAE in f32, once it was needed.
    vae_source: Arc<dyn TensorSource>,
    exact_vae: OnceLock<(Vae, Device)>,
    hashes: Option<PathBuf>,
    pub(crate) device: Device,
    /// How fast it draws, once that was measured.
    pub(crate) speed: OnceLock<DrawSpeed>,
    /// The modules that adapters can change.
    pub(crate) modules: BTreeMap<Component, ComponentModules>,
    pub(crate) active: ActiveAdapters,
}

/// Where each component's tensors come from.
pub(crate) struct Sources {
    pub(crate) text: Arc<dyn TensorSource>,
    pub(crate) unet: Arc<dyn TensorSource>,
    pub(crate) vae: Arc<dyn TensorSource>,
    /// Attention heads of the text encoder, where something tells them.
    pub(crate) heads: Option<usize>,
}

impl Base {
    /// Loads a base model.
    ///
    /// # Errors
    /// If the files cannot be read, are of another family, or lack a part of the model;
    /// [`Error::Stopped`] where a stop was requested.
    pub fn load(options: &BaseOptions, events: &dyn Events<Event>) -> Result<Self> {
        events.event(Event::Loading { what: "base model", path: options.path.clone() });
        let hashes = |path: &PathBuf| hash(path, options);
        let (hash, vae_hash) = (hashes(&options.path), options.vae.as_ref().and_then(hashes));
        let mut base = Self::dry_load(options, events)?;
        (base.hash, base.vae_hash) = (hash, vae_hash);
        base.hashes.clone_from(&options.hashes);
        events.event(Event::Loaded(base.info.report.clone()));
        Ok(base)
    }

    /// The same without hashes: on a device that only counts, no more of the files is read than
    /// their headers and the token table.
    ///
    /// # Errors
    /// As [`Base::load`].
    pub fn dry_load(options: &BaseOptions, events: &dyn Events<Event>) -> Result<Self> {
        let elsewhere: &[Component] = if options.vae.is_some() { &[Component::Vae] } else { &[] };
        let file = Checkpoint::open_without(&options.path, elsewhere)?;
        let other = options.vae.as_ref().map(|path| {
            events.event(Event::Loading { what: "VAE", path: path.clone() });
            Checkpoint::open_vae(path)
        });
        let other = other.transpose()?;
        let part = |file: &Checkpoint, component| -> Arc<dyn TensorSource> {
            Arc::new(file.part(component).cloned().unwrap_or_default())
        };
        let sources = Sources {
            text: part(&file, Component::Text),
            unet: part(&file, Component::Unet),
            vae: part(other.as_ref().unwrap_or(&file), Component::Vae),
            heads: text_heads(&file),
        };
        let mut base = Self::assemble(&options.device, &sources, &options.stop)?;
        let report = &mut base.info.report;
        for file in std::iter::once(&file).chain(&other) {
            report.unused.extend(file.unknown.iter().cloned());
            report.left_out.extend(file.left_out.iter().cloned());
        }
        if !report.is_whole() {
            let keys = report.missing.iter().map(|missing| &missing.key);
            let mut keys = keys.chain(report.wrong.iter().map(|wrong| &wrong.key));
            // A VAE that was given is to blame for its own tensors only.
            let vae = options.vae.as_ref().filter(|_| keys.all(|key| key.starts_with("vae.")));
            let path = vae.unwrap_or(&options.path).clone();
            return Err(Error::Incomplete { path, report: Box::new(report.clone()) });
        }
        base.info.path.clone_from(&options.path);
        base.info.layout = file.layout;
        base.info.naming = file.naming;
        base.info.dtype = file.dtype();
        base.info.vae.clone_from(&options.vae);
        base.info.prediction = options.prediction.unwrap_or_else(|| prediction(&file));
        base.info.prediction_chosen = options.prediction.is_some();
        base.info.resolution = resolution(&file);
        Ok(base)
    }

    /// Builds the models; what is missing stands in the report.
    pub(crate) fn assemble(device: &Device, sources: &Sources, stop: &Stop) -> Result<Self> {
        let mut report = LoadReport::default();
        let text = Weights::prepare(device, Component::Text, &*sources.text, stop)?;
        let table = token_table(&*sources.text)?;
        let encoder = TextEncoder::load(device, &text.root(), sources.heads, table);
        let store = |source: &Arc<dyn TensorSource>, weights: &Weights| ComponentModules {
            source: Arc::clone(source),
            modules: weights.handles(),
        };
        let mut modules = BTreeMap::from([(Component::Text, store(&sources.text, &text))]);
        report.add(text.finish());
        let unet = Weights::prepare(device, Component::Unet, &*sources.unet, stop)?;
        let predictor = Unet::load(device, &unet.root());
        modules.insert(Component::Unet, store(&sources.unet, &unet));
        report.add(unet.finish());
        let vae = Weights::prepare(device, Component::Vae, &*sources.vae, stop)?;
        let coder = Vae::load(&vae.root());
        report.add(vae.finish());
        report.add(widths(&encoder, &predictor, &report));
        let info = BaseInfo {
            path: PathBuf::new(),
            layout: None,
            naming: None,
            dtype: None,
            vae: None,
            prediction: Prediction::default(),
            prediction_chosen: false,
            resolution: (512, 512),
            token_width: encoder.width(),
            text_layers: encoder.layers.len(),
            token_rms: encoder.table_rms(),
            report,
        };
        Ok(Self {
            text: encoder,
            unet: predictor,
            vae: coder,
            tokenizer: Tokenizer::new(),
            info,
            hash: None,
            vae_hash: None,
            vae_source: Arc::clone(&sources.vae),
            exact_vae: OnceLock::new(),
            hashes: None,
            device: device.clone(),
            speed: OnceLock::new(),
            modules,
            active: ActiveAdapters::default(),
        })
    }

    /// The token table, `[vocabulary, token width]`. Adapters do not change it.
    #[must_use]
    pub fn token_table(&self) -> Vec<f32> {
        self.text.table()
    }

    /// The vector of a token, `[token width]`.
    ///
    /// # Errors
    /// If there is no such token.
    pub fn token_vector(&self, id: u32) -> Result<Vec<f32>> {
        self.text.token_row(id)
    }

    /// The device that holds the weights.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The VAE with products in f32, on a device of its own; `None` where this base's is exact
    /// already. Loaded when first asked for.
    pub(crate) fn exact_vae(&self) -> Result<Option<&(Vae, Device)>> {
        if self.device.is_exact() {
            return Ok(None);
        }
        if self.exact_vae.get().is_none() {
            let device = self.device.exact();
            let never = Stop::default();
            let weights = Weights::prepare(&device, Component::Vae, &*self.vae_source, &never)?;
            let vae = Vae::load(&weights.root());
            drop(self.exact_vae.set((vae, device)));
        }
        Ok(self.exact_vae.get())
    }

    /// Waits until the hashes of its files are known; `false` where a stop was requested before.
    #[must_use]
    pub fn is_hashed_unless_stopped(&self, stop: &Stop) -> bool {
        self.hash.iter().chain(&self.vae_hash).all(|hash| hash.is_ready_unless_stopped(stop))
    }

    /// SHA-256 of the checkpoint, 64 hex digits; waits until it is computed. `None` for folders.
    ///
    /// # Errors
    /// If the file can no longer be read.
    pub fn sha256(&self) -> Result<Option<String>> {
        self.hash.as_ref().map(FileHash::wait).transpose()
    }

    /// What the checkpoint is known by: its SHA-256, and for a diffusers folder one over the hashes
    /// of its parts. `None` for weights made in memory.
    ///
    /// # Errors
    /// If a file can no longer be read.
    pub fn fingerprint(&self) -> Result<Option<String>> {
        match self.sha256()? {
            Some(hash) => Ok(Some(hash)),
            None if self.info.path.is_dir() => {
                let (path, hashes) = (&self.info.path, self.hashes.as_deref());
                fingerprint(path, hashes, &Stop::default()).map(Some)
            }
            None => Ok(None),
        }
    }

    /// SHA-256 of the other VAE's file, if there is one.
    ///
    /// # Errors
    /// If the file can no longer be read.
    pub fn vae_sha256(&self) -> Result<Option<String>> {
        self.vae_hash.as_ref().map(FileHash::wait).transpose()
    }
}

/// What a checkpoint that is not loaded is known by, as [`Base::fingerprint`]; `hashes` is the file
/// in which hashes are remembered.
///
/// # Errors
/// If a file cannot be read; [`Error::Stopped`] where a stop was requested.
pub fn fingerprint(path: &Path, hashes: Option<&Path>, stop: &Stop) -> Result<String> {
    let mut cache = HashCache::open(hashes.unwrap_or(Path::new("")));
    let hash = if path.is_dir() {
        cache.sha256_of_folder(path, stop)
    } else {
        cache.sha256_unless_stopped(path, stop)
    };
    hash?.ok_or(Error::Stopped)
}

/// The hash of a file, begun; folders have none.
fn hash(path: &Path, options: &BaseOptions) -> Option<FileHash> {
    path.is_file().then(|| FileHash::start(path, options.hashes.clone()))
}

/// The token table as the file has it; a stand-in where it is missing, which the report says.
pub(crate) fn token_table(source: &dyn TensorSource) -> Result<Array> {
    const NAME: &str = "text_model.embeddings.token_embedding.weight";
    if source.names().iter().any(|name| name == NAME) {
        source.load(NAME)
    } else {
        Ok(Array::from_f32(vec![1, 1], &[0.0]).expect("one value in the shape of one"))
    }
}

/// The UNet must want states as wide as the text encoder's.
fn widths(text: &TextEncoder, unet: &Unet, so_far: &LoadReport) -> PartReport {
    let mut part = PartReport::default();
    if so_far.is_whole() && text.width() != unet.context_width() {
        part.wrong.push(crate::WrongShape {
            key: "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight".into(),
            expected: format!("[any, {}] for this text encoder", text.width()),
            found: format!("[any, {}]", unet.context_width()),
        });
    }
    if so_far.is_whole() && (text.vocabulary(), text.positions()) != (VOCABULARY, POSITIONS) {
        part.wrong.push(crate::WrongShape {
            key: "text_encoder.text_model.embeddings".into(),
            expected: format!("{VOCABULARY} tokens and {POSITIONS} positions"),
            found: format!("{} tokens and {} positions", text.vocabulary(), text.positions()),
        });
    }
    part
}

/// Attention heads of the text encoder: from a diffusers folder's configuration, or from one that
/// a single file carries in its metadata (a key ending in `.config` with a `text` object).
fn text_heads(file: &Checkpoint) -> Option<usize> {
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64()?).ok();
    let folder = file.configs.get(&Component::Text).map(|c| &c["num_attention_heads"]);
    if let Some(heads) = folder.and_then(number) {
        return Some(heads);
    }
    let configs = file.metadata.iter().filter(|(key, _)| key.ends_with(".config"));
    configs
        .filter_map(|(_, text)| serde_json::from_str::<serde_json::Value>(text).ok())
        .find_map(|config| number(&config["text"]["num_attention_heads"]))
}

/// What the file says that its UNet predicts.
fn prediction(file: &Checkpoint) -> Prediction {
    let declared = ["modelspec.prediction_type", "scheduler.prediction_type"]
        .into_iter()
        .find_map(|key| file.metadata.get(key));
    // Merged models mark themselves by an otherwise unused tensor of that name.
    let marked = file.unknown.iter().any(|key| key == "v_pred");
    match declared.map(String::as_str) {
        Some("v" | "v_prediction" | "v-prediction") => Prediction::V,
        None if marked => Prediction::V,
        _ => Prediction::Epsilon,
    }
}

/// Width and height that the file names, else 512 x 512.
fn resolution(file: &Checkpoint) -> (u32, u32) {
    let declared = file.metadata.get("modelspec.resolution").and_then(|text| {
        let (width, height) = text.split_once(['x', 'X', ','])?;
        Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
    });
    let folder = || {
        let latents = file.configs.get(&Component::Unet)?["sample_size"].as_u64()?;
        let side = u32::try_from(latents).ok()?.checked_mul(8)?;
        Some((side, side))
    };
    let usable = |(w, h): &(u32, u32)| (8..=4096).contains(w) && (8..=4096).contains(h);
    declared.or_else(folder).filter(usable).unwrap_or((512, 512))
}

#[cfg(test)]
mod tests;
