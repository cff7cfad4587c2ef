//! What a user may ask for: the options of the command line and of files, before they are checked.
use crate::checkpoint::{SaveFormat, SavePrecision};
use crate::loss::{Difference, HuberSchedule, LossOptions};
use crate::noise_options::{NoiseOptions, Rounding, STEPS};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use wayword_prompt::template::{OBJECT, STYLE, Templates};

/// Where captions come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TemplateChoice {
    /// Sentences such as `a photo of a NAME`.
    #[default]
    Object,
    /// Sentences such as `a painting in the style of NAME`.
    Style,
    /// Caption files, else the folder's class words.
    None,
    /// A file with one sentence a line, `[name]` and `[filewords]` in it.
    File(PathBuf),
}

impl From<String> for TemplateChoice {
    fn from(text: String) -> Self {
        match text.as_str() {
            "object" => Self::Object,
            "style" => Self::Style,
            "none" => Self::None,
            _ => Self::File(text.into()),
        }
    }
}

impl From<TemplateChoice> for String {
    fn from(choice: TemplateChoice) -> Self {
        match choice {
            TemplateChoice::Object => "object".into(),
            TemplateChoice::Style => "style".into(),
            TemplateChoice::None => "none".into(),
            TemplateChoice::File(path) => path.display().to_string(),
        }
    }
}

impl TemplateChoice {
    /// The sentences, `{}` or `[name]` for the word; `None` where captions come from files.
    ///
    /// # Errors
    /// If a template file cannot be read or has a mistake.
    pub fn sentences(&self) -> Result<Option<Vec<String>>> {
        let list = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
        Ok(match self {
            Self::Object => list(&OBJECT),
            Self::Style => list(&STYLE),
            Self::None => None,
            Self::File(path) => Some(read_sentences(path)?),
        })
    }
}

fn read_sentences(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            let found = format!("`{}`, which is no file either", path.display());
            return Error::option(
                "train.template",
                "object, style, none or a template file",
                found,
            );
        }
        Error::File { path: path.into(), source }
    })?;
    Templates::parse(&text).map_err(|e| {
        let error = Error::data(format!("{}: {}", path.display(), e.message));
        match &e.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Everything that can be asked for; what is `None` is decided by [`super::TrainPlan::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the flags; their help says what they do")]
pub struct TrainOptions {
    pub images: Vec<PathBuf>,
    pub in_json: Option<PathBuf>,
    pub dataset_config: Option<PathBuf>,
    pub dataset_repeats: u64,
    pub reg_data_dir: Vec<PathBuf>,
    pub prior_loss_weight: f64,
    pub enable_bucket: bool,
    pub bucket_no_upscale: bool,
    pub min_bucket_reso: Option<usize>,
    pub max_bucket_reso: Option<usize>,
    pub bucket_reso_steps: Option<usize>,
    pub resize_interpolation: Option<String>,
    pub flip_aug: bool,
    pub color_aug: bool,
    pub random_crop: bool,
    pub face_crop_aug_range: Option<(f64, f64)>,
    pub alpha_mask: bool,
    pub masks: Option<PathBuf>,
    pub latent_cache: Option<PathBuf>,
    pub kohya_latents: bool,
    pub caption_prefix: Option<String>,
    pub caption_suffix: Option<String>,
    pub shuffle_caption: bool,
    pub keep_tokens: usize,
    pub keep_tokens_separator: Option<String>,
    pub caption_separator: String,
    pub secondary_separator: Option<String>,
    pub enable_wildcard: bool,
    pub caption_dropout_rate: f64,
    pub caption_dropout_every_n_epochs: u32,
    pub caption_tag_dropout_rate: f64,
    pub token_warmup_min: usize,
    pub token_warmup_step: f64,
    /// Several words: tables `[[word]]`, instead of name, token, init and vectors.
    #[serde(rename = "word")]
    pub words: Vec<WordOptions>,
    pub name: Option<String>,
    pub token: Option<String>,
    pub init: Option<String>,
    pub vectors: Option<usize>,
    pub template: TemplateChoice,
    pub caption_ext: Option<String>,
    pub resolution: Option<(u32, u32)>,
    pub batch: usize,
    pub accumulate: usize,
    pub steps: Option<usize>,
    pub epochs: Option<usize>,
    pub lr: Option<String>,
    /// The scheduler; without one `cosine`, or `constant` where something else leads the rate.
    pub scheduler: Option<String>,
    pub warmup: String,
    pub lr_scheduler_type: Option<String>,
    pub lr_scheduler_args: Vec<String>,
    pub lr_scheduler_num_cycles: Option<f64>,
    pub lr_scheduler_power: Option<f64>,
    pub lr_scheduler_min_lr_ratio: Option<f64>,
    pub lr_scheduler_timescale: Option<u64>,
    pub lr_decay_steps: String,
    pub optimizer: String,
    pub optimizer_args: Vec<String>,
    pub weight_decay: Option<f64>,
    pub max_grad_norm: f64,
    pub clip_skip: Option<usize>,
    pub lora: Vec<String>,
    pub loras: Vec<PathBuf>,
    pub max_token_length: usize,
    pub loss: String,
    pub huber_schedule: String,
    pub huber_c: f64,
    pub huber_scale: f64,
    pub min_snr_gamma: Option<f64>,
    pub scale_v_pred_loss_like_noise_pred: bool,
    pub v_pred_like_loss: Option<f64>,
    pub debiased_estimation_loss: bool,
    pub noise_offset: f64,
    pub noise_offset_random_strength: bool,
    pub adaptive_noise_scale: Option<f64>,
    pub multires_noise_iterations: u32,
    pub multires_noise_discount: f64,
    pub ip_noise_gamma: f64,
    pub ip_noise_gamma_random_strength: bool,
    pub min_timestep: Option<usize>,
    pub max_timestep: Option<usize>,
    pub zero_terminal_snr: bool,
    pub seed: Option<u64>,
    pub out: PathBuf,
    pub save_every: usize,
    pub save_every_epochs: usize,
    pub save_n_epoch_ratio: Option<u64>,
    pub keep_last_steps: usize,
    pub keep_last_epochs: usize,
    pub save_format: SaveFormat,
    pub save_precision: SavePrecision,
    pub sample_every: usize,
    pub sample_every_epochs: usize,
    pub sample_at_first: bool,
    pub sample_prompts: Option<String>,
    pub sample_sampler: Option<String>,
    pub sample_steps: u32,
    pub sample_cfg: f64,
    pub metadata_title: Option<String>,
    pub metadata_author: Option<String>,
    pub metadata_description: Option<String>,
    pub metadata_license: Option<String>,
    pub metadata_tags: Option<String>,
    pub metadata_usage_hint: Option<String>,
    pub metadata_trigger_phrase: Option<String>,
    pub metadata_thumbnail: Option<String>,
    pub metadata_merged_from: Option<String>,
    pub metadata_preprocessor: Option<String>,
    pub metadata_is_negative_embedding: Option<String>,
    pub training_comment: Option<String>,
    pub mixed_precision: MixedPrecision,
    pub kohya_numbers: bool,
}

/// A word of several: its table in a file of options.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the flags; their help says what they do")]
pub struct WordOptions {
    pub name: String,
    pub token: Option<String>,
    pub init: Option<String>,
    pub vectors: Option<usize>,
    pub lr: Option<f64>,
}

/// The precision of kohya's run, to whose timesteps its own are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MixedPrecision {
    /// 32 bits.
    #[default]
    No,
    /// Half precision.
    Fp16,
    /// The upper halves of 32-bit floats.
    Bf16,
}

impl MixedPrecision {
    /// What timesteps are rounded to.
    #[must_use]
    pub const fn rounding(self) -> Rounding {
        match self {
            Self::No => Rounding::F32,
            Self::Fp16 => Rounding::F16,
            Self::Bf16 => Rounding::Bf16,
        }
    }
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            in_json: None,
            dataset_config: None,
            dataset_repeats: 1,
            reg_data_dir: Vec::new(),
            prior_loss_weight: 1.0,
            enable_bucket: false,
            bucket_no_upscale: false,
            min_bucket_reso: None,
            max_bucket_reso: None,
            bucket_reso_steps: None,
            resize_interpolation: None,
            flip_aug: false,
            color_aug: false,
            random_crop: false,
            face_crop_aug_range: None,
            alpha_mask: false,
            masks: None,
            latent_cache: None,
            kohya_latents: false,
            caption_prefix: None,
            caption_suffix: None,
            shuffle_caption: false,
            keep_tokens: 0,
            keep_tokens_separator: None,
            caption_separator: ",".into(),
            secondary_separator: None,
            enable_wildcard: false,
            caption_dropout_rate: 0.0,
            caption_dropout_every_n_epochs: 0,
            caption_tag_dropout_rate: 0.0,
            token_warmup_min: 1,
            token_warmup_step: 0.0,
            words: Vec::new(),
            name: None,
            token: None,
            init: None,
            vectors: None,
            template: TemplateChoice::Object,
            caption_ext: None,
            resolution: None,
            batch: 1,
            accumulate: 1,
            steps: None,
            epochs: None,
            lr: None,
            scheduler: None,
            warmup: "0".into(),
            lr_scheduler_type: None,
            lr_scheduler_args: Vec::new(),
            lr_scheduler_num_cycles: None,
            lr_scheduler_power: None,
            lr_scheduler_min_lr_ratio: None,
            lr_scheduler_timescale: None,
            lr_decay_steps: "0".into(),
            optimizer: "AdamW".into(),
            optimizer_args: Vec::new(),
            weight_decay: None,
            max_grad_norm: 1.0,
            clip_skip: None,
            lora: Vec::new(),
            loras: Vec::new(),
            max_token_length: 75,
            loss: "l2".into(),
            huber_schedule: "snr".into(),
            huber_c: 0.1,
            huber_scale: 1.0,
            min_snr_gamma: None,
            scale_v_pred_loss_like_noise_pred: false,
            v_pred_like_loss: None,
            debiased_estimation_loss: false,
            noise_offset: 0.0,
            noise_offset_random_strength: false,
            adaptive_noise_scale: None,
            multires_noise_iterations: 0,
            multires_noise_discount: 0.3,
            ip_noise_gamma: 0.0,
            ip_noise_gamma_random_strength: false,
            min_timestep: None,
            max_timestep: None,
            zero_terminal_snr: false,
            seed: None,
            out: PathBuf::from("."),
            save_every: 200,
            save_every_epochs: 0,
            save_n_epoch_ratio: None,
            keep_last_steps: 0,
            keep_last_epochs: 0,
            save_format: SaveFormat::Safetensors,
            save_precision: SavePrecision::Float,
            sample_every: 0,
            sample_every_epochs: 0,
            sample_at_first: false,
            sample_prompts: None,
            sample_sampler: None,
            sample_steps: 20,
            sample_cfg: 7.0,
            metadata_title: None,
            metadata_author: None,
            metadata_description: None,
            metadata_license: None,
            metadata_tags: None,
            metadata_usage_hint: None,
            metadata_trigger_phrase: None,
            metadata_thumbnail: None,
            metadata_merged_from: None,
            metadata_preprocessor: None,
            metadata_is_negative_embedding: None,
            training_comment: None,
            mixed_precision: MixedPrecision::No,
            kohya_numbers: false,
        }
    }
}

impl TrainOptions {
    /// Options of pictures under their names in a dataset file, `resolution` for those that name
    /// none. Bucket sides are kohya's on bases of 512 x 512; smaller bases have smaller ones.
    pub(super) fn subset(&self, (width, height): (u32, u32)) -> Table {
        let whole = |n: usize| Value::Integer(n as i64);
        let (short, long) = (width.min(height) as usize, width.max(height) as usize);
        let side = (short / 4 / 8 * 8).clamp(8, 64);
        let pair = |(low, high): (f64, f64)| Value::Array(vec![low.into(), high.into()]);
        let sides = [width, height].map(|side| Value::Integer(side.into())).to_vec();
        let text = |t: &Option<String>| t.clone().map(Value::String);
        let on = |on: bool| Some(Value::Boolean(on));
        let entries = [
            ("batch_size", Some(whole(self.batch))),
            ("resolution", Some(Value::Array(sides))),
            ("enable_bucket", on(self.enable_bucket)),
            ("bucket_no_upscale", on(self.bucket_no_upscale)),
            ("min_bucket_reso", Some(whole(self.min_bucket_reso.unwrap_or(256.min(short / 2))))),
            ("max_bucket_reso", Some(whole(self.max_bucket_reso.unwrap_or(1024.max(long))))),
            ("bucket_reso_steps", Some(whole(self.bucket_reso_steps.unwrap_or(side)))),
            ("resize_interpolation", text(&self.resize_interpolation)),
            ("num_repeats", Some(Value::Integer(self.dataset_repeats as i64))),
            ("caption_extension", text(&self.caption_ext)),
            ("flip_aug", on(self.flip_aug)),
            ("color_aug", on(self.color_aug)),
            ("random_crop", on(self.random_crop)),
            ("face_crop_aug_range", self.face_crop_aug_range.map(pair)),
            ("caption_prefix", text(&self.caption_prefix)),
            ("caption_suffix", text(&self.caption_suffix)),
            ("shuffle_caption", on(self.shuffle_caption)),
            ("keep_tokens", Some(whole(self.keep_tokens))),
            ("keep_tokens_separator", text(&self.keep_tokens_separator)),
            ("caption_separator", Some(Value::String(self.caption_separator.clone()))),
            ("secondary_separator", text(&self.secondary_separator)),
            ("enable_wildcard", on(self.enable_wildcard)),
            ("caption_dropout_rate", Some(self.caption_dropout_rate.into())),
            (
                "caption_dropout_every_n_epochs",
                Some(Value::Integer(self.caption_dropout_every_n_epochs.into())),
            ),
            ("caption_tag_dropout_rate", Some(self.caption_tag_dropout_rate.into())),
            ("token_warmup_min", Some(whole(self.token_warmup_min))),
            ("token_warmup_step", Some(self.token_warmup_step.into())),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    /// The loss, checked.
    ///
    /// # Errors
    /// If a name is unknown, a number is out of range, or options do not fit the prediction.
    pub fn loss(&self, v_prediction: bool) -> Result<LossOptions> {
        let loss = LossOptions {
            kind: Difference::parse(&self.loss)?,
            huber_schedule: HuberSchedule::parse(&self.huber_schedule)?,
            huber_c: self.huber_c,
            huber_scale: self.huber_scale,
            min_snr_gamma: self.min_snr_gamma,
            scale_v_pred_loss_like_noise_pred: self.scale_v_pred_loss_like_noise_pred,
            v_pred_like_loss: self.v_pred_like_loss,
            debiased_estimation: self.debiased_estimation_loss,
            v_prediction,
        };
        loss.check().map(|()| loss)
    }

    /// The noise, checked.
    ///
    /// # Errors
    /// If a number is out of range or options do not fit together.
    pub fn noise(&self) -> Result<NoiseOptions> {
        let noise = NoiseOptions {
            offset: self.noise_offset,
            offset_random: self.noise_offset_random_strength,
            offset_adaptive: self.adaptive_noise_scale,
            multires_iterations: self.multires_noise_iterations,
            multires_discount: self.multires_noise_discount,
            ip_gamma: self.ip_noise_gamma,
            ip_gamma_random: self.ip_noise_gamma_random_strength,
        };
        noise.check().map(|()| noise)
    }

    /// The timesteps that are drawn, checked.
    ///
    /// # Errors
    /// If the range is empty or leaves 0 to 1000.
    pub fn timesteps(&self) -> Result<(usize, usize)> {
        let (low, high) = (self.min_timestep.unwrap_or(0), self.max_timestep.unwrap_or(STEPS));
        // The same twice is that level alone.
        let end = if low == high { low + 1 } else { high };
        if low < end && end <= STEPS {
            return Ok((low, end));
        }
        let expected = format!("{{train.min_timestep}} below it, at most {STEPS}");
        Err(Error::option("train.max_timestep", expected, format!("{low} and {high}")))
    }
}
