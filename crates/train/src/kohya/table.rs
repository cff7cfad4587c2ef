//! The options of kohya's textual-inversion script, and which of ours each is.

/// What becomes of an option.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// One value.
    Text(&'static str),
    /// Several values.
    List(&'static str),
    /// On or off.
    Switch(&'static str),
    /// Depends on other options.
    Special,
    /// Without effect here, and why.
    No(&'static str),
}

use Meaning::{List, No, Special, Switch, Text};

/// Every key that the script or its GUI's file of a run may hold.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    let ignored = IGNORED.iter().flat_map(|(_, keys)| keys.split_whitespace());
    OPTIONS.iter().map(|(key, _)| *key).chain(ignored)
}

/// What a key means, if it is known.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    let option = OPTIONS.iter().find(|(known, _)| *known == key).map(|(_, meaning)| *meaning);
    let ignored = || {
        let holds = |keys: &&str| keys.split_whitespace().any(|known| known == key);
        IGNORED.iter().find(|(_, keys)| holds(keys)).map(|(why, _)| No(why))
    };
    option.or_else(ignored)
}

/// Numbers that are off at 0 in the script, and would be refused as 0 here.
pub(super) const OFF_AT_ZERO: &[&str] = &[
    "min_snr_gamma",
    "v_pred_like_loss",
    "adaptive_noise_scale",
    "clip_skip",
    "save_n_epoch_ratio",
];

const OPTIONS: &[(&str, Meaning)] = &[
    // The word.
    ("token_string", Text("token")),
    ("output_name", Text("name")),
    ("num_vectors_per_token", Text("vectors")),
    ("init_word", Special),
    ("weights", Special),
    ("use_object_template", Special),
    ("use_style_template", Special),
    // The model.
    ("pretrained_model_name_or_path", Special),
    ("vae", Text("vae")),
    ("v_parameterization", Special),
    ("clip_skip", Text("clip_skip")),
    ("max_token_length", Text("max_token_length")),
    // Pictures and captions.
    ("train_data_dir", Special),
    ("reg_data_dir", Text("reg_data_dir")),
    ("dataset_config", Text("dataset_config")),
    ("in_json", Text("in_json")),
    ("dataset_repeats", Text("dataset_repeats")),
    ("prior_loss_weight", Text("prior_loss_weight")),
    ("resolution", Text("resolution")),
    ("enable_bucket", Switch("enable_bucket")),
    ("bucket_no_upscale", Switch("bucket_no_upscale")),
    ("min_bucket_reso", Text("min_bucket_reso")),
    ("max_bucket_reso", Text("max_bucket_reso")),
    ("bucket_reso_steps", Text("bucket_reso_steps")),
    ("resize_interpolation", Text("resize_interpolation")),
    ("flip_aug", Switch("flip_aug")),
    ("color_aug", Switch("color_aug")),
    ("random_crop", Switch("random_crop")),
    ("face_crop_aug_range", Text("face_crop_aug_range")),
    ("alpha_mask", Switch("alpha_mask")),
    ("conditioning_data_dir", Text("masks")),
    ("caption_extension", Text("caption_ext")),
    ("caption_extention", Text("caption_ext")),
    ("caption_prefix", Text("caption_prefix")),
    ("caption_suffix", Text("caption_suffix")),
    ("shuffle_caption", Switch("shuffle_caption")),
    ("caption_separator", Text("caption_separator")),
    ("secondary_separator", Text("secondary_separator")),
    ("keep_tokens", Text("keep_tokens")),
    ("keep_tokens_separator", Text("keep_tokens_separator")),
    ("enable_wildcard", Switch("enable_wildcard")),
    ("token_warmup_min", Text("token_warmup_min")),
    ("token_warmup_step", Text("token_warmup_step")),
    ("caption_dropout_rate", Text("caption_dropout_rate")),
    ("caption_dropout_every_n_epochs", Text("caption_dropout_every_n_epochs")),
    ("caption_tag_dropout_rate", Text("caption_tag_dropout_rate")),
    // Training.
    ("train_batch_size", Text("batch")),
    ("gradient_accumulation_steps", Text("accumulate")),
    ("max_train_steps", Special),
    ("max_train_epochs", Special),
    ("learning_rate", Text("learning_rate")),
    ("lr_scheduler", Text("scheduler")),
    ("lr_warmup_steps", Text("warmup")),
    ("lr_decay_steps", Text("lr_decay_steps")),
    ("lr_scheduler_num_cycles", Text("lr_scheduler_num_cycles")),
    ("lr_scheduler_power", Text("lr_scheduler_power")),
    ("lr_scheduler_min_lr_ratio", Text("lr_scheduler_min_lr_ratio")),
    ("lr_scheduler_timescale", Text("lr_scheduler_timescale")),
    ("lr_scheduler_type", Text("lr_scheduler_type")),
    ("lr_scheduler_args", List("lr_scheduler_args")),
    ("optimizer_type", Text("optimizer")),
    ("optimizer_args", List("optimizer_args")),
    ("use_8bit_adam", Special),
    ("use_lion_optimizer", Special),
    ("max_grad_norm", Text("max_grad_norm")),
    ("seed", Text("seed")),
    ("mixed_precision", Special),
    // Loss and noise.
    ("loss_type", Text("loss")),
    ("huber_schedule", Text("huber_schedule")),
    ("huber_c", Text("huber_c")),
    ("huber_scale", Text("huber_scale")),
    ("min_snr_gamma", Text("min_snr_gamma")),
    ("scale_v_pred_loss_like_noise_pred", Switch("scale_v_pred_loss_like_noise_pred")),
    ("v_pred_like_loss", Text("v_pred_like_loss")),
    ("debiased_estimation_loss", Switch("debiased_estimation_loss")),
    ("noise_offset", Text("noise_offset")),
    ("noise_offset_random_strength", Switch("noise_offset_random_strength")),
    ("adaptive_noise_scale", Text("adaptive_noise_scale")),
    ("multires_noise_iterations", Text("multires_noise_iterations")),
    ("multires_noise_discount", Text("multires_noise_discount")),
    ("ip_noise_gamma", Text("ip_noise_gamma")),
    ("ip_noise_gamma_random_strength", Switch("ip_noise_gamma_random_strength")),
    ("min_timestep", Text("min_timestep")),
    ("max_timestep", Text("max_timestep")),
    ("zero_terminal_snr", Switch("zero_terminal_snr")),
    // Files.
    ("output_dir", Text("out")),
    ("save_model_as", Text("save_format")),
    ("save_precision", Text("save_precision")),
    ("save_every_n_steps", Text("save_every")),
    ("save_every_n_epochs", Text("save_every_epochs")),
    ("save_n_epoch_ratio", Text("save_n_epoch_ratio")),
    ("save_last_n_steps", Special),
    ("save_last_n_epochs", Special),
    ("metadata_title", Text("metadata_title")),
    ("metadata_author", Text("metadata_author")),
    ("metadata_description", Text("metadata_description")),
    ("metadata_license", Text("metadata_license")),
    ("metadata_tags", Text("metadata_tags")),
    ("metadata_usage_hint", Text("metadata_usage_hint")),
    ("metadata_thumbnail", Text("metadata_thumbnail")),
    ("metadata_merged_from", Text("metadata_merged_from")),
    ("metadata_trigger_phrase", Text("metadata_trigger_phrase")),
    ("metadata_preprocessor", Text("metadata_preprocessor")),
    ("metadata_is_negative_embedding", Text("metadata_is_negative_embedding")),
    ("training_comment", Text("training_comment")),
    // Previews.
    ("sample_every_n_steps", Special),
    ("sample_every_n_epochs", Text("sample_every_epochs")),
    ("sample_prompts", Text("sample_prompts")),
    ("sample_sampler", Text("sample_sampler")),
    ("sample_at_first", Switch("sample_at_first")),
];

/// Options that depend on others in a file, and what they are on their own.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("pretrained_model_name_or_path", "base"),
    ("train_data_dir", "images"),
    ("init_word", "init"),
    ("weights", "init"),
    ("max_train_steps", "steps"),
    ("max_train_epochs", "epochs"),
    ("sample_every_n_steps", "sample_every"),
];

/// Keys that change nothing here, by reason.
const IGNORED: &[(&str, &str)] = &[
    (
        "latents are made once and kept by themselves",
        "cache_latents cache_latents_to_disk skip_cache_check vae_batch_size cache_info",
    ),
    (
        "images need no separate loaders here",
        "max_data_loader_n_workers persistent_data_loader_workers",
    ),
    (
        "attention and memory need no choice here; the numbers are the same",
        "xformers mem_eff_attn sdpa gradient_checkpointing lowram highvram full_fp16 full_bf16 fp8_base fp8_base_unet no_half_vae blocks_to_swap fused_backward_pass torch_compile dynamo_backend deepspeed disable_mmap_load_safetensors",
    ),
    (
        "there is one process on one machine",
        "num_processes num_machines num_cpu_threads_per_process multi_gpu gpu_ids main_process_port dynamo_mode dynamo_use_fullgraph dynamo_use_dynamic extra_accelerate_launch_args ddp_timeout ddp_gradient_as_bucket_view ddp_static_graph zero_stage offload_optimizer_device offload_optimizer_nvme_path offload_param_device offload_param_nvme_path zero3_init_flag zero3_save_16bit_model fp16_master_weights_and_gradients",
    ),
    ("the checkpoint itself says which kind it is", "v2 sdxl"),
    ("the tokenizer is part of the program, and nothing is downloaded", "tokenizer_cache_dir"),
    (
        "nothing is uploaded",
        "huggingface_repo_id huggingface_token huggingface_repo_type huggingface_repo_visibility huggingface_path_in_repo save_state_to_huggingface resume_from_huggingface async_upload",
    ),
    (
        "the run's folder NAME.run holds plan, log and TensorBoard's curves",
        "logging_dir log_with log_prefix log_tracker_name log_tracker_config wandb_run_name wandb_api_key log_config output_config console_log_level console_log_file console_log_simple",
    ),
    (
        "a run is always kept so that {train.resume} DIR/NAME.run goes on with it exactly",
        "save_state save_state_on_train_end save_last_n_steps_state save_last_n_epochs_state initial_epoch initial_step skip_until_initial_step",
    ),
    (
        "kohya's state folders cannot be continued (kohya itself counts from 0 again); give the embedding's file as {train.init}",
        "resume",
    ),
    (
        "kohya's textual inversion ignores it too",
        "no_token_padding weighted_captions epoch noise_offset_type",
    ),
    ("its options were read before these", "config_file"),
    (
        "masks count wherever there are some: {train.masks}, {train.alpha_mask}, or the dataset file's",
        "masked_loss",
    ),
    ("data sets made by Python code cannot be run", "dataset_class"),
    ("for looking at data in kohya's trainer", "debug_dataset show_timesteps"),
    (
        "there is no validation",
        "validation_split validation_seed validate_every_n_steps validate_every_n_epochs max_validation_steps",
    ),
];
