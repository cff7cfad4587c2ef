//! `wayword draw`: pictures of a prompt, written as they are done.
use super::base;
use crate::failure::Failure;
use crate::options::Draw as Options;
use crate::show::Progress;
use crate::stop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::{
    Base, DrawPlan, DrawSettings, Embeddings, Event, Events, Loras, Picture, draw,
};
use wayword_formats::png_text::{PngText, encode_rgb8};
use wayword_formats::{atomic, embedding};

/// Runs the command.
///
/// # Errors
/// If the options cannot be used, a file cannot be read or written, or Ctrl-C ended it early.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let progress = Progress::new(options.machine.json);
    let stop = stop::on_ctrl_c("the step that runs is finished; pictures that are done are kept")?;
    let (sampler, schedule) = resolve(&options.sampler, None, false)?;
    if let Some(missing) = options.embeddings.iter().find(|p| !p.exists()) {
        return Err(Failure::user(format!("no such folder or file: {}", missing.display()))
            .hint("--embeddings takes a folder of embedding files, or one file"));
    }
    let place = Place::new(options)?;
    let base = base::load(&options.base, &options.machine, &progress, &progress)?;
    let words = words(&base, &options.embeddings, &progress)?;
    let mut settings = DrawSettings::new(&base, options.prompt.clone());
    settings.negatives = vec![options.negative.clone()];
    if let Some(size) = options.size {
        (settings.width, settings.height) = (size.width, size.height);
    }
    settings.steps = u32::try_from(options.steps).unwrap_or(u32::MAX);
    settings.cfg = options.cfg;
    settings.sampler = sampler.kind;
    settings.schedule = schedule;
    settings.clip_skip = options.clip_skip;
    settings.embeddings = Some(Arc::new(words));
    if !options.loras.is_empty() {
        settings.loras = Some(Arc::new(Loras::open(&options.loras, &progress)?));
    }
    settings.keep_loras = true;
    let first = options.seed.unwrap_or_else(super::random_seed);
    // One picture after the other, so that each is written as soon as it is done.
    for index in 0..options.count {
        settings.seed = first.wrapping_add(index as u64);
        let plan = DrawPlan::new(&base, settings.clone())?;
        let events = OneOfMany { progress: &progress, index, of: options.count };
        let drawn = draw(&base, &plan, &events, &stop)?;
        let Some(picture) = drawn.first() else { break };
        let path = place.save(picture, index)?;
        if options.machine.json {
            progress.event(Event::Saved(path));
        } else {
            progress.data(&path.display().to_string())?;
        }
        if stop.asked() && index + 1 < options.count {
            break;
        }
    }
    progress.end();
    if stop.asked() {
        return Err(Failure::stopped("before all pictures were drawn"));
    }
    Ok(())
}

/// The words in folders and files.
pub(crate) fn words(
    base: &Base,
    places: &[PathBuf],
    events: &dyn Events,
) -> Result<Embeddings, Failure> {
    let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) =
        places.iter().cloned().partition(|p| p.is_file());
    let mut words = Embeddings::load(base, &folders, events)?;
    for file in files {
        let word = embedding::read(&file)?;
        word.fits(base.info.token_width).map_err(|fault| Failure::from(fault.at(&file)))?;
        words.add(&word.trigger(&file), word.vectors.clone(), Some(file))?;
    }
    Ok(words)
}

/// Where pictures go.
enum Place {
    /// Numbered files, the first number that is free and the next ones.
    Folder(PathBuf, usize),
    /// One file.
    File(PathBuf),
}

impl Place {
    fn new(options: &Options) -> Result<Place, Failure> {
        let out = &options.out;
        let is_png = out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
        if is_png && !out.is_dir() {
            if options.count > 1 {
                return Err(Failure::user("--out names one file for several pictures")
                    .hint("give a folder, or --count 1"));
            }
            let parent = out.parent().filter(|p| !p.as_os_str().is_empty());
            if let Some(parent) = parent {
                make(parent)?;
            }
            return Ok(Place::File(out.clone()));
        }
        make(out)?;
        let entries =
            std::fs::read_dir(out).map_err(|e| Failure::io("cannot read the folder", out, &e))?;
        let number = |name: &str| name.get(..5).and_then(|n| n.parse::<usize>().ok());
        let taken = entries.filter_map(|e| number(&e.ok()?.file_name().to_string_lossy())).max();
        Ok(Place::Folder(out.clone(), taken.map_or(0, |n| n + 1)))
    }

    fn save(&self, picture: &Picture, index: usize) -> Result<PathBuf, Failure> {
        let path = match self {
            Place::Folder(dir, next) => {
                dir.join(format!("{:05}-{}.png", next + index, picture.seed))
            }
            Place::File(path) => path.clone(),
        };
        save(picture, &path)?;
        Ok(path)
    }
}

fn make(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|e| Failure::io("cannot make the folder", dir, &e))
}

/// Writes a picture with its settings.
pub(crate) fn save(picture: &Picture, path: &Path) -> Result<(), Failure> {
    let text = PngText { key: "parameters".into(), text: picture.infotext.clone() };
    let png = encode_rgb8(picture.width, picture.height, &picture.rgb, &[text])
        .map_err(|fault| Failure::from(fault.at(path)))?;
    atomic::write_bytes(path, &png).map_err(|e| Failure::io("cannot write", path, &e))
}

/// The events of one picture, told as one of several.
struct OneOfMany<'a> {
    progress: &'a Progress,
    index: usize,
    of: usize,
}

impl Events for OneOfMany<'_> {
    fn event(&self, event: Event) {
        let (index, pictures) = (self.index, self.of);
        let event = match event {
            Event::Step { step, of, .. } => Event::Step { step, of, first: index, pictures },
            Event::Picture { seed, .. } => Event::Picture { index, of: pictures, seed },
            Event::Finished { .. } if index + 1 < pictures => return,
            // What is to be said of the prompt was said at the first picture.
            Event::Warned(_) if index > 0 => return,
            other => other,
        };
        Events::event(self.progress, event);
    }
}
