//! Photos that a training prepares itself: the pass of `wayword prepare` with its defaults, before the
//! plan is made.
use super::record::PreparedSet;
use super::{Pass, PreparedPicture, record};
use crate::Failure;
use crate::commands::make_folder;
use crate::request::{Prepare, Train as Options};
use crate::session::Context;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wayword_interface::options::Size;
use wayword_train::dataset::scan::{self, ScanOptions};
use wayword_train::plan::{PreparedPhoto, PreparedPhotos, TrainOptions};
use wayword_train::request::PhotoPreparation;

/// What the photos of a training became.
pub(crate) struct Prepared {
    /// The training's options, on the images in the place of the photos.
    pub(crate) options: TrainOptions,
    /// What is told with the plan.
    pub(crate) photos: Vec<PreparedPhotos>,
    /// Where nothing is to stay, the images are here until this is dropped.
    _held: Option<TempDir>,
}

/// Prepares the photos where that is asked for. With `write`, images lie in `DIR/NAME.prepared` and
/// stay there; a later run finds them as they are, with what was changed by hand.
///
/// # Errors
/// If options do not go with it, none of the photos can be used, the folder is somebody else's, or as
/// [`super::run`].
pub(crate) fn prepare(
    options: &Options,
    resolution: (u32, u32),
    write: bool,
    context: &Context<'_>,
) -> Result<Prepared, Failure> {
    let mut changed = options.options.clone();
    if options.prepare == PhotoPreparation::Off {
        return Ok(Prepared { options: changed, photos: Vec::new(), _held: None });
    }
    refuse(&changed)?;
    let prepared =
        std::path::absolute(&changed.out)?.join(format!("{}.prepared", changed.checked_name()?));
    let held = if write { None } else { Some(temporary(context)?) };
    let (width, height) = changed.resolution.unwrap_or(resolution);
    let mut captions = ScanOptions::default().caption_extensions;
    captions.extend(changed.caption_ext.clone());
    let (mut photos, mut names, mut images) = (Vec::new(), Vec::<PathBuf>::new(), Vec::new());
    for folder in scan::photo_folders(&changed.images)? {
        let mut name = PathBuf::from(scan::file_name(&folder));
        while names.contains(&name) {
            name = Path::new("more").join(name);
        }
        names.push(name.clone());
        let out = prepared.join(&name);
        own_or_free(&out)?;
        let place = held.as_ref().map_or(prepared.as_path(), TempDir::path).join(&name);
        if held.is_some() {
            lend(&out, &place)?;
        }
        let options = Prepare {
            photos: vec![folder.clone()],
            out: place,
            overwrite: true,
            resolution: Size { width, height },
            ..Prepare::default()
        };
        let report =
            Pass { options: &options, is_part: true, captions: captions.clone() }.run(context)?;
        let (yes, no): (Vec<_>, Vec<_>) = report.pictures.iter().partition(|p| p.choice.keep);
        if yes.is_empty() {
            let reasons: Vec<String> =
                no.iter().map(|p| format!("\n  {}: {}", p.name(), p.reasons.join("; "))).collect();
            let what = format!("{}: none of the photos can be used", folder.display());
            return Err(Failure::user(format!("{what}{}", reasons.concat()))
                .hint("leave {train.prepare} out to train on them as they are"));
        }
        let unread = report.unread.iter().map(|(path, reason)| PreparedPhoto {
            name: scan::file_name(path),
            remarks: vec![reason.clone()],
        });
        photos.push(PreparedPhotos {
            folder: out,
            kept: yes.into_iter().map(told).collect(),
            left_out: no.into_iter().map(told).chain(unread).collect(),
        });
        images.push(options.out);
    }
    changed.images = images;
    Ok(Prepared { options: changed, photos, _held: held })
}

/// A photo with what it shows and why it is left out.
fn told(picture: &PreparedPicture) -> PreparedPhoto {
    let framing = picture.framing.filter(|_| picture.choice.keep).map(|f| f.name().to_owned());
    let remarks = framing.into_iter().chain(picture.reasons.iter().cloned()).collect();
    PreparedPhoto { name: picture.name(), remarks }
}

/// Refuses what names the photos' own files or pixels.
fn refuse(options: &TrainOptions) -> Result<(), Failure> {
    let given = [
        ("{train.dataset_config}", options.dataset_config.is_some()),
        ("{train.in_json}", options.in_json.is_some()),
        ("{train.masks}", options.masks.is_some()),
        ("{train.alpha_mask}", options.alpha_mask),
        ("{train.kohya_latents}", options.kohya_latents),
        ("{train.face_crop_aug_range}", options.face_crop_aug_range.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::user(format!(
            "{{train.prepare}} auto with {option}, which belongs to the photos as they are"
        ))
        .hint("run `wayword prepare` first, and train on the images that it writes")),
    }
}

/// Refuses a folder with files of which none is ours.
fn own_or_free(out: &Path) -> Result<(), Failure> {
    let used = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if !used || out.join(record::NAME).is_file() {
        return Ok(());
    }
    Err(Failure::user(format!("{} holds files that are no prepared images", out.display()))
        .hint("move them away, or choose another {train.out}"))
}

/// A folder for the moment.
fn temporary(context: &Context<'_>) -> Result<TempDir, Failure> {
    let place = &context.core.environment.temporary;
    let made = if place.as_os_str().is_empty() { TempDir::new() } else { TempDir::new_in(place) };
    made.map_err(|e| Failure::io("cannot make a folder in", place, &e))
}

/// What was changed by hand counts for a folder of the moment too.
fn lend(from: &Path, to: &Path) -> Result<(), Failure> {
    if let Some(set) = PreparedSet::read(from)? {
        make_folder(to)?;
        set.write(to)?;
    }
    Ok(())
}
