//! `wayword prepare`: photos from phones and cameras to training images.
//!
//! All photos are looked at first, because framing and near-duplicates depend on the whole set. What is
//! likely to be made of a photo is cut while its pixels are there, as far as there is room; only photos
//! that become something else are read again.
pub(crate) mod auto;
mod balance;
mod captions;
mod cuts;
mod decide;
mod look;
mod person;
mod pixels;
mod record;
mod report;
mod several;
mod sheet;

pub use balance::Balance;
pub(crate) use pixels::image as image_of;
pub use record::{Choice, PreparedPicture, PreparedSet};
pub use report::PrepareReport;

use crate::commands::{judge, make_folder, write};
use crate::request::{Prepare as Options, PreparedFormat, Subject};
use crate::session::Context;
use crate::{Failure, commands};
use cuts::Cuts;
use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};
use look::Photo;
use sheet::Pair;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wayword_formats::endings;
use wayword_interface::Warning;
use wayword_train::dataset::scan::ScanOptions;
use wayword_vision::{Detector, Rgb, head_and_shoulders};

/// Folder of the masks in the output folder.
const MASKS: &str = "masks";

/// Folder of the contact sheet, which is no training image.
const SHEETS: &str = "prepare";

/// Side of an image on the sheet.
const SIDE: u32 = 200;

/// How the pass is done, beside what can be asked for.
struct Pass<'a> {
    options: &'a Options,
    /// Whether it is the first part of a training, in a folder of the program's own.
    is_part: bool,
    /// Endings of caption files.
    captions: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// If the output folder is in use, no photo can be read, a file cannot be written, or a stop was
/// requested.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<PrepareReport, Failure> {
    let captions = ScanOptions::default().caption_extensions;
    Pass { options, is_part: false, captions }.run(context)
}

impl Pass<'_> {
    fn run(&self, context: &Context<'_>) -> Result<PrepareReport, Failure> {
        let (options, progress) = (self.options, &context.progress);
        let files = commands::pictures::list(&options.photos)?;
        free(options, &files)?;
        let earlier = if options.overwrite { PreparedSet::read(&options.out)? } else { None };
        let network = |path| judge::face_network(path, context);
        let judge = options.judge.as_deref().map(network).transpose()?;
        let people = options.subject == Subject::Person;
        let detector = people.then(Detector::bundled).transpose()?;
        if !people {
            progress.note("crops are placed in the middle of the photos");
        }
        progress.phase("looking at photos");
        let (mut photos, mut unread) = (Vec::new(), of_other_kinds(&options.photos));
        let cuts = Cuts::new(decide::size(options));
        let mut made = Vec::new();
        let look = |place: usize| {
            let (photo, pixels) = look::look(&files[place], detector.as_ref(), judge.as_ref())?;
            let likely = if options.dry_run { Vec::new() } else { decide::likely(options, &photo) };
            Ok::<_, Failure>((photo, cuts.of(pixels.view(), &likely)))
        };
        let count = |place: usize| pixels::count(&files[place]);
        let mut place = 0;
        several::in_order(files.len(), progress.stop, count, look, |looked| {
            match looked {
                Ok((photo, cuts)) => {
                    photos.push(photo);
                    made.push(cuts);
                }
                // One photo that cannot be read is no reason to leave out the others.
                Err(failure) => {
                    progress.warn(Warning::from(failure.diagnostic.clone()));
                    unread.push((files[place].clone(), failure.message().to_owned()));
                }
            }
            place += 1;
            Ok(())
        })?;
        progress.go_on()?;
        if photos.is_empty() {
            return Err(Failure::user("none of the photos can be read"));
        }
        let resolution = (options.resolution.width, options.resolution.height);
        let mut set = PreparedSet::new(resolution, decide::decide(options, &photos));
        let changes = earlier.as_ref().map_or(0, |earlier| set.keep_changes(earlier));
        let smalls: Vec<RgbImage> = set
            .pictures
            .iter()
            .zip(photos)
            .map(|(picture, photo)| turned(picture, photo))
            .collect();
        let balance = balance::of(set.pictures.iter().zip(&smalls));
        let mut report = PrepareReport {
            out: options.out.clone(),
            written: false,
            pictures: set.pictures.clone(),
            unread,
            changes,
            balance,
            sheets: Vec::new(),
        };
        if options.dry_run {
            return Ok(report);
        }
        progress.phase("writing images");
        make_folder(&options.out)?;
        let made = set.pictures.iter().zip(made).map(|(p, made)| cuts::pick(made, p.choice));
        let pairs = self.images(&set, smalls, made.collect(), context)?;
        if let Some(earlier) = &earlier {
            self.remove_stale(earlier, &set)?;
        }
        set.write(&options.out)?;
        let page = options.out.join("sheet.html");
        write(&page, sheet::page(&set, &pairs, &report.balance)?.as_bytes())?;
        let folder = options.out.join(SHEETS);
        make_folder(&folder)?;
        let drawn = crate::sheet::draw(&sheet::sheet(&set, &pairs, &report.balance))?;
        let picture = folder.join("sheet.png");
        write(&picture, &pixels::encoded(&drawn, PreparedFormat::Png)?)?;
        (report.written, report.sheets) = (true, vec![page, picture]);
        Ok(report)
    }

    /// Writes the images of all photos that are kept, of which some are `made`; gives small copies of
    /// photos and images.
    fn images(
        &self,
        set: &PreparedSet,
        smalls: Vec<RgbImage>,
        made: Vec<Mutex<Option<Rgb>>>,
        context: &Context<'_>,
    ) -> Result<Vec<Pair>, Failure> {
        let progress = &context.progress;
        let (mut pairs, mut photos) = (Vec::new(), set.pictures.iter().zip(smalls));
        let made = |place: usize| made[place].lock().unwrap_or_else(PoisonError::into_inner);
        let count = |place: usize| {
            let picture = &set.pictures[place];
            let is_read = picture.choice.keep && made(place).is_none();
            if is_read { pixels::count(&picture.source) } else { 0 }
        };
        let work = |place: usize| {
            let made = made(place).take();
            self.image(&set.pictures[place], made)
        };
        several::in_order(set.pictures.len(), progress.stop, count, work, |image| {
            let (image, Some((picture, small))) = (image?, photos.next()) else { return Ok(()) };
            if image.is_some() {
                progress.saved(self.options.out.join(&picture.file), self.is_part);
            }
            pairs.push(Pair { photo: sheet::marked(picture, small), image });
            Ok(())
        })?;
        progress.go_on()?;
        Ok(pairs)
    }

    /// Writes the image of a photo that is kept, its mask and its captions; gives a small copy.
    fn image(
        &self,
        picture: &PreparedPicture,
        made: Option<Rgb>,
    ) -> Result<Option<RgbImage>, Failure> {
        let options = self.options;
        let Some(crop) = picture.choice.crop.filter(|_| picture.choice.keep) else {
            return Ok(None);
        };
        let size = decide::size(options);
        let turn = picture.choice.turn;
        let made = match made {
            Some(made) => made,
            None => {
                let pixels::Photo { pixels: photo, sha256, .. } = pixels::read(&picture.source)?;
                if sha256 != picture.sha256 || !crop.fits(turn.size(photo.view().size())) {
                    let what = format!("{} changed while it was read", picture.source.display());
                    return Err(Failure::user(what).hint("run the command again"));
                }
                cuts::image(photo.view(), turn, crop, size)
            }
        };
        let image = pixels::image(made)?;
        write(&options.out.join(&picture.file), &pixels::encoded(&image, options.format)?)?;
        captions::copy(picture, &self.captions, &options.out, self.is_part)?;
        if options.masks {
            mask(options, picture, size)?;
        }
        let fitted = SIDE as f32 / image.width().max(image.height()) as f32;
        let side = |n: u32| ((n as f32 * fitted).round() as u32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        Ok(Some(imageops::resize(&image, width, height, FilterType::Triangle)))
    }

    /// Removes images that an earlier run wrote and this one does not keep, with their masks and captions.
    /// What else lies in the folder stays.
    fn remove_stale(&self, earlier: &PreparedSet, set: &PreparedSet) -> Result<(), Failure> {
        let out = &self.options.out;
        let kept: Vec<&String> =
            set.pictures.iter().filter(|p| p.choice.keep).map(|p| &p.file).collect();
        // One that was left out by hand since was proposed and written.
        let written = |p: &&PreparedPicture| p.choice.keep || p.proposed.keep;
        for old in earlier.pictures.iter().filter(written).filter(|p| !kept.contains(&&p.file)) {
            let mask = Path::new(MASKS).join(Path::new(&old.file).with_extension("png"));
            let captions = captions::pairs(old, &self.captions, out).into_iter();
            // A caption that was written by hand is nobody else's.
            let copied = captions.filter(|(from, _)| from.is_file()).map(|(_, to)| to);
            for path in [out.join(&old.file), out.join(mask)].into_iter().chain(copied) {
                match std::fs::remove_file(&path) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Failure::io("cannot remove", &path, &e));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Photos in folders whose kinds are not read, such as HEIC.
fn of_other_kinds(places: &[PathBuf]) -> Vec<(PathBuf, String)> {
    let inside = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten();
    let mut found: Vec<PathBuf> = inside.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| endings::has(path, endings::UNREAD_PICTURES) && !endings::is_hidden(path));
    found.sort();
    let reason = || "files of this kind are not read; save it as PNG or JPEG".to_owned();
    found.into_iter().map(|path| (path, reason())).collect()
}

/// Refuses an output folder that is in use, or that holds the photos.
fn free(options: &Options, files: &[PathBuf]) -> Result<(), Failure> {
    let out = &options.out;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = |file: &PathBuf| file.parent().map(real);
    if files.iter().any(|file| folder(file).as_deref() == Some(&real(out))) {
        return Err(Failure::user(format!("{} is the photos' own folder", out.display()))
            .hint("choose another folder with {prepare.out}; photos are never changed"));
    }
    if out.is_file() {
        return Err(Failure::user(format!("{} is a file, expected a folder", out.display())));
    }
    let used = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if used && !options.overwrite && !options.dry_run {
        return Err(Failure::user(format!("{} is not empty", out.display())).hint(
            "pass {prepare.overwrite} to write into it, or choose another folder with {prepare.out}",
        ));
    }
    Ok(())
}

/// The small copy, turned as a changed choice says.
fn turned(picture: &PreparedPicture, photo: Photo) -> RgbImage {
    let quarters = (u16::from(picture.choice.turn) + 360 - u16::from(photo.turn)) / 90 % 4;
    match quarters {
        1 => imageops::rotate90(&photo.small),
        2 => imageops::rotate180(&photo.small),
        3 => imageops::rotate270(&photo.small),
        _ => photo.small,
    }
}

/// Writes the mask of head and shoulders; all counts where there is no face, or where the photo was
/// turned by hand.
fn mask(options: &Options, picture: &PreparedPicture, size: (usize, usize)) -> Result<(), Failure> {
    let levels = match (picture.face, picture.choice.crop) {
        (Some(face), Some(crop)) if picture.choice.turn == picture.proposed.turn => {
            head_and_shoulders(&face, crop, size)
        }
        _ => vec![u8::MAX; size.0 * size.1],
    };
    let folder = options.out.join(MASKS);
    make_folder(&folder)?;
    let (width, height) = (options.resolution.width, options.resolution.height);
    let mask = GrayImage::from_raw(width, height, levels)
        .ok_or_else(|| Failure::user("a mask has not as many pixels as its size says"))?;
    let name = Path::new(&picture.file).with_extension("png");
    let rgb = image::DynamicImage::ImageLuma8(mask).to_rgb8();
    write(&folder.join(name), &pixels::encoded(&rgb, PreparedFormat::Png)?)
}
