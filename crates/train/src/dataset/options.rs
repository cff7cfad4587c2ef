//! Options of pictures, under the names that sd-scripts' dataset files have for them.
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Value;

/// A key that a table may have, whether a value fits it, and what is expected.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) fits: fn(&Value) -> bool,
    pub(super) expected: &'static str,
}

/// How a value of a type stands in a file.
trait InFile {
    const EXPECTED: &'static str;

    fn fits(value: &Value) -> bool;
}

impl InFile for u64 {
    const EXPECTED: &'static str = "a whole number from 0";

    fn fits(value: &Value) -> bool {
        value.as_integer().is_some_and(|whole| whole >= 0)
    }
}

impl InFile for f64 {
    const EXPECTED: &'static str = "a number";

    fn fits(value: &Value) -> bool {
        value.is_float() || value.is_integer()
    }
}

impl InFile for bool {
    const EXPECTED: &'static str = "true or false";

    fn fits(value: &Value) -> bool {
        value.is_bool()
    }
}

impl InFile for String {
    const EXPECTED: &'static str = "a text";

    fn fits(value: &Value) -> bool {
        value.is_str()
    }
}

impl InFile for PathBuf {
    const EXPECTED: &'static str = String::EXPECTED;

    fn fits(value: &Value) -> bool {
        value.is_str()
    }
}

impl InFile for (f64, f64) {
    const EXPECTED: &'static str = "two numbers";

    fn fits(value: &Value) -> bool {
        value.as_array().is_some_and(|pair| pair.len() == 2 && pair.iter().all(f64::fits))
    }
}

/// Width and height; one number is both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Resolution {
    /// A square.
    Side(u64),
    /// Width and height.
    Sides(u64, u64),
}

impl Resolution {
    /// Width and height.
    #[must_use]
    pub fn sides(self) -> (usize, usize) {
        let (width, height) = match self {
            Self::Side(side) => (side, side),
            Self::Sides(width, height) => (width, height),
        };
        (width as usize, height as usize)
    }
}

impl InFile for Resolution {
    const EXPECTED: &'static str = "a whole number, or [width, height]";

    fn fits(value: &Value) -> bool {
        let pair = |pair: &Vec<Value>| pair.len() == 2 && pair.iter().all(u64::fits);
        u64::fits(value) || value.as_array().is_some_and(pair)
    }
}

macro_rules! picture_options {
    ($($level:ident { $($(#[$doc:meta])* $name:ident: $kind:ty,)* })*) => {
        /// Options of a data set and its folders; `None` where nothing was said.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct PictureOptions {
            $($($(#[$doc])*
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<$kind>,)*)*
        }

        impl PictureOptions {
            /// These, and where they say nothing, those below.
            #[must_use]
            pub fn over(self, below: &Self) -> Self {
                Self { $($($name: self.$name.or_else(|| below.$name.clone()),)*)* }
            }
        }

        $(pub(super) const $level: &[Key] = &[
            $(Key {
                name: stringify!($name),
                fits: <$kind as InFile>::fits,
                expected: <$kind as InFile>::EXPECTED,
            },)*
        ];)*
    };
}

picture_options! {
    DATASET_KEYS {
        /// Samples in a batch.
        batch_size: u64,
        /// Width and height in pixels.
        resolution: Resolution,
        /// Buckets instead of one size.
        enable_bucket: bool,
        /// Buckets that never enlarge.
        bucket_no_upscale: bool,
        /// Smallest side of a bucket.
        min_bucket_reso: u64,
        /// Largest side of a bucket.
        max_bucket_reso: u64,
        /// Step of buckets' sides.
        bucket_reso_steps: u64,
    }
    SUBSET_KEYS {
        /// The filter that resizes, by its name.
        resize_interpolation: String,
        /// How often each picture is seen in an epoch.
        num_repeats: u64,
        /// Parts of captions change places.
        shuffle_caption: bool,
        /// What separates the parts.
        caption_separator: String,
        /// Parts at the beginning that stay in place.
        keep_tokens: u64,
        /// What ends the parts that stay.
        keep_tokens_separator: String,
        /// Joins parts that stay together.
        secondary_separator: String,
        /// `{a|b}` in captions, and captions of several lines.
        enable_wildcard: bool,
        /// Colors vary.
        color_aug: bool,
        /// Pictures are mirrored.
        flip_aug: bool,
        /// Faces are cropped by a factor between these.
        face_crop_aug_range: (f64, f64),
        /// Crops lie anywhere.
        random_crop: bool,
        /// Stands before captions.
        caption_prefix: String,
        /// Stands behind captions.
        caption_suffix: String,
        /// Share of samples without a caption, 0 to 1.
        caption_dropout_rate: f64,
        /// Epochs of which one is without captions; 0: none.
        caption_dropout_every_n_epochs: u64,
        /// Share of parts that are left out, 0 to 1.
        caption_tag_dropout_rate: f64,
        /// Parts at the beginning of a warm-up of captions.
        token_warmup_min: u64,
        /// Steps of it, or their share of all where it is below 1.
        token_warmup_step: f64,
        /// Ending of caption files.
        caption_extension: String,
        /// The caption of pictures without one.
        class_tokens: String,
    }
    OWN_KEYS {
        /// The folder of pictures; its name says nothing here.
        image_dir: PathBuf,
        /// Regularization images.
        is_reg: bool,
        /// The alpha channel is the loss mask.
        alpha_mask: bool,
        /// The file that names pictures and captions.
        metadata_file: PathBuf,
        /// The folder of mask pictures.
        conditioning_data_dir: PathBuf,
    }
}
