//! How the pictures of one folder are used: sizes, batches, changes, masks and captions.
use crate::dataset::Filter;
use crate::dataset::augment::AugmentOptions;
use crate::dataset::config::Dataset;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::{Table, Value};
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
    /// Options of a subset under their names in a dataset file.
    pub options: Table,
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
    fn flag(&self, key: &str) -> bool {
        self.options.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&self, key: &str) -> Option<f64> {
        let value = self.options.get(key)?;
        value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.options.get(key).and_then(Value::as_str).map(str::to_owned)
    }

    /// Whether its pictures are trained at sizes near to their own.
    #[must_use]
    pub fn has_buckets(&self) -> bool {
        self.flag("enable_bucket")
    }

    /// What is done to captions.
    #[must_use]
    pub fn captions(&self) -> CaptionOptions {
        let plain = CaptionOptions::default();
        let whole = |key: &str| self.number(key).map(|n| n.max(0.0) as usize);
        CaptionOptions {
            prefix: self.text("caption_prefix"),
            suffix: self.text("caption_suffix"),
            dropout_rate: self.number("caption_dropout_rate").unwrap_or(0.0),
            dropout_every_n_epochs: whole("caption_dropout_every_n_epochs").unwrap_or(0) as u32,
            tag_dropout_rate: self.number("caption_tag_dropout_rate").unwrap_or(0.0),
            wildcards: self.flag("enable_wildcard"),
            shuffle: self.flag("shuffle_caption"),
            keep_tokens: whole("keep_tokens").unwrap_or(0),
            keep_tokens_separator: self.text("keep_tokens_separator"),
            separator: self.text("caption_separator").unwrap_or(plain.separator),
            secondary_separator: self.text("secondary_separator"),
            warmup_steps: self.number("token_warmup_step").unwrap_or(0.0),
            warmup_min: whole("token_warmup_min").unwrap_or(plain.warmup_min),
        }
    }

    /// What is done to pixels.
    #[must_use]
    pub fn augment(&self) -> AugmentOptions {
        let range = self.options.get("face_crop_aug_range").and_then(Value::as_array);
        let part = |v: &Value| v.as_float().or_else(|| v.as_integer().map(|i| i as f64));
        let face = range.and_then(|r| Some((part(r.first()?)?, part(r.get(1)?)?)));
        AugmentOptions {
            flip: self.flag("flip_aug"),
            color: self.flag("color_aug"),
            random_crop: self.flag("random_crop"),
            // kohya's faces need a size that is the same for all pictures.
            face_crop: face.filter(|_| !self.flag("enable_bucket")),
        }
    }

    /// The filter that resizes; `None` is the default choice.
    #[must_use]
    pub fn filter(&self) -> Option<Filter> {
        self.text("resize_interpolation").and_then(|name| Filter::parse(&name))
    }

    /// Checks what the reader of the file does not.
    ///
    /// # Errors
    /// If a rate is not between 0 and 1, or options do not fit together.
    pub(super) fn check(&self) -> Result<()> {
        for key in ["caption_dropout_rate", "caption_tag_dropout_rate"] {
            let rate = self.number(key).unwrap_or(0.0);
            if !(0.0..=1.0).contains(&rate) {
                let option = format!("train.{key}");
                return Err(Error::option(&option, "a number from 0 to 1", rate.to_string()));
            }
        }
        if let Some(name) = self.text("resize_interpolation")
            && Filter::parse(&name).is_none()
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
    let (width, height) = dataset.resolution.unwrap_or((0, 0));
    let fits = |side: usize| (64..=8192).contains(&side) && side.is_multiple_of(8);
    if !fits(width) || !fits(height) {
        let found = format!("{width},{height}");
        let expected = "W,H in multiples of 8 from 64 to 8192";
        return Err(Error::option("train.resolution", expected, found));
    }
    let step = dataset.bucket_reso_steps;
    if dataset.enable_bucket && (step == 0 || !step.is_multiple_of(8)) {
        let expected = "a multiple of 8";
        return Err(Error::option("train.bucket_reso_steps", expected, step.to_string()));
    }
    Ok((width as u32, height as u32))
}
