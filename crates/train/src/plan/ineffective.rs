//! Options that were given and change nothing, because of others.
use super::check::warn;
use super::{MixedPrecision, TrainOptions};
use wayword_interface::Warning;

/// What the user should know; `sentences` are those of a template.
pub(super) fn find(options: &TrainOptions, sentences: Option<&[String]>) -> Vec<Warning> {
    let o = options;
    let buckets = o.enable_bucket || o.dataset_config.is_some();
    let regular = !o.reg_data_dir.is_empty() || o.dataset_config.is_some();
    let epochs = o.save_every_epochs > 0 || o.save_n_epoch_ratio.is_some();
    let offset = o.noise_offset != 0.0;
    let alone = [
        (
            "mixed_precision",
            o.mixed_precision != MixedPrecision::No,
            o.kohya_numbers,
            "kohya_numbers",
        ),
        ("bucket_no_upscale", o.bucket_no_upscale, buckets, "enable_bucket"),
        ("min_bucket_reso", o.min_bucket_reso.is_some(), buckets, "enable_bucket"),
        ("max_bucket_reso", o.max_bucket_reso.is_some(), buckets, "enable_bucket"),
        ("bucket_reso_steps", o.bucket_reso_steps.is_some(), buckets, "enable_bucket"),
        ("prior_loss_weight", o.prior_loss_weight != 1.0, regular, "reg_data_dir"),
        ("noise_offset_random_strength", o.noise_offset_random_strength, offset, "noise_offset"),
        (
            "ip_noise_gamma_random_strength",
            o.ip_noise_gamma_random_strength,
            o.ip_noise_gamma != 0.0,
            "ip_noise_gamma",
        ),
        ("keep_last_steps", o.keep_last_steps > 1, o.save_every > 0, "save_every"),
        ("keep_last_epochs", o.keep_last_epochs > 0, epochs, "save_every_epochs"),
    ];
    let ineffective = alone.into_iter().filter(|(_, given, wanted, _)| *given && !wanted);
    let mut found: Vec<Warning> = ineffective
        .map(|(option, _, _, other)| {
            let text = format!("it changes nothing without {{train.{other}}}");
            let hint = format!("add {{train.{other}}}, or leave it out");
            warn(&text, Some(&hint)).with_field(format!("train.{option}"))
        })
        .collect();
    let faces = o.face_crop_aug_range.is_some() && o.enable_bucket;
    if faces {
        let text = "it changes nothing with {train.enable_bucket}";
        found.push(warn(text, None).with_field("train.face_crop_aug_range"));
    }
    if sentences.is_some_and(|list| !list.iter().any(|s| s.contains("[filewords]"))) {
        let of_captions = [
            ("{train.caption_prefix}", o.caption_prefix.is_some()),
            ("{train.caption_suffix}", o.caption_suffix.is_some()),
            ("{train.shuffle_caption}", o.shuffle_caption),
            ("{train.keep_tokens}", o.keep_tokens > 0),
            ("{train.keep_tokens_separator}", o.keep_tokens_separator.is_some()),
            ("{train.secondary_separator}", o.secondary_separator.is_some()),
            ("{train.enable_wildcard}", o.enable_wildcard),
            ("{train.caption_tag_dropout_rate}", o.caption_tag_dropout_rate > 0.0),
            ("{train.token_warmup_step}", o.token_warmup_step > 0.0),
        ];
        let ineffective: Vec<&str> = of_captions.iter().filter(|o| o.1).map(|o| o.0).collect();
        if !ineffective.is_empty() {
            let text = format!(
                "without effect: {}; the template's sentences are used",
                ineffective.join(", ")
            );
            found.push(warn(&text, Some("captions are used by {train.template} none")));
        }
    }
    found
}
