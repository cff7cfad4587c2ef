//! Finds the pictures of a plan: folders, a metadata file or a dataset file, and those that only keep
//! the class as it is.
use super::sets::{PictureSet, PlannedDataset, PlannedFile, check_sizes};
use super::{PlannedPicture, TrainOptions};
use crate::dataset::config::{self, Dataset};
use crate::dataset::options::PictureOptions;
use crate::dataset::reads::PictureReads;
use crate::dataset::scan::{self, Folder, ScanOptions};
use crate::dataset::{mask, metadata, steps};
use crate::latents::kohya;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wayword_formats::hash;
use wayword_interface::{Stop, Warning};

/// What was found, checked.
#[derive(Debug, Default)]
pub(super) struct FoundPictures {
    pub(super) datasets: Vec<PlannedDataset>,
    pub(super) sets: Vec<PictureSet>,
    pub(super) pictures: Vec<PlannedPicture>,
    pub(super) reads: PictureReads,
    /// Class words of the first folder that has some.
    pub(super) class: Option<String>,
    /// The different class words of all folders to learn from.
    pub(super) classes: BTreeSet<String>,
    /// Pictures to learn from, and those of them with a caption of their own and those enlarged.
    pub(super) learned: usize,
    pub(super) captioned: usize,
    pub(super) enlarged: usize,
}

/// Finds all pictures; `resolution` is that of data sets that name none.
pub(super) fn find(
    options: &TrainOptions,
    resolution: (u32, u32),
    warnings: &mut Vec<Warning>,
    stop: &Stop,
) -> Result<FoundPictures> {
    let mut notes = Vec::new();
    let defaults = options.picture_options(resolution);
    let mut found = FoundPictures::default();
    if let Some(file) = &options.dataset_config {
        let also = [
            ("IMAGES", !options.images.is_empty()),
            ("{train.in_json}", options.in_json.is_some()),
            ("{train.reg_data_dir}", !options.reg_data_dir.is_empty()),
        ];
        if let Some((option, _)) = also.iter().find(|(_, given)| *given) {
            let hint = "name those images in the dataset file";
            return Err(
                Error::option("train.dataset_config", "no other images", *option).with_hint(hint)
            );
        }
        for dataset in config::read(file, Path::new(""), &defaults, &mut notes)? {
            let mut parts = Vec::new();
            let mut seen = Vec::new();
            for subset in &dataset.subsets {
                if subset.options.num_repeats == Some(0) {
                    notes.push(format!("{}: num_repeats is 0, left out", subset.place().display()));
                    continue;
                }
                let place =
                    subset.options.metadata_file.as_deref().unwrap_or_else(|| subset.place());
                let real = place.canonicalize().unwrap_or_else(|_| place.into());
                if seen.contains(&real) {
                    let place = place.display();
                    notes.push(format!("{place}: twice in a data set, the second is left out"));
                    continue;
                }
                seen.push(real);
                let folder = subset.load(&scan_options(options, &found.reads), &mut notes)?;
                let set = PictureSet {
                    dataset: found.datasets.len(),
                    regular: subset.options.is_reg.unwrap_or(false),
                    alpha_mask: subset.options.alpha_mask.unwrap_or(false),
                    options: subset.options.clone(),
                };
                parts.push((folder, set));
            }
            found.add(&dataset, parts, options, &mut notes, stop)?;
        }
    } else {
        let scan = scan_options(options, &found.reads);
        let parts = own_parts(options, &defaults, &scan, &mut notes)?;
        let dataset = Dataset { options: defaults, subsets: Vec::new() };
        found.add(&dataset, parts, options, &mut notes, stop)?;
    }
    if found.pictures.is_empty() {
        return Err(Error::data("there are no images: their repeats are 0")
            .with_hint("repeats say how often an image is seen per epoch"));
    }
    if found.learned == 0 {
        return Err(Error::data("there are only regularization images")
            .with_hint("add images of what is to be learned"));
    }
    warnings.extend(notes.into_iter().map(Warning::new));
    Ok(found)
}

/// Sees that the folders of pictures are there, before anything else is looked for.
///
/// # Errors
/// If one is not; with a guess where only its quotes are missing.
pub fn images_exist(options: &TrainOptions) -> Result<()> {
    if let Some(meant) = unquoted(&options.images) {
        return Err(Error::option("IMAGES", "folders that exist", "parts of a name")
            .with_hint(format!("put the name in quotes: \"{}\"", meant.display())));
    }
    match options.images.iter().find(|path| !path.exists()) {
        Some(missing) => Err(Error::data(format!("{}: folder not found", missing.display()))
            .with_hint("pass the folder of your images")),
        None => Ok(()),
    }
}

/// A folder whose name has blanks and was given without quotes.
fn unquoted(images: &[PathBuf]) -> Option<PathBuf> {
    if images.len() < 2 || images.iter().all(|path| path.exists()) {
        return None;
    }
    let parts: Vec<_> = images.iter().map(|path| path.to_string_lossy()).collect();
    let whole = PathBuf::from(parts.join(" "));
    whole.exists().then_some(whole)
}

fn scan_options(options: &TrainOptions, reads: &PictureReads) -> ScanOptions {
    let mut scan = ScanOptions {
        orient: !options.kohya_numbers,
        wildcard_lines: options.enable_wildcard,
        repeats: options.dataset_repeats,
        reads: reads.clone(),
        ..ScanOptions::default()
    };
    if let Some(ext) = &options.caption_ext {
        scan.caption_extensions = vec![ext.clone()];
    }
    scan
}

/// Folders, or the metadata file, of the command line.
fn own_parts(
    options: &TrainOptions,
    defaults: &PictureOptions,
    scan: &ScanOptions,
    notes: &mut Vec<String>,
) -> Result<Vec<(Folder, PictureSet)>> {
    let set = PictureSet {
        dataset: 0,
        regular: false,
        alpha_mask: options.alpha_mask,
        options: defaults.clone(),
    };
    let mut folders = match &options.in_json {
        Some(file) => {
            let folder = match options.images.as_slice() {
                [] => None,
                [folder] => Some(folder.as_path()),
                more => {
                    let found = format!("{} folders", more.len());
                    return Err(Error::option("train.in_json", "one folder of images", found));
                }
            };
            let pictures = metadata::read(file, folder, &options.caption_separator, scan)?;
            let repeats = options.dataset_repeats.max(1);
            vec![Folder { path: file.clone(), repeats, class: None, pictures }]
        }
        None if options.images.is_empty() => {
            return Err(Error::option("IMAGES", "a folder of images", "nothing"));
        }
        None => {
            images_exist(options)?;
            let found = scan::scan(&options.images, scan)?;
            notes.extend(found.notes);
            found.folders
        }
    };
    if let Some(masks) = &options.masks {
        if options.alpha_mask {
            return Err(Error::option(
                "train.masks",
                "one of {train.masks} and {train.alpha_mask}",
                "both",
            ));
        }
        for folder in &mut folders {
            // A folder of the pictures' folder's name has the masks of those alone.
            let folder_masks = folder.path.file_name().map(|name| masks.join(name));
            let masks = folder_masks.as_deref().filter(|folder| folder.is_dir()).unwrap_or(masks);
            mask::pair(&mut folder.pictures, masks)?;
        }
    }
    let mut parts: Vec<_> = folders.into_iter().map(|folder| (folder, set.clone())).collect();
    if !options.reg_data_dir.is_empty() {
        let regular = PictureSet { regular: true, alpha_mask: false, ..set };
        let found = scan::scan(&options.reg_data_dir, scan)?;
        notes.extend(found.notes);
        parts.extend(found.folders.into_iter().map(|folder| (folder, regular.clone())));
    }
    Ok(parts)
}

impl FoundPictures {
    /// One data set: fits its pictures to sizes and balances its regularization pictures.
    fn add(
        &mut self,
        dataset: &Dataset,
        parts: Vec<(Folder, PictureSet)>,
        options: &TrainOptions,
        notes: &mut Vec<String>,
        stop: &Stop,
    ) -> Result<()> {
        let resolution = check_sizes(dataset)?;
        let batch = dataset.options.batch_size.unwrap_or(options.batch as u64) as usize;
        super::check::positive("{train.batch}", batch)?;
        self.datasets.push(PlannedDataset { batch, resolution });
        let buckets = dataset.buckets()?;
        notes.extend(buckets.notes().iter().cloned());
        let samples = |part: &&(Folder, PictureSet)| part.0.samples();
        let wanted: u64 = parts.iter().filter(|(_, set)| !set.regular).map(|p| samples(&p)).sum();
        let regular_repeats = parts.iter().filter(|(_, set)| set.regular);
        let regular_repeats: Vec<u64> = regular_repeats
            .flat_map(|(f, _)| std::iter::repeat_n(f.repeats, f.pictures.len()))
            .collect();
        let balanced = steps::balance(wanted, &regular_repeats);
        let unused = balanced.iter().filter(|n| **n == 0).count();
        if unused > 0 {
            notes.push(format!(
                "{unused} regularization images are not used: there are more of them than samples"
            ));
        }
        let mut balanced = balanced.into_iter();
        for (folder, set) in parts {
            set.check()?;
            let class = folder.class.as_ref().filter(|class| !class.is_empty() && !set.regular);
            self.class = self.class.take().or_else(|| class.cloned());
            self.classes.extend(class.cloned());
            for picture in &folder.pictures {
                let repeats =
                    if set.regular { balanced.next().unwrap_or(0) } else { folder.repeats };
                if repeats == 0 {
                    continue;
                }
                if stop.is_requested() {
                    return Err(wayword_diffusion::Error::Stopped.into());
                }
                let path = super::check::absolute(&picture.path);
                let fit = buckets.choose(&path.display().to_string(), picture.size)?;
                let larger = fit.resized.0 > picture.size.0 || fit.resized.1 > picture.size.1;
                if !set.regular {
                    self.learned += 1;
                    self.captioned += usize::from(picture.caption.is_some());
                    self.enlarged += usize::from(larger);
                }
                let file = |path: &Path| -> Result<PlannedFile> {
                    Ok(PlannedFile {
                        path: super::check::absolute(path),
                        sha256: hash::sha256(path)?,
                    })
                };
                let mask = |path: &Path| -> Result<PlannedFile> {
                    let record = self.reads.record(path, !options.kohya_numbers)?;
                    Ok(PlannedFile { path: super::check::absolute(path), sha256: record.sha256 })
                };
                let caption = picture.caption.as_ref().or(folder.class.as_ref());
                let mut planned = PlannedPicture {
                    sha256: picture.sha256.clone(),
                    name: super::known::name_below(&path, &folder.path, &options.images),
                    path,
                    size: picture.size,
                    bucket: fit.bucket,
                    resized: fit.resized,
                    crop: None,
                    repeats,
                    caption: caption.cloned().unwrap_or_default(),
                    set: self.sets.len(),
                    mask: picture.mask.as_deref().map(mask).transpose()?,
                    latents: None,
                };
                if options.kohya_latents && !set.augment().forbids_caching() {
                    match kohya::find(&planned) {
                        Ok(path) => planned.latents = Some(file(&path)?),
                        Err(why) => notes.push(format!("{why}; the image is encoded")),
                    }
                }
                self.pictures.push(planned);
            }
            self.sets.push(set);
        }
        Ok(())
    }
}
