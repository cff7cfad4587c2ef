//! What a user may ask for: the options of the command line and of files, before they are checked.
use crate::checkpoint::{SaveFormat, SavePrecision};
use crate::dataset::options::{PictureOptions, Resolution};
use crate::loss::{Difference, HuberSchedule, LossOptions};
use crate::lr::RateList;
use crate::noise_options::{NoiseOptions, Rounding, STEPS};
use crate::recipe::Recipe;
use crate::run_folder::steps::StepChoice;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_interface::options::{OptionKind, OptionType};
use wayword_interface::text_file;
use wayword_interface::{choices, options};
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

impl OptionType for TemplateChoice {
    const KIND: OptionKind = OptionKind::Text;
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
    let text = text_file::read(path).map_err(|source| {
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

choices! {
    /// Where images are cropped that have another shape than the training size.
    pub enum CropPlace {
        /// In the middle
        Middle = "middle",
        /// Around the largest face; in the middle where there is none
        Face = "face",
    }
}

options! {
    /// Everything that can be asked for; what is `None` is decided by [`super::TrainPlan::check`].
    pub struct TrainOptions("train") {
        "" COMMON {
            /// Folders of images
            images: Vec<PathBuf> => value_name: "IMAGES", positional: true,
                need: Need::Unless(&["resume", "config", "kohya", "dataset_config", "in_json"]);
        }
        "Embedding" COMMON {
            /// Name of the embedding and of its files: what you type in a prompt
            name: Option<String> => value_name: "NAME", need: Need::Unless(&["resume", "config", "kohya", "words"]);
            /// Initial words, `*`, or an embedding file to start from [default: the class words of
            /// the folder]
            init: Option<String> => value_name: "WORDS|FILE";
            /// Placeholder token in captions [default: NAME]
            token: Option<String> => value_name: "TOKEN";
            /// Number of vectors; each takes one of a prompt's 75 tokens [default: 1, or as many as
            /// the file of {train.init} has]
            vectors: Option<usize> => value_name: "N", min: 1.0;
        }
        "Embedding" RARE {
            /// Start at the vectors of another run: its folder DIR/OTHER.run
            from: Option<PathBuf> => value_name: "RUN", conflicts: &["init"];
            /// Steps of {train.from} to start at: one, the mean over a range as 400..800, or a place
            /// between two as 400~800@0.25 [default: the last]
            step: Option<StepChoice> => value_name: "STEP", requires: "from";
            /// Several embeddings: `[[word]]` tables instead of name, token, init and vectors
            words: Vec<WordOptions> => aliases: &["word"];
        }
        "Images" COMMON {
            /// Captions: `object` (sentences about a person or thing), `style` (sentences about a
            /// style), `none` (caption files, else the class words), or a file with one sentence
            /// per line, in which `[name]` is the embedding and `[filewords]` the image's own
            /// caption
            template: TemplateChoice => value_name: "KIND";
            /// Extension of caption files [default: .txt, then .caption]
            caption_ext: Option<String> => value_name: "EXT";
            /// Training size in pixels; images are scaled to cover it and cropped [default: the
            /// base's own]
            resolution: Option<(u32, u32)> => value_name: "W,H";
        }
        "Images" RARE {
            /// Where images are cropped: `middle`, or `face`, around the largest face of a photo
            crop: CropPlace => value_name: "WHERE";
            /// Captions and tags of all images in one file (kohya's metadata, .json or .jsonl);
            /// IMAGES is the folder that its keys are relative to
            in_json: Option<PathBuf> => value_name: "FILE";
            /// Dataset file of kohya's scripts, TOML or JSON, instead of IMAGES
            dataset_config: Option<PathBuf> => value_name: "FILE";
            /// Repeats per epoch for folders without a number in their names [default: 1]
            dataset_repeats: u64 = 1 => value_name: "N";
            /// Regularization images: a folder, or a folder of `N_class words` folders
            reg_data_dir: Vec<PathBuf> => value_name: "DIR";
            /// Loss weight of regularization images [default: 1]
            prior_loss_weight: f64 = 1.0 => value_name: "X";
            /// Use aspect-ratio buckets: several sizes with about the area of {train.resolution}
            enable_bucket: bool;
            /// Never enlarge images: use buckets of their own sizes
            bucket_no_upscale: bool;
            /// Smallest bucket side in pixels [default: 256, or half the shorter side of a smaller
            /// {train.resolution}]
            min_bucket_reso: Option<usize> => value_name: "N";
            /// Largest bucket side in pixels [default: 1024]
            max_bucket_reso: Option<usize> => value_name: "N";
            /// Step between bucket sides in pixels [default: 64; less on bases for small images]
            bucket_reso_steps: Option<usize> => value_name: "N";
            /// Resize filter: area, lanczos, box, nearest, bilinear or bicubic [default: area to
            /// shrink, lanczos to enlarge]
            resize_interpolation: Option<String> => value_name: "NAME";
            /// Mirror images at random; not for asymmetric faces
            flip_aug: bool;
            /// Change hue or brightness at random
            color_aug: bool;
            /// Crop at a random position instead of the center
            random_crop: bool;
            /// Crop around the face of images named `..._cx_cy_w_h`, so that the face fills between
            /// LOW and HIGH of the crop
            face_crop_aug_range: Option<(f64, f64)> => value_name: "LOW,HIGH";
            /// Use each image's alpha channel as its loss mask
            alpha_mask: bool;
            /// Folder of loss masks with the same file names: white counts fully, black not at all
            masks: Option<PathBuf> => value_name: "DIR";
            /// Folder for cached latents, shared between runs [default: the run's own folder]
            latent_cache: Option<PathBuf> => value_name: "DIR";
            /// Use the latents that kohya's trainer cached beside the images (.npz) where their
            /// sizes match
            kohya_latents: bool;
        }
        "Captions" RARE {
            /// Text before every caption from a file
            caption_prefix: Option<String> => value_name: "TEXT";
            /// Text after every caption from a file
            caption_suffix: Option<String> => value_name: "TEXT";
            /// Shuffle the tags of captions
            shuffle_caption: bool;
            /// Number of leading tags that are not shuffled
            keep_tokens: usize => value_name: "N";
            /// Separator between the tags that stay and those that are shuffled
            keep_tokens_separator: Option<String> => value_name: "TEXT";
            /// Separator between tags [default: ,]
            caption_separator: String = ",".into() => value_name: "TEXT";
            /// Separator inside groups of tags that stay together; replaced by the first separator
            /// at the end
            secondary_separator: Option<String> => value_name: "TEXT";
            /// Use a random line of each caption file, and a random choice of each {a|b|c}
            enable_wildcard: bool;
            /// Probability of an empty caption, 0 to 1
            caption_dropout_rate: f64 => value_name: "X", min: 0.0, max: 1.0;
            /// Use empty captions in every Nth epoch
            caption_dropout_every_n_epochs: u32 => value_name: "N";
            /// Probability that a tag is left out, 0 to 1
            caption_tag_dropout_rate: f64 => value_name: "X", min: 0.0, max: 1.0;
            /// Number of tags that captions start with [default: 1]
            token_warmup_min: usize = 1 => value_name: "N";
            /// Steps until captions have all their tags; below 1 a share of all steps
            token_warmup_step: f64 => value_name: "N";
        }
        "Training" COMMON {
            /// Batch size
            batch: usize = 1 => value_name: "N", min: 1.0;
            /// Gradient accumulation steps
            accumulate: usize = 1 => value_name: "N", min: 1.0;
            /// Number of training steps [default: 1000]
            steps: Option<usize> => value_name: "N", min: 1.0, conflicts: &["epochs"],
                silences: |_| &["epochs"];
            /// Number of passes over all images with their repeats, instead of {train.steps}
            epochs: Option<usize> => value_name: "N", min: 1.0, silences: |_| &["steps"];
            /// Training recipe
            recipe: Recipe => value_name: "KIND";
            /// Samples to learn from in all: a step of {train.batch} 4 takes four [default: 1000]
            budget: Option<usize> => value_name: "N", min: 50.0;
            /// Learning rate [default: 1e-3 on Stable Diffusion 1.5, scaled to the token vectors of
            /// other bases]
            learning_rate: Option<String> => flag: "lr", value_name: "RATE", silences: silenced_by_rates;
            /// Learning-rate schedule after the warm-up: `constant`, `linear` (decays to zero),
            /// `cosine` (decays along a half cosine), … [default: cosine]
            scheduler: Option<String> => value_name: "NAME";
            /// Warm-up steps, during which the learning rate rises from zero: a number, or a share
            /// such as 10%
            warmup: String = "0".into() => value_name: "N|%";
            /// Optimizer; `wayword optimizers` lists them
            optimizer: String = "AdamW".into() => value_name: "NAME";
            /// Maximum norm of the vectors' gradient; 0: no clipping
            max_grad_norm: f64 = 1.0 => value_name: "X", min: 0.0;
            /// Random seed [default: random, and recorded]
            seed: Option<u64> => value_name: "N";
        }
        "Training" RARE {
            /// Weight decay [default: the optimizer's own; 0.01 for AdamW]
            weight_decay: Option<f64> => value_name: "X", min: 0.0;
            /// Reproduce kohya's arithmetic exactly where ours differs; docs/training.md lists the
            /// differences
            kohya_numbers: bool;
            /// Class of torch.optim.lr_scheduler to use instead of {train.scheduler}
            lr_scheduler_type: Option<String> => value_name: "CLASS";
            /// Arguments of the learning-rate schedule
            lr_scheduler_args: Vec<String> => value_name: "K=V", many: true;
            /// Number of cosine cycles [default: 1]
            lr_scheduler_num_cycles: Option<f64> => value_name: "N";
            /// Exponent of the polynomial schedule [default: 1]
            lr_scheduler_power: Option<f64> => value_name: "X";
            /// Minimum share of the learning rate
            lr_scheduler_min_lr_ratio: Option<f64> => value_name: "X";
            /// Time scale of inverse_sqrt [default: the warm-up]
            lr_scheduler_timescale: Option<u64> => value_name: "N";
            /// Decay steps of warmup_stable_decay
            lr_decay_steps: String = "0".into() => value_name: "N|%";
            /// Arguments of the optimizer, such as betas=0.9,0.99
            optimizer_args: Vec<String> => value_name: "K=V", many: true;
            /// Maximum caption length in tokens: 75, 150 or 225 [default: 75]
            max_token_length: usize = 75 => value_name: "N";
            /// With {train.kohya_numbers}: the precision to which timesteps are rounded
            mixed_precision: MixedPrecision => value_name: "KIND";
        }
        "Loss and noise" RARE {
            /// Loss function: l2, l1, huber or smooth_l1 [default: l2]
            loss: String = "l2".into() => value_name: "KIND";
            /// How the threshold of huber and smooth_l1 depends on the timestep: snr, exponential
            /// or constant [default: snr]
            huber_schedule: String = "snr".into() => value_name: "NAME";
            /// Threshold of huber and smooth_l1 [default: 0.1]
            huber_c: f64 = 0.1 => value_name: "X";
            /// Factor on the threshold [default: 1]
            huber_scale: f64 = 1.0 => value_name: "X";
            /// Min-SNR weighting: weights timesteps with little noise less; 5 is usual
            min_snr_gamma: Option<f64> => value_name: "X";
            /// Weight timesteps with much noise more
            debiased_estimation_loss: bool;
            /// On v-prediction bases: weight the loss as for noise prediction
            scale_v_pred_loss_like_noise_pred: bool;
            /// On noise-prediction bases: add this share of the v loss
            v_pred_like_loss: Option<f64> => value_name: "X";
            /// Noise offset, for darker and brighter images; 0.05 is usual
            noise_offset: f64 => value_name: "X";
            /// Draw the strength of the noise offset between 0 and its value
            noise_offset_random_strength: bool;
            /// Add this times the mean of the latents to the noise offset
            adaptive_noise_scale: Option<f64> => value_name: "X";
            /// Multi-resolution noise: maximum number of coarser noise maps to add; 6 is usual
            multires_noise_iterations: u32 => value_name: "N";
            /// Strength of each noise map relative to the previous one [default: 0.3]
            multires_noise_discount: f64 = 0.3 => value_name: "X";
            /// Input perturbation: extra noise in the input that is not predicted; 0.1 is usual
            ip_noise_gamma: f64 => value_name: "X";
            /// Draw the strength of the input perturbation between 0 and its value
            ip_noise_gamma_random_strength: bool;
            /// Lowest timestep to train [default: 0]
            min_timestep: Option<usize> => value_name: "N";
            /// Train timesteps below this [default: 1000]
            max_timestep: Option<usize> => value_name: "N";
            /// Make the last timestep pure noise; for v-prediction bases
            zero_terminal_snr: bool;
        }
        "Model" COMMON {
            /// Text encoder layer to use, counted from the last; 1 is the last [default: 1]
            clip_skip: Option<usize> => value_name: "N", min: 1.0;
        }
        "Model" RARE {
            /// Train on top of this LoRA: its name or file, and its weight; may be repeated. The
            /// embedding is then meant to be used with it
            lora: Vec<String> => value_name: "NAME:WEIGHT";
            /// Folder of LoRA files for {train.lora}; may be repeated
            loras: Vec<PathBuf> => value_name: "DIR";
        }
        "Output" COMMON {
            /// Save a file every N steps; 0: only the last
            save_every: usize = 200 => value_name: "N";
            /// Output folder for the embedding's files
            out: PathBuf = PathBuf::from(".") => value_name: "DIR";
        }
        "Output" RARE {
            /// At the end, choose the best step as `wayword pick` does and write it as
            /// NAME.safetensors; the last step stays as NAME-last.safetensors. Without
            /// {train.steps}, {train.recipe} fast does so anyway
            pick: bool;
            /// Keep the last step as NAME.safetensors, whatever {train.recipe} says
            no_pick: bool;
            /// Also save a file every N epochs
            save_every_epochs: usize => value_name: "N";
            /// Save about this many files in total, at ends of epochs
            save_n_epoch_ratio: Option<u64> => value_name: "N";
            /// Delete step files that are more than N steps old
            keep_last_steps: usize => value_name: "N";
            /// Keep the files of the last N epochs
            keep_last_epochs: usize => value_name: "N";
            /// File format of the embedding
            save_format: SaveFormat => value_name: "KIND";
            /// Data type of the values in the file
            save_precision: SavePrecision => value_name: "KIND";
            /// Title in the metadata [default: the name]
            metadata_title: Option<String> => value_name: "TEXT";
            /// Author in the metadata
            metadata_author: Option<String> => value_name: "TEXT";
            /// Description in the metadata
            metadata_description: Option<String> => value_name: "TEXT";
            /// License in the metadata
            metadata_license: Option<String> => value_name: "TEXT";
            /// Tags in the metadata
            metadata_tags: Option<String> => value_name: "TEXT";
            /// Usage hint in the metadata
            metadata_usage_hint: Option<String> => value_name: "TEXT";
            /// Trigger phrase in the metadata [default: the name]
            metadata_trigger_phrase: Option<String> => value_name: "TEXT";
            /// Thumbnail in the metadata: an image file, or a `data:` URL
            metadata_thumbnail: Option<String> => value_name: "FILE|URL";
            /// Source of a merge in the metadata
            metadata_merged_from: Option<String> => value_name: "TEXT";
            /// Preprocessor in the metadata
            metadata_preprocessor: Option<String> => value_name: "TEXT";
            /// Whether it is for negative prompts, in the metadata: True or False
            metadata_is_negative_embedding: Option<String> => value_name: "TEXT";
            /// Comment in the metadata, under kohya's key ss_training_comment
            training_comment: Option<String> => value_name: "TEXT";
        }
        "Previews" RARE {
            /// Draw previews every N steps, into DIR/NAME.run/samples
            sample_every: usize => value_name: "N";
            /// Draw previews every N epochs
            sample_every_epochs: usize => value_name: "N";
            /// Draw previews before the first step
            sample_at_first: bool;
            /// Preview prompts: a file with one prompt per line, such as `photo of NAME --n blurry
            /// --w 512 --h 512 --d 1 --l 7 --s 20`, a .toml or .json of kohya's, or one prompt
            /// [default: photo of NAME]
            sample_prompts: Option<String> => value_name: "FILE|TEXT";
            /// Sampler of previews [default: DPM++ 2M]
            sample_sampler: Option<String> => value_name: "NAME";
            /// Sampling steps of previews whose prompt gives none [default: 20; 30 with
            /// {train.kohya}]
            sample_steps: u32 = 20 => value_name: "N";
            /// CFG scale of previews whose prompt gives none [default: 7; 7.5 with {train.kohya}]
            sample_cfg: f64 = 7.0 => value_name: "X";
        }
    }
}

options! {
    /// A word of several: its table in a file of options.
    pub struct WordOptions("train.word") {
        "" COMMON {
            /// Name of the word and of its file
            name: String => value_name: "NAME", need: Need::Always;
            /// What stands for it in captions [default: its name]
            token: Option<String> => value_name: "TOKEN";
            /// Words to start from, or an embedding file
            init: Option<String> => value_name: "WORDS|FILE";
            /// Its vectors [default: 1]
            vectors: Option<usize> => value_name: "N";
            /// Its learning rate [default: that of all]
            lr: Option<f64> => value_name: "RATE", aliases: &["learning_rate"];
        }
    }
}

/// A list of rates says how the rate goes on, and how long the run is if it has an end.
fn silenced_by_rates(rate: &serde_json::Value) -> &'static [&'static str] {
    let list = rate.as_str().filter(|rate| rate.contains(':'));
    match list.and_then(|rate| rate.parse::<RateList>().ok()) {
        Some(list) if list.end().is_some() => &["scheduler", "warmup", "steps", "epochs"],
        Some(_) => &["scheduler", "warmup"],
        None => &[],
    }
}

choices! {
    /// The precision of kohya's run, to whose noise levels its own are rounded.
    pub enum MixedPrecision {
        /// 32 bits
        No = "no",
        /// Half precision
        Fp16 = "fp16",
        /// The upper halves of 32-bit floats
        Bf16 = "bf16",
    }
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

impl TrainOptions {
    /// Options of pictures, `resolution` for those that name none. Bucket sides are kohya's on
    /// bases of 512 x 512; smaller bases have smaller ones.
    pub(super) fn picture_options(&self, (width, height): (u32, u32)) -> PictureOptions {
        let whole = |n: usize| Some(n as u64);
        let (short, long) = (width.min(height) as usize, width.max(height) as usize);
        let side = (short / 4 / 8 * 8).clamp(8, 64);
        PictureOptions {
            batch_size: whole(self.batch),
            resolution: Some(Resolution::Sides(width.into(), height.into())),
            enable_bucket: Some(self.enable_bucket),
            bucket_no_upscale: Some(self.bucket_no_upscale),
            min_bucket_reso: whole(self.min_bucket_reso.unwrap_or(256.min(short / 2))),
            max_bucket_reso: whole(self.max_bucket_reso.unwrap_or(1024.max(long))),
            bucket_reso_steps: whole(self.bucket_reso_steps.unwrap_or(side)),
            resize_interpolation: self.resize_interpolation.clone(),
            num_repeats: Some(self.dataset_repeats),
            caption_extension: self.caption_ext.clone(),
            flip_aug: Some(self.flip_aug),
            color_aug: Some(self.color_aug),
            random_crop: Some(self.random_crop),
            face_crop_aug_range: self.face_crop_aug_range,
            caption_prefix: self.caption_prefix.clone(),
            caption_suffix: self.caption_suffix.clone(),
            shuffle_caption: Some(self.shuffle_caption),
            keep_tokens: whole(self.keep_tokens),
            keep_tokens_separator: self.keep_tokens_separator.clone(),
            caption_separator: Some(self.caption_separator.clone()),
            secondary_separator: self.secondary_separator.clone(),
            enable_wildcard: Some(self.enable_wildcard),
            caption_dropout_rate: Some(self.caption_dropout_rate),
            caption_dropout_every_n_epochs: Some(self.caption_dropout_every_n_epochs.into()),
            caption_tag_dropout_rate: Some(self.caption_tag_dropout_rate),
            token_warmup_min: whole(self.token_warmup_min),
            token_warmup_step: Some(self.token_warmup_step),
            ..PictureOptions::default()
        }
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
