//! sd-scripts' dataset TOML: `[general]`, `[[datasets]]` and `[[datasets.subsets]]`.
//!
//! An option is looked up in the subset, then its data set, then `general`, then the defaults that
//! the caller gives (the command line). What is unknown or of the wrong type is refused.
use super::bucket::Buckets;
use super::mask;
use super::options::{DATASET_KEYS, Key, OWN_KEYS, PictureOptions, SUBSET_KEYS};
use super::resize::{FILTERS, Filter};
use super::scan::{Folder, ScanOptions, pictures};
use crate::dataset::metadata;
use crate::error::{AtFile, Error, Result, about};
use std::path::Path;
use toml::{Table, Value};
use wayword_interface::Diagnostic;
use wayword_interface::options::TomlMistake;
use wayword_interface::text_file;

/// Keys that are read and change nothing here, and why.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("network_multiplier", "there is no network, only a word"),
    ("validation_split", "kohya's textual inversion never validates either"),
    ("validation_seed", "kohya's textual inversion never validates either"),
    ("cache_info", "captions and sizes are read anew at every start, so that no old ones are used"),
    ("custom_attributes", "nothing in this training reads them"),
];

/// One data set: pictures of one resolution and batch size.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its options, those of the levels below among them.
    pub options: PictureOptions,
    /// Where its pictures are.
    pub subsets: Vec<Subset>,
}

/// One folder or metadata file with its options, those of the levels below among them. Paths are
/// complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// Its options.
    pub options: PictureOptions,
}

impl Subset {
    /// What names its pictures.
    #[must_use]
    pub fn place(&self) -> &Path {
        let options = &self.options;
        let place = options.image_dir.as_deref().or(options.metadata_file.as_deref());
        place.unwrap_or(Path::new(""))
    }

    /// Finds the subset's pictures. `scan` says how captions and sizes are read; the subset's own
    /// caption ending, wildcards and repeats win.
    ///
    /// # Errors
    /// If a folder, file, picture or mask cannot be read, or there is no picture.
    pub fn load(&self, scan: &ScanOptions, notes: &mut Vec<String>) -> Result<Folder> {
        let options = &self.options;
        let mut scan = scan.clone();
        if let Some(extension) = &options.caption_extension {
            scan.caption_extensions = vec![extension.clone()];
        }
        scan.wildcard_lines = options.enable_wildcard.unwrap_or(false);
        let path = self.place().to_owned();
        let mut found = match &options.metadata_file {
            Some(file) => {
                let separator = options.caption_separator.as_deref().unwrap_or(",");
                metadata::read(file, options.image_dir.as_deref(), separator, &scan)?
            }
            None => pictures(&path, &scan, notes)?,
        };
        if found.is_empty() {
            return Err(Error::data(format!("{}: no images found", path.display())));
        }
        if let Some(folder) = &options.conditioning_data_dir {
            mask::pair(&mut found, folder)?;
        }
        let class = options.class_tokens.clone();
        Ok(Folder { path, repeats: options.num_repeats.unwrap_or(1), class, pictures: found })
    }
}

impl Dataset {
    /// How pictures of this data set are fitted to sizes.
    ///
    /// # Errors
    /// If there is no resolution, or it is outside the buckets' limits.
    pub fn buckets(&self) -> Result<Buckets> {
        let options = &self.options;
        let size = options.resolution.ok_or_else(|| {
            Error::option("resolution", "a number, or [width, height]", "none")
                .with_hint("set it in the dataset file or by {train.resolution}")
        })?;
        let size = size.sides();
        if !options.enable_bucket.unwrap_or(false) {
            return Ok(Buckets::single(size.0, size.1));
        }
        let side = |given: Option<u64>, usual: u64| given.unwrap_or(usual) as usize;
        let step = side(options.bucket_reso_steps, 64);
        if options.bucket_no_upscale.unwrap_or(false) {
            return Buckets::no_upscale(size, step);
        }
        let (min, max) = (side(options.min_bucket_reso, 256), side(options.max_bucket_reso, 1024));
        Buckets::listed(size, min, max, step)
    }
}

/// Reads a dataset file. Relative paths in it count from `base`; `defaults` are options of the
/// command line. Keys without effect are named in `notes`.
///
/// # Errors
/// If the file cannot be read, or holds unknown keys or wrong types.
pub fn read(
    file: &Path,
    base: &Path,
    defaults: &PictureOptions,
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
    let root = Value::Table(table.clone());
    let there = WITHOUT_EFFECT.iter().filter(move |(key, _)| has(&root, key));
    there.map(|(key, why)| format!("`{key}` has no effect: {why}"))
}

/// A part of a file, or what is wrong there.
type Parsed<T> = std::result::Result<T, Diagnostic>;

fn parse(table: &Table, base: &Path, defaults: &PictureOptions) -> Parsed<Vec<Dataset>> {
    known(table, &["general", "datasets"], "the top level")?;
    let empty = Table::new();
    let general = match table.get("general") {
        None => &empty,
        Some(v) => v.as_table().ok_or_else(|| Diagnostic::new("`general` is no table"))?,
    };
    let general = options(general, &[DATASET_KEYS, SUBSET_KEYS], "[general]")?.over(defaults);
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
        let mut keys = dataset.clone();
        keys.remove("subsets");
        let shared = options(&keys, &[DATASET_KEYS, SUBSET_KEYS], "[[datasets]]")?.over(&general);
        let named = subsets.iter().filter(|s| s.contains_key("metadata_file")).count();
        if named != 0 && named != subsets.len() {
            return Err(Diagnostic::new("a data set mixes subsets with and without metadata_file"));
        }
        let read = |table: &&Table| {
            let options = options(table, &[SUBSET_KEYS, OWN_KEYS], "[[datasets.subsets]]")?;
            read_subset(options.over(&shared), base)
        };
        let subsets = subsets.iter().map(read).collect::<Parsed<_>>()?;
        found.push(Dataset { options: shared, subsets });
    }
    Ok(found)
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

/// The options of one table, whose keys are of these levels.
fn options(table: &Table, levels: &[&[Key]], place: &str) -> Parsed<PictureOptions> {
    let mut names: Vec<&str> =
        levels.iter().flat_map(|level| level.iter().map(|k| k.name)).collect();
    names.extend(WITHOUT_EFFECT.iter().map(|(name, _)| name));
    known(table, &names, place)?;
    for Key { name, fits, expected } in levels.iter().flat_map(|level| level.iter()) {
        if let Some(value) = table.get(*name).filter(|value| !fits(value)) {
            let text = format!("{place}: `{name}` is {value}, expected {expected}");
            return Err(Diagnostic::new(text));
        }
    }
    let read = table.clone().try_into();
    read.map_err(|e| Diagnostic::new(format!("{place} cannot be read")).with_source(e))
}

fn read_subset(mut options: PictureOptions, base: &Path) -> Parsed<Subset> {
    if let Some(name) = options.resize_interpolation.as_deref()
        && Filter::parse(name).is_none()
    {
        let names = FILTERS.join(", ");
        let text = format!("`resize_interpolation` is {name}, expected one of {names}");
        return Err(Diagnostic::new(text));
    }
    let paths =
        [&mut options.image_dir, &mut options.metadata_file, &mut options.conditioning_data_dir];
    for path in paths.into_iter().flatten() {
        *path = base.join(&path);
    }
    if options.image_dir.is_none() && options.metadata_file.is_none() {
        return Err(Diagnostic::new("a subset has neither image_dir nor metadata_file"));
    }
    Ok(Subset { options })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::options::Resolution;

    fn parsed(text: &str) -> Parsed<Vec<Dataset>> {
        let defaults = PictureOptions {
            batch_size: Some(7),
            flip_aug: Some(true),
            ..PictureOptions::default()
        };
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
        let sides = one.options.resolution.map(Resolution::sides);
        assert_eq!((one.options.batch_size, sides), (Some(7), Some((768, 512))));
        assert_eq!(one.buckets().unwrap().list().len(), 19);
        let [cat, reg] = &one.subsets[..] else { panic!() };
        let (cat, reg) = (&cat.options, &reg.options);
        assert_eq!(cat.image_dir.as_deref(), Some(Path::new("/data/5_cat")));
        assert_eq!((cat.num_repeats, reg.num_repeats), (Some(10), Some(3)));
        assert_eq!((cat.shuffle_caption, reg.shuffle_caption), (Some(true), Some(false)));
        assert_eq!((cat.flip_aug, cat.keep_tokens), (Some(true), Some(1)));
        assert_eq!(reg.is_reg, Some(true));
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
