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
            "--mixed-precision",
            o.mixed_precision != MixedPrecision::No,
            o.kohya_numbers,
            "--kohya-numbers",
        ),
        ("--bucket-no-upscale", o.bucket_no_upscale, buckets, "--enable-bucket"),
        ("--min-bucket-reso", o.min_bucket_reso.is_some(), buckets, "--enable-bucket"),
        ("--max-bucket-reso", o.max_bucket_reso.is_some(), buckets, "--enable-bucket"),
        ("--bucket-reso-steps", o.bucket_reso_steps.is_some(), buckets, "--enable-bucket"),
        ("--prior-loss-weight", o.prior_loss_weight != 1.0, regular, "--reg-data-dir"),
        (
            "--noise-offset-random-strength",
            o.noise_offset_random_strength,
            offset,
            "--noise-offset",
        ),
        (
            "--ip-noise-gamma-random-strength",
            o.ip_noise_gamma_random_strength,
            o.ip_noise_gamma != 0.0,
            "--ip-noise-gamma",
        ),
        ("--keep-last-steps", o.keep_last_steps > 1, o.save_every > 0, "--save-every"),
        ("--keep-last-epochs", o.keep_last_epochs > 0, epochs, "--save-every-epochs"),
    ];
    let ineffective = alone.into_iter().filter(|(_, given, wanted, _)| *given && !wanted);
    let mut found: Vec<Warning> = ineffective
        .map(|(option, _, _, other)| {
            warn(
                &format!("{option} changes nothing without {other}"),
                Some(&format!("add {other}, or leave it out")),
            )
        })
        .collect();
    let faces = o.face_crop_aug_range.is_some() && o.enable_bucket;
    if faces {
        found.push(warn("--face-crop-aug-range changes nothing with --enable-bucket", None));
    }
    if sentences.is_some_and(|list| !list.iter().any(|s| s.contains("[filewords]"))) {
        let of_captions = [
            ("--caption-prefix", o.caption_prefix.is_some()),
            ("--caption-suffix", o.caption_suffix.is_some()),
            ("--shuffle-caption", o.shuffle_caption),
            ("--keep-tokens", o.keep_tokens > 0),
            ("--keep-tokens-separator", o.keep_tokens_separator.is_some()),
            ("--secondary-separator", o.secondary_separator.is_some()),
            ("--enable-wildcard", o.enable_wildcard),
            ("--caption-tag-dropout-rate", o.caption_tag_dropout_rate > 0.0),
            ("--token-warmup-step", o.token_warmup_step > 0.0),
        ];
        let ineffective: Vec<&str> = of_captions.iter().filter(|o| o.1).map(|o| o.0).collect();
        if !ineffective.is_empty() {
            let text = format!(
                "without effect: {}; the template's sentences are used",
                ineffective.join(", ")
            );
            found.push(warn(&text, Some("captions are used by --template none")));
        }
    }
    found
}
