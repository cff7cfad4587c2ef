//! sd-scripts' dataset TOML: `[general]`, `[[datasets]]` and `[[datasets.subsets]]`.
//!
//! An option is looked up in the subset, then its data set, then `general`, then the defaults that
//! the caller gives (the command line). What is unknown or of the wrong type is refused.
use super::bucket::Buckets;
use super::mask;
use super::resize::{FILTERS, Filter};
use super::scan::{Folder, ScanOptions, pictures};
use crate::dataset::metadata;
use crate::error::{AtFile, Error, Result, about};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use wayword_interface::Diagnostic;
use wayword_interface::options::TomlMistake;
use wayword_interface::text_file;

/// The types that values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Number,
    Bool,
    Text,
    /// a whole number or two of them
    Size,
    /// two numbers
    Pair,
    Any,
}

const DATASET_KEYS: &[(&str, Kind)] = &[
    ("batch_size", Kind::Int),
    ("resolution", Kind::Size),
    ("enable_bucket", Kind::Bool),
    ("bucket_no_upscale", Kind::Bool),
    ("min_bucket_reso", Kind::Int),
    ("max_bucket_reso", Kind::Int),
    ("bucket_reso_steps", Kind::Int),
    ("network_multiplier", Kind::Number),
    ("validation_split", Kind::Number),
    ("validation_seed", Kind::Int),
    ("resize_interpolation", Kind::Text),
];

const SUBSET_KEYS: &[(&str, Kind)] = &[
    ("num_repeats", Kind::Int),
    ("shuffle_caption", Kind::Bool),
    ("caption_separator", Kind::Text),
    ("keep_tokens", Kind::Int),
    ("keep_tokens_separator", Kind::Text),
    ("secondary_separator", Kind::Text),
    ("enable_wildcard", Kind::Bool),
    ("color_aug", Kind::Bool),
    ("flip_aug", Kind::Bool),
    ("face_crop_aug_range", Kind::Pair),
    ("random_crop", Kind::Bool),
    ("caption_prefix", Kind::Text),
    ("caption_suffix", Kind::Text),
    ("caption_dropout_rate", Kind::Number),
    ("caption_dropout_every_n_epochs", Kind::Int),
    ("caption_tag_dropout_rate", Kind::Number),
    ("token_warmup_min", Kind::Int),
    ("token_warmup_step", Kind::Number),
    ("custom_attributes", Kind::Any),
    ("resize_interpolation", Kind::Text),
    ("caption_extension", Kind::Text),
    ("class_tokens", Kind::Text),
    ("cache_info", Kind::Bool),
];

/// Keys that are read and change nothing here, and why.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("network_multiplier", "there is no network, only a word"),
    ("validation_split", "kohya's textual inversion never validates either"),
    ("validation_seed", "kohya's textual inversion never validates either"),
    ("cache_info", "captions and sizes are read anew at every start, so that no old ones are used"),
    ("custom_attributes", "nothing in this training reads them"),
];

const OWN_KEYS: &[(&str, Kind)] = &[
    ("image_dir", Kind::Text),
    ("is_reg", Kind::Bool),
    ("alpha_mask", Kind::Bool),
    ("metadata_file", Kind::Text),
    ("conditioning_data_dir", Kind::Text),
];

/// One data set: pictures of one resolution and batch size.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Samples in a batch.
    pub batch_size: Option<u64>,
    /// Width and height.
    pub resolution: Option<(usize, usize)>,
    /// Buckets instead of one size.
    pub enable_bucket: bool,
    /// Buckets that never enlarge.
    pub bucket_no_upscale: bool,
    /// Smallest side of a bucket.
    pub min_bucket_reso: usize,
    /// Largest side of a bucket.
    pub max_bucket_reso: usize,
    /// Step of buckets' sides.
    pub bucket_reso_steps: usize,
    /// Where its pictures are.
    pub subsets: Vec<Subset>,
}

/// One folder or metadata file with its options.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// The folder of pictures; its name says nothing here.
    pub image_dir: Option<PathBuf>,
    /// The file that names pictures and captions.
    pub metadata_file: Option<PathBuf>,
    /// The folder of mask pictures.
    pub conditioning_data_dir: Option<PathBuf>,
    /// Regularization images.
    pub is_reg: bool,
    /// The alpha channel is the loss mask.
    pub alpha_mask: bool,
    /// How often each picture is seen in an epoch.
    pub num_repeats: u64,
    /// The caption of pictures without one.
    pub class_tokens: Option<String>,
    /// Ending of caption files.
    pub caption_extension: Option<String>,
    /// The filter that resizes; `None` is the default choice.
    pub filter: Option<Filter>,
    /// All other options of the subset, merged from all levels.
    pub options: Table,
}

impl Subset {
    /// An option of the caption pipeline or of augmentation that is on or off.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.options.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        self.options.get(key).and_then(number)
    }

    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.options.get(key).and_then(Value::as_str)
    }

    /// What names its pictures.
    #[must_use]
    pub fn place(&self) -> &Path {
        self.image_dir.as_deref().or(self.metadata_file.as_deref()).unwrap_or(Path::new(""))
    }

    /// Finds the subset's pictures. `scan` says how captions and sizes are read; the subset's own
    /// caption ending, wildcards and repeats win.
    ///
    /// # Errors
    /// If a folder, file, picture or mask cannot be read, or there is no picture.
    pub fn load(&self, scan: &ScanOptions, notes: &mut Vec<String>) -> Result<Folder> {
        let mut scan = scan.clone();
        if let Some(extension) = &self.caption_extension {
            scan.caption_extensions = vec![extension.clone()];
        }
        scan.wildcard_lines = self.flag("enable_wildcard");
        let path = self.place().to_owned();
        let mut found = match &self.metadata_file {
            Some(file) => {
                let separator = self.text("caption_separator").unwrap_or(",");
                metadata::read(file, self.image_dir.as_deref(), separator, scan.orient)?
            }
            None => pictures(&path, &scan, notes)?,
        };
        if found.is_empty() {
            return Err(Error::data(format!("{}: no pictures found", path.display())));
        }
        if let Some(folder) = &self.conditioning_data_dir {
            mask::pair(&mut found, folder)?;
        }
        let class = self.class_tokens.clone();
        Ok(Folder { path, repeats: self.num_repeats, class, pictures: found })
    }
}

impl Dataset {
    /// How pictures of this data set are fitted to sizes.
    ///
    /// # Errors
    /// If there is no resolution, or it is outside the buckets' limits.
    pub fn buckets(&self) -> Result<Buckets> {
        let size = self.resolution.ok_or_else(|| {
            Error::option("resolution", "a number, or [width, height]", "none")
                .with_hint("set it in the dataset file or by {train.resolution}")
        })?;
        match (self.enable_bucket, self.bucket_no_upscale) {
            (false, _) => Ok(Buckets::single(size.0, size.1)),
            (true, true) => Buckets::no_upscale(size, self.bucket_reso_steps),
            (true, false) => {
                let (min, max) = (self.min_bucket_reso, self.max_bucket_reso);
                Buckets::listed(size, min, max, self.bucket_reso_steps)
            }
        }
    }
}

/// Reads a dataset file. Relative paths in it count from `base`; `defaults` are options of the
/// command line under the names of the file. Keys without effect are named in `notes`.
///
/// # Errors
/// If the file cannot be read, or holds unknown keys or wrong types.
pub fn read(
    file: &Path,
    base: &Path,
    defaults: &Table,
    notes: &mut Vec<String>,
) -> Result<Vec<Dataset>> {
    let text = text_file::read(file).at(file)?;
    let json = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    let table: Table = if json {
        serde_json::from_str(&text).map_err(|e| Error::run(file, "not JSON").with_source(e))?
    } else {
        text.parse::<Table>().map_err(|e| {
            let hint = TomlMistake::of(&text, &e).hint;
            let refused = Diagnostic::new(format!("{}: not TOML", file.display()));
            Error::Refused(refused.with_source(e).with_hint_if(hint))
        })?
    };
    let found = parse(&table, base, defaults).map_err(|refused| about(file, refused))?;
    notes.extend(without_effect(&table).map(|note| format!("{}: {note}", file.display())));
    Ok(found)
}

/// What a checked file says that changes nothing.
fn without_effect(table: &Table) -> impl Iterator<Item = String> {
    fn has(value: &Value, key: &str) -> bool {
        match value {
            Value::Table(table) => table.iter().any(|(k, v)| k == key || has(v, key)),
            Value::Array(list) => list.iter().any(|value| has(value, key)),
            _ => false,
        }
    }
    let all = Value::Table(table.clone());
    let there = WITHOUT_EFFECT.iter().filter(move |(key, _)| has(&all, key));
    there.map(|(key, why)| format!("`{key}` has no effect: {why}"))
}

/// A part of a file, or what is wrong there.
type Parsed<T> = std::result::Result<T, Diagnostic>;

fn parse(table: &Table, base: &Path, defaults: &Table) -> Parsed<Vec<Dataset>> {
    let general_keys = [DATASET_KEYS, SUBSET_KEYS].concat();
    known(table, &["general", "datasets"], "the top level")?;
    let empty = Table::new();
    let general = match table.get("general") {
        None => &empty,
        Some(v) => v.as_table().ok_or_else(|| Diagnostic::new("`general` is no table"))?,
    };
    check(general, &general_keys, "[general]")?;
    let datasets = tables(table.get("datasets"), "datasets")?;
    if datasets.is_empty() {
        return Err(Diagnostic::new("it has no [[datasets]]"));
    }
    let mut found = Vec::new();
    for dataset in datasets {
        let subsets = tables(dataset.get("subsets"), "datasets.subsets")?;
        if subsets.is_empty() {
            return Err(Diagnostic::new("a data set has no [[datasets.subsets]]"));
        }
        let mut own = dataset.clone();
        own.remove("subsets");
        check(&own, &general_keys, "[[datasets]]")?;
        let levels = [defaults, general, &own];
        let mut read = read_dataset(&merged(&levels))?;
        let named = subsets.iter().filter(|s| s.contains_key("metadata_file")).count();
        if named != 0 && named != subsets.len() {
            return Err(Diagnostic::new("a data set mixes subsets with and without metadata_file"));
        }
        for subset in subsets {
            check(subset, &[SUBSET_KEYS, OWN_KEYS].concat(), "[[datasets.subsets]]")?;
            let levels = [defaults, general, &own, subset];
            read.subsets.push(read_subset(merged(&levels), base)?);
        }
        found.push(read);
    }
    Ok(found)
}

/// Later tables win.
fn merged(levels: &[&Table]) -> Table {
    let pairs = levels.iter().flat_map(|t| t.iter());
    pairs.map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn tables<'a>(value: Option<&'a Value>, name: &str) -> Parsed<Vec<&'a Table>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().and_then(|a| a.iter().map(Value::as_table).collect());
    list.ok_or_else(|| Diagnostic::new(format!("`{name}` is no list of tables")))
}

fn known(table: &Table, keys: &[&str], place: &str) -> Parsed<()> {
    match table.keys().find(|k| !keys.contains(&k.as_str())) {
        None => Ok(()),
        Some(key) => {
            let nearest = crate::optim::nearest(key, keys);
            let hint = nearest.map(|near| format!("did you mean `{near}`?"));
            Err(Diagnostic::new(format!("{place} has no key `{key}`")).with_hint_if(hint))
        }
    }
}

fn check(table: &Table, keys: &[(&str, Kind)], place: &str) -> Parsed<()> {
    let names: Vec<&str> = keys.iter().map(|(k, _)| *k).collect();
    known(table, &names, place)?;
    for (key, value) in table {
        let kind = keys.iter().find(|(k, _)| k == key).map_or(Kind::Any, |(_, kind)| *kind);
        let whole = |v: &Value| v.as_integer().is_some_and(|i| i >= 0);
        let pair = |v: &Value, fits: &dyn Fn(&Value) -> bool| {
            v.as_array().is_some_and(|a| a.len() == 2 && a.iter().all(fits))
        };
        let (fits, expected) = match kind {
            Kind::Int => (whole(value), "a whole number from 0"),
            Kind::Number => (number(value).is_some(), "a number"),
            Kind::Bool => (value.is_bool(), "true or false"),
            Kind::Text => (value.is_str(), "a text"),
            Kind::Size => {
                (whole(value) || pair(value, &whole), "a whole number, or [width, height]")
            }
            Kind::Pair => (pair(value, &|v| number(v).is_some()), "two numbers"),
            Kind::Any => (true, ""),
        };
        if !fits {
            let text = format!("{place}: `{key}` is {value}, expected {expected}");
            return Err(Diagnostic::new(text));
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
}

fn read_dataset(options: &Table) -> Parsed<Dataset> {
    let int = |key: &str| options.get(key).and_then(Value::as_integer);
    let side = |key: &str, default: usize| int(key).map_or(default, |i| i as usize);
    let flag = |key: &str| options.get(key).and_then(Value::as_bool).unwrap_or(false);
    let resolution = match options.get("resolution") {
        Some(Value::Array(pair)) => {
            let side = |v: &Value| v.as_integer().map(|i| i as usize);
            pair.first().and_then(side).zip(pair.get(1).and_then(side))
        }
        Some(v) => v.as_integer().map(|i| (i as usize, i as usize)),
        None => None,
    };
    Ok(Dataset {
        batch_size: int("batch_size").map(|b| b as u64),
        resolution,
        enable_bucket: flag("enable_bucket"),
        bucket_no_upscale: flag("bucket_no_upscale"),
        min_bucket_reso: side("min_bucket_reso", 256),
        max_bucket_reso: side("max_bucket_reso", 1024),
        bucket_reso_steps: side("bucket_reso_steps", 64),
        subsets: Vec::new(),
    })
}

fn read_subset(options: Table, base: &Path) -> Parsed<Subset> {
    let text = |key: &str| options.get(key).and_then(Value::as_str).map(str::to_owned);
    let path = |key: &str| text(key).map(|p| base.join(p));
    let flag = |key: &str| options.get(key).and_then(Value::as_bool).unwrap_or(false);
    let filter = match text("resize_interpolation") {
        None => None,
        Some(name) => Some(Filter::parse(&name).ok_or_else(|| {
            let all = FILTERS.join(", ");
            Diagnostic::new(format!("`resize_interpolation` is {name}, expected one of {all}"))
        })?),
    };
    let repeats = options.get("num_repeats").and_then(Value::as_integer);
    let subset = Subset {
        image_dir: path("image_dir"),
        metadata_file: path("metadata_file"),
        conditioning_data_dir: path("conditioning_data_dir"),
        is_reg: flag("is_reg"),
        alpha_mask: flag("alpha_mask"),
        num_repeats: repeats.map_or(1, |r| r as u64),
        class_tokens: text("class_tokens"),
        caption_extension: text("caption_extension"),
        filter,
        options,
    };
    if subset.image_dir.is_none() && subset.metadata_file.is_none() {
        return Err(Diagnostic::new("a subset has neither image_dir nor metadata_file"));
    }
    Ok(subset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parsed<Vec<Dataset>> {
        let defaults: Table = "batch_size = 7\nflip_aug = true\n".parse().unwrap();
        parse(&text.parse().unwrap(), Path::new("/data"), &defaults)
    }

    const GOOD: &str = r#"
        [general]
        keep_tokens = 1
        shuffle_caption = true
        resolution = 512
        [[datasets]]
        resolution = [768, 512]
        enable_bucket = true
        num_repeats = 3
        [[datasets.subsets]]
        image_dir = "5_cat"
        class_tokens = "hoge cat"
        num_repeats = 10
        [[datasets.subsets]]
        image_dir = "/abs/reg"
        is_reg = true
        shuffle_caption = false
        caption_extension = ".caption"
    "#;

    #[test]
    fn the_nearest_level_wins() {
        let found = parsed(GOOD).unwrap();
        let [one] = &found[..] else { panic!() };
        assert_eq!((one.batch_size, one.resolution), (Some(7), Some((768, 512))));
        assert_eq!(one.buckets().unwrap().list().len(), 19);
        let [cat, reg] = &one.subsets[..] else { panic!() };
        assert_eq!(cat.image_dir.as_deref(), Some(Path::new("/data/5_cat")));
        assert_eq!((cat.num_repeats, reg.num_repeats), (10, 3));
        assert_eq!((cat.flag("shuffle_caption"), reg.flag("shuffle_caption")), (true, false));
        assert!(cat.flag("flip_aug") && cat.number("keep_tokens") == Some(1.0) && reg.is_reg);
    }

    #[test]
    fn keys_without_effect_are_named() {
        let text = GOOD.replace("keep_tokens = 1", "cache_info = true\nvalidation_split = 0.1");
        let found: Vec<String> = without_effect(&text.parse().unwrap()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("`validation_split` has no effect"), "{found:?}");
        assert_eq!(without_effect(&GOOD.parse().unwrap()).count(), 0);
    }

    #[test]
    fn mistakes_are_named() {
        let with = |from: &str, to: &str| parsed(&GOOD.replace(from, to)).unwrap_err();
        let error = with("is_reg", "is_regg");
        assert_eq!(error.hint.as_deref(), Some("did you mean `is_reg`?"));
        assert!(
            with("num_repeats = 3", "num_repeats = \"3\"")
                .message
                .contains("expected a whole number")
        );
        assert!(
            with("image_dir = \"/abs/reg\"", "metadata_file = \"m.json\"")
                .message
                .contains("mixes")
        );
        assert!(with("image_dir = \"5_cat\"", "").message.contains("neither"));
        assert!(parsed("[general]").unwrap_err().message.contains("no [[datasets]]"));
    }
}
