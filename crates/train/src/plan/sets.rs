//! How the pictures of one folder are used: sizes, batches, changes, masks and captions.
use crate::dataset::Filter;
use crate::dataset::augment::AugmentOptions;
use crate::dataset::config::Dataset;
use crate::dataset::options::{PictureOptions, Resolution};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wayword_prompt::caption::CaptionOptions;

/// Pictures of one resolution that meet in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDataset {
    /// Pictures in a batch.
    pub batch: usize,
    /// Width and height in pixels, or the area of buckets.
    pub resolution: (u32, u32),
}

/// A folder's options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureSet {
    /// Place in the plan's list of data sets.
    pub dataset: usize,
    /// Regularization pictures: their loss counts `prior-loss-weight`, no template is put upon them.
    pub regular: bool,
    /// The alpha channel says how much each place counts.
    pub alpha_mask: bool,
    /// Its options, those of its data set among them.
    pub options: PictureOptions,
}

/// A file that a run depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
}

impl PictureSet {
    /// Whether its pictures are trained at sizes near to their own.
    #[must_use]
    pub fn has_buckets(&self) -> bool {
        self.options.enable_bucket.unwrap_or(false)
    }

    /// What is done to captions.
    #[must_use]
    pub fn captions(&self) -> CaptionOptions {
        let plain = CaptionOptions::default();
        let o = &self.options;
        let whole = |n: Option<u64>| n.map(|n| n as usize);
        CaptionOptions {
            prefix: o.caption_prefix.clone(),
            suffix: o.caption_suffix.clone(),
            dropout_rate: o.caption_dropout_rate.unwrap_or(0.0),
            dropout_every_n_epochs: o.caption_dropout_every_n_epochs.unwrap_or(0) as u32,
            tag_dropout_rate: o.caption_tag_dropout_rate.unwrap_or(0.0),
            wildcards: o.enable_wildcard.unwrap_or(false),
            shuffle: o.shuffle_caption.unwrap_or(false),
            keep_tokens: whole(o.keep_tokens).unwrap_or(0),
            keep_tokens_separator: o.keep_tokens_separator.clone(),
            separator: o.caption_separator.clone().unwrap_or(plain.separator),
            secondary_separator: o.secondary_separator.clone(),
            warmup_steps: o.token_warmup_step.unwrap_or(0.0),
            warmup_min: whole(o.token_warmup_min).unwrap_or(plain.warmup_min),
        }
    }

    /// What is done to pixels.
    #[must_use]
    pub fn augment(&self) -> AugmentOptions {
        let o = &self.options;
        AugmentOptions {
            flip: o.flip_aug.unwrap_or(false),
            color: o.color_aug.unwrap_or(false),
            random_crop: o.random_crop.unwrap_or(false),
            // kohya's faces need a size that is the same for all pictures.
            face_crop: o.face_crop_aug_range.filter(|_| !self.has_buckets()),
        }
    }

    /// The filter that resizes; `None` is the default choice.
    #[must_use]
    pub fn filter(&self) -> Option<Filter> {
        self.options.resize_interpolation.as_deref().and_then(Filter::parse)
    }

    /// Checks what the reader of the file does not.
    ///
    /// # Errors
    /// If a rate is not between 0 and 1, or options do not fit together.
    pub(super) fn check(&self) -> Result<()> {
        let rates = [
            ("train.caption_dropout_rate", self.options.caption_dropout_rate),
            ("train.caption_tag_dropout_rate", self.options.caption_tag_dropout_rate),
        ];
        for (option, rate) in rates {
            let rate = rate.unwrap_or(0.0);
            if !(0.0..=1.0).contains(&rate) {
                return Err(Error::option(option, "a number from 0 to 1", rate.to_string()));
            }
        }
        if let Some(name) = self.options.resize_interpolation.as_deref()
            && Filter::parse(name).is_none()
        {
            let known = crate::dataset::resize::FILTERS.join(", ");
            return Err(Error::option(
                "train.resize_interpolation",
                format!("one of {known}"),
                name,
            ));
        }
        self.augment().check(false)
    }
}

/// Checks a data set's sizes: latents are an eighth of pixels.
///
/// # Errors
/// If a side or a bucket's step is no multiple of 8.
pub(super) fn check_sizes(dataset: &Dataset) -> Result<(u32, u32)> {
    let options = &dataset.options;
    let (width, height) = options.resolution.map_or((0, 0), Resolution::sides);
    let fits = |side: usize| (64..=8192).contains(&side) && side.is_multiple_of(8);
    if !fits(width) || !fits(height) {
        let found = format!("{width},{height}");
        let expected = "W,H in multiples of 8 from 64 to 8192";
        return Err(Error::option("train.resolution", expected, found));
    }
    let step = options.bucket_reso_steps.unwrap_or(64);
    if options.enable_bucket.unwrap_or(false) && (step == 0 || !step.is_multiple_of(8)) {
        let expected = "a multiple of 8";
        return Err(Error::option("train.bucket_reso_steps", expected, step.to_string()));
    }
    Ok((width as u32, height as u32))
}
