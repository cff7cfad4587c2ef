//! `wayword train`: the flags that few need. They are shown by --help, not by -h.
use clap::Args;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use wayword_train::checkpoint::{SaveFormat, SavePrecision};
use wayword_train::plan::{MixedPrecision, TrainOptions};

/// What is left out stays as it is in the options below.
#[derive(Debug, Clone, Default, Args)]
pub struct More {
    /// Captions and tags of all pictures in one file, kohya's metadata `.json` or `.jsonl`; IMAGES
    /// is the folder that its keys count from
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = "Pictures")]
    pub in_json: Option<PathBuf>,

    /// A dataset file of kohya's scripts, TOML or JSON, instead of IMAGES
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = "Pictures")]
    pub dataset_config: Option<PathBuf>,

    /// How often pictures of folders without a number in their names are seen in an epoch [default:
    /// 1]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Pictures")]
    pub dataset_repeats: Option<u64>,

    /// Regularisation pictures: a folder, or a folder of folders `N_class words`
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = "Pictures")]
    pub reg_data_dir: Vec<PathBuf>,

    /// What the loss of regularisation pictures counts [default: 1]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Pictures")]
    pub prior_loss_weight: Option<f64>,

    /// Sizes of about the area of --resolution that fit each picture, instead of one size
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub enable_bucket: bool,

    /// Buckets of the pictures' own sizes, which never enlarge
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub bucket_no_upscale: bool,

    /// Smallest side of a bucket [default: 256, or half of a smaller side of --resolution]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Pictures")]
    pub min_bucket_reso: Option<usize>,

    /// Largest side of a bucket [default: 1024]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Pictures")]
    pub max_bucket_reso: Option<usize>,

    /// Step of buckets' sides [default: 64; less on bases of small pictures]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Pictures")]
    pub bucket_reso_steps: Option<usize>,

    /// How pictures are resized: area, lanczos, box, nearest, bilinear, bicubic [default: area to
    /// shrink, lanczos to enlarge]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = "Pictures")]
    pub resize_interpolation: Option<String>,

    /// Mirror a picture every other time; not for faces that are not symmetric
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub flip_aug: bool,

    /// Change hue or brightness a little every third time
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub color_aug: bool,

    /// Crop at another place each time instead of the middle
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub random_crop: bool,

    /// Crop around the face of pictures called `..._cx_cy_w_h`, so that it fills between LOW and
    /// HIGH of the crop
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair, hide_short_help = true, help_heading = "Pictures")]
    pub face_crop_aug_range: Option<(f64, f64)>,

    /// The alpha channel says how much each place counts
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub alpha_mask: bool,

    /// Pictures of the same names that say how much each place counts: white in full, black not
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = "Pictures")]
    pub masks: Option<PathBuf>,

    /// Folder that keeps latents for other runs [default: the run's own folder]
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = "Pictures")]
    pub latent_cache: Option<PathBuf>,

    /// Use latents that kohya's trainer left beside the pictures (.npz) where their sizes fit
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub kohya_latents: bool,

    /// Put before every caption of a file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Captions")]
    pub caption_prefix: Option<String>,

    /// Put behind every caption of a file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Captions")]
    pub caption_suffix: Option<String>,

    /// Tags in another order each time
    #[arg(long, hide_short_help = true, help_heading = "Captions")]
    pub shuffle_caption: bool,

    /// Tags at the front that stay where they are
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Captions")]
    pub keep_tokens: Option<usize>,

    /// What divides tags that stay from those that are shuffled
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Captions")]
    pub keep_tokens_separator: Option<String>,

    /// What divides tags [default: ,]
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Captions")]
    pub caption_separator: Option<String>,

    /// Divides tags that stay together; becomes the separator at last
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Captions")]
    pub secondary_separator: Option<String>,

    /// Draw one line of a caption file, and one of each {a|b|c}
    #[arg(long, hide_short_help = true, help_heading = "Captions")]
    pub enable_wildcard: bool,

    /// How often a caption is left empty, 0 to 1
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Captions")]
    pub caption_dropout_rate: Option<f64>,

    /// Leave captions empty in every Nth epoch
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Captions")]
    pub caption_dropout_every_n_epochs: Option<u32>,

    /// How often a tag is left out, 0 to 1
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Captions")]
    pub caption_tag_dropout_rate: Option<f64>,

    /// Tags with which a caption begins to grow [default: 1]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Captions")]
    pub token_warmup_min: Option<usize>,

    /// Steps over which captions grow to all their tags; below 1 a share of all
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Captions")]
    pub token_warmup_step: Option<f64>,

    /// A class of torch.optim.lr_scheduler instead of --scheduler
    #[arg(long, value_name = "CLASS", hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_type: Option<String>,

    /// Arguments of the scheduler
    #[arg(long, value_name = "K=V", num_args = 1.., hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_args: Vec<String>,

    /// Cycles of a cosine scheduler [default: 1]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_num_cycles: Option<f64>,

    /// Exponent of the polynomial scheduler [default: 1]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_power: Option<f64>,

    /// The least share of the learning rate
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_min_lr_ratio: Option<f64>,

    /// Time scale of inverse_sqrt [default: the warm-up]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Training")]
    pub lr_scheduler_timescale: Option<u64>,

    /// Steps over which warmup_stable_decay falls
    #[arg(long, value_name = "N|%", hide_short_help = true, help_heading = "Training")]
    pub lr_decay_steps: Option<String>,

    /// Arguments of the optimiser, such as betas=0.9,0.99
    #[arg(long, value_name = "K=V", num_args = 1.., hide_short_help = true, help_heading = "Training")]
    pub optimizer_args: Vec<String>,

    /// Tokens of a caption: 75, 150 or 225 [default: 75]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Training")]
    pub max_token_length: Option<usize>,

    /// no, fp16 or bf16: with --kohya-numbers, what noise levels are rounded to [default: no]
    #[arg(long, value_name = "KIND", value_parser = named::<MixedPrecision>, hide_short_help = true, help_heading = "Training")]
    pub mixed_precision: Option<MixedPrecision>,

    /// l2, l1, huber or smooth_l1 [default: l2]
    #[arg(long, value_name = "KIND", hide_short_help = true, help_heading = "Loss and noise")]
    pub loss: Option<String>,

    /// How the threshold of huber and smooth_l1 follows the noise level: snr, exponential or
    /// constant [default: snr]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = "Loss and noise")]
    pub huber_schedule: Option<String>,

    /// That threshold [default: 0.1]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub huber_c: Option<f64>,

    /// A factor on it [default: 1]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub huber_scale: Option<f64>,

    /// Noise levels of little noise count less; 5 is usual
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub min_snr_gamma: Option<f64>,

    /// Noise levels of much noise count more
    #[arg(long, hide_short_help = true, help_heading = "Loss and noise")]
    pub debiased_estimation_loss: bool,

    /// On bases that predict v: weights as of those that predict the noise
    #[arg(long, hide_short_help = true, help_heading = "Loss and noise")]
    pub scale_v_pred_loss_like_noise_pred: bool,

    /// On bases that predict the noise: add this share of the loss of v
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub v_pred_like_loss: Option<f64>,

    /// Noise that is the same at all places, for darker and brighter pictures; 0.05 is usual
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub noise_offset: Option<f64>,

    /// Its strength is drawn between 0 and that
    #[arg(long, hide_short_help = true, help_heading = "Loss and noise")]
    pub noise_offset_random_strength: bool,

    /// Added to the noise offset: this times the mean of the latents
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "X",
        hide_short_help = true,
        help_heading = "Loss and noise"
    )]
    pub adaptive_noise_scale: Option<f64>,

    /// Coarser and coarser noise that is added, at most N maps; 6 is usual
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Loss and noise")]
    pub multires_noise_iterations: Option<u32>,

    /// Strength of each map over that of the one before [default: 0.3]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub multires_noise_discount: Option<f64>,

    /// Noise in the input that the model need not predict; 0.1 is usual
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Loss and noise")]
    pub ip_noise_gamma: Option<f64>,

    /// Its strength is drawn between 0 and that
    #[arg(long, hide_short_help = true, help_heading = "Loss and noise")]
    pub ip_noise_gamma_random_strength: bool,

    /// Lowest noise level that is trained [default: 0]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Loss and noise")]
    pub min_timestep: Option<usize>,

    /// Noise levels below this are trained [default: 1000]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Loss and noise")]
    pub max_timestep: Option<usize>,

    /// The last noise level is pure noise; for bases that predict v
    #[arg(long, hide_short_help = true, help_heading = "Loss and noise")]
    pub zero_terminal_snr: bool,

    /// A file every N epochs, too
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub save_every_epochs: Option<usize>,

    /// About this many files of epochs, instead of one every N
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub save_n_epoch_ratio: Option<u64>,

    /// Remove step files that are more than N steps old
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub keep_last_steps: Option<usize>,

    /// Keep the files of N epochs
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub keep_last_epochs: Option<usize>,

    /// safetensors, pt or ckpt [default: safetensors]
    #[arg(long, value_name = "KIND", value_parser = named::<SaveFormat>, hide_short_help = true, help_heading = "Output")]
    pub save_format: Option<SaveFormat>,

    /// float, fp16 or bf16 [default: float]
    #[arg(long, value_name = "KIND", value_parser = named::<SavePrecision>, hide_short_help = true, help_heading = "Output")]
    pub save_precision: Option<SavePrecision>,

    /// Previews every N steps: pictures with the word as it is, in DIR/NAME.run/samples
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Previews")]
    pub sample_every: Option<usize>,

    /// Previews after every Nth epoch
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Previews")]
    pub sample_every_epochs: Option<usize>,

    /// Previews before the first step, too
    #[arg(long, hide_short_help = true, help_heading = "Previews")]
    pub sample_at_first: bool,

    /// What they show: a file with a prompt a line, as in `photo of NAME --n blurry --w 512 --h 512
    /// --d 1 --l 7 --s 20`, a .toml or .json of kohya's, or a prompt [default: photo of NAME]
    #[arg(long, value_name = "FILE|TEXT", hide_short_help = true, help_heading = "Previews")]
    pub sample_prompts: Option<String>,

    /// Their sampler [default: DPM++ 2M]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = "Previews")]
    pub sample_sampler: Option<String>,

    /// Their steps, where a prompt says none [default: 20, with --kohya 30]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Previews")]
    pub sample_steps: Option<u32>,

    /// How strongly they follow the prompt, where it does not say it [default: 7, with --kohya 7.5]
    #[arg(long, value_name = "X", hide_short_help = true, help_heading = "Previews")]
    pub sample_cfg: Option<f64>,

    /// Title in the file [default: the name]
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_title: Option<String>,

    /// Author in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_author: Option<String>,

    /// Description in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_description: Option<String>,

    /// Licence in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_license: Option<String>,

    /// Tags in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_tags: Option<String>,

    /// Hint for users in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_usage_hint: Option<String>,

    /// What calls it, in the file [default: the name]
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_trigger_phrase: Option<String>,

    /// A small picture in the file: an image file, or a `data:` URL
    #[arg(long, value_name = "FILE|URL", hide_short_help = true, help_heading = "Output")]
    pub metadata_thumbnail: Option<String>,

    /// What it was merged from, in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_merged_from: Option<String>,

    /// How prompts are prepared for it, in the file
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_preprocessor: Option<String>,

    /// Whether it is for negative prompts, in the file: True or False
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub metadata_is_negative_embedding: Option<String>,

    /// A comment in the file, under the key of kohya's LoRA trainer, ss_training_comment
    #[arg(long, value_name = "TEXT", hide_short_help = true, help_heading = "Output")]
    pub training_comment: Option<String>,
}

impl More {
    /// Sets what was given.
    pub fn apply(&self, to: &mut TrainOptions) {
        option(&mut to.in_json, &self.in_json);
        option(&mut to.dataset_config, &self.dataset_config);
        value(&mut to.dataset_repeats, &self.dataset_repeats);
        list(&mut to.reg_data_dir, &self.reg_data_dir);
        value(&mut to.prior_loss_weight, &self.prior_loss_weight);
        to.enable_bucket |= self.enable_bucket;
        to.bucket_no_upscale |= self.bucket_no_upscale;
        option(&mut to.min_bucket_reso, &self.min_bucket_reso);
        option(&mut to.max_bucket_reso, &self.max_bucket_reso);
        option(&mut to.bucket_reso_steps, &self.bucket_reso_steps);
        option(&mut to.resize_interpolation, &self.resize_interpolation);
        to.flip_aug |= self.flip_aug;
        to.color_aug |= self.color_aug;
        to.random_crop |= self.random_crop;
        option(&mut to.face_crop_aug_range, &self.face_crop_aug_range);
        to.alpha_mask |= self.alpha_mask;
        option(&mut to.masks, &self.masks);
        option(&mut to.latent_cache, &self.latent_cache);
        to.kohya_latents |= self.kohya_latents;
        option(&mut to.caption_prefix, &self.caption_prefix);
        option(&mut to.caption_suffix, &self.caption_suffix);
        to.shuffle_caption |= self.shuffle_caption;
        value(&mut to.keep_tokens, &self.keep_tokens);
        option(&mut to.keep_tokens_separator, &self.keep_tokens_separator);
        value(&mut to.caption_separator, &self.caption_separator);
        option(&mut to.secondary_separator, &self.secondary_separator);
        to.enable_wildcard |= self.enable_wildcard;
        value(&mut to.caption_dropout_rate, &self.caption_dropout_rate);
        value(&mut to.caption_dropout_every_n_epochs, &self.caption_dropout_every_n_epochs);
        value(&mut to.caption_tag_dropout_rate, &self.caption_tag_dropout_rate);
        value(&mut to.token_warmup_min, &self.token_warmup_min);
        value(&mut to.token_warmup_step, &self.token_warmup_step);
        option(&mut to.lr_scheduler_type, &self.lr_scheduler_type);
        list(&mut to.lr_scheduler_args, &self.lr_scheduler_args);
        option(&mut to.lr_scheduler_num_cycles, &self.lr_scheduler_num_cycles);
        option(&mut to.lr_scheduler_power, &self.lr_scheduler_power);
        option(&mut to.lr_scheduler_min_lr_ratio, &self.lr_scheduler_min_lr_ratio);
        option(&mut to.lr_scheduler_timescale, &self.lr_scheduler_timescale);
        value(&mut to.lr_decay_steps, &self.lr_decay_steps);
        list(&mut to.optimizer_args, &self.optimizer_args);
        value(&mut to.max_token_length, &self.max_token_length);
        value(&mut to.mixed_precision, &self.mixed_precision);
        value(&mut to.loss, &self.loss);
        value(&mut to.huber_schedule, &self.huber_schedule);
        value(&mut to.huber_c, &self.huber_c);
        value(&mut to.huber_scale, &self.huber_scale);
        option(&mut to.min_snr_gamma, &self.min_snr_gamma);
        to.debiased_estimation_loss |= self.debiased_estimation_loss;
        to.scale_v_pred_loss_like_noise_pred |= self.scale_v_pred_loss_like_noise_pred;
        option(&mut to.v_pred_like_loss, &self.v_pred_like_loss);
        value(&mut to.noise_offset, &self.noise_offset);
        to.noise_offset_random_strength |= self.noise_offset_random_strength;
        option(&mut to.adaptive_noise_scale, &self.adaptive_noise_scale);
        value(&mut to.multires_noise_iterations, &self.multires_noise_iterations);
        value(&mut to.multires_noise_discount, &self.multires_noise_discount);
        value(&mut to.ip_noise_gamma, &self.ip_noise_gamma);
        to.ip_noise_gamma_random_strength |= self.ip_noise_gamma_random_strength;
        option(&mut to.min_timestep, &self.min_timestep);
        option(&mut to.max_timestep, &self.max_timestep);
        to.zero_terminal_snr |= self.zero_terminal_snr;
        value(&mut to.save_every_epochs, &self.save_every_epochs);
        value(&mut to.keep_last_steps, &self.keep_last_steps);
        option(&mut to.save_n_epoch_ratio, &self.save_n_epoch_ratio);
        value(&mut to.keep_last_epochs, &self.keep_last_epochs);
        value(&mut to.save_format, &self.save_format);
        value(&mut to.save_precision, &self.save_precision);
        value(&mut to.sample_every, &self.sample_every);
        value(&mut to.sample_every_epochs, &self.sample_every_epochs);
        to.sample_at_first |= self.sample_at_first;
        option(&mut to.sample_prompts, &self.sample_prompts);
        option(&mut to.sample_sampler, &self.sample_sampler);
        value(&mut to.sample_steps, &self.sample_steps);
        value(&mut to.sample_cfg, &self.sample_cfg);
        option(&mut to.metadata_title, &self.metadata_title);
        option(&mut to.metadata_author, &self.metadata_author);
        option(&mut to.metadata_description, &self.metadata_description);
        option(&mut to.metadata_license, &self.metadata_license);
        option(&mut to.metadata_tags, &self.metadata_tags);
        option(&mut to.metadata_usage_hint, &self.metadata_usage_hint);
        option(&mut to.metadata_trigger_phrase, &self.metadata_trigger_phrase);
        option(&mut to.metadata_thumbnail, &self.metadata_thumbnail);
        option(&mut to.metadata_merged_from, &self.metadata_merged_from);
        option(&mut to.metadata_preprocessor, &self.metadata_preprocessor);
        option(&mut to.metadata_is_negative_embedding, &self.metadata_is_negative_embedding);
        option(&mut to.training_comment, &self.training_comment);
    }
}

fn value<T: Clone>(to: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        to.clone_from(given);
    }
}

fn option<T: Clone>(to: &mut Option<T>, given: &Option<T>) {
    if given.is_some() {
        to.clone_from(given);
    }
}

fn list<T: Clone>(to: &mut Vec<T>, given: &[T]) {
    if !given.is_empty() {
        *to = given.to_vec();
    }
}

/// One of the names that a file of options may have.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.to_lowercase().into()).map_err(|e| e.to_string())
}

/// Two numbers.
fn pair(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split(',').map(|part| part.trim().parse::<f64>());
    match numbers.collect::<Result<Vec<f64>, _>>().as_deref() {
        Ok([low, high]) => Ok((*low, *high)),
        _ => Err("expected two numbers, as in 0.3,0.6".into()),
    }
}
