//! `wayword draw`: pictures of a prompt, written as they are done.
mod files;
mod jobs;
mod place;
mod settings;
mod steps;

pub(crate) use files::mask;
pub(crate) use place::save;

use super::texts::Texts;
use super::{base, checks};
use crate::Failure;
use crate::event::Progress;
use crate::request::Draw as Options;
use crate::session::Context;
use place::OutputLocation;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wayword_diffusion::forecast::{DrawForecast, DrawSpeed, DrawWork, SizedBase};
use wayword_diffusion::generate::{ModelAccess, draw_each};
use wayword_diffusion::img2img::ImageSettings;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, Event, Loras, repeat};
use wayword_formats::{embedding, picture_text};
use wayword_interface::{Events, Warning};

/// Runs the command.
///
/// # Errors
/// If the options cannot be used, a file cannot be read or written, or Ctrl-C ended it early.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<Vec<PathBuf>, Failure> {
    let (progress, stop) = (&context.progress, context.progress.stop);
    // Everything that can be refused without the base is refused before it is loaded.
    let found = options.from.as_deref().map(picture_text::read).transpose()?;
    for remark in found.iter().flat_map(|found| &found.remarks) {
        progress.warn(Warning::new(remark.clone()).with_field("draw.from"));
    }
    let mut from = found.map(|found| found.infotext);
    if let Some(text) = &mut from {
        settings::override_text(options, text);
    }
    let mut plain = DrawSettings::plain("", (512, 512));
    let repeated = match &from {
        Some(text) => Some(repeat::apply(text, &mut plain)?),
        None => None,
    };
    let literal: Vec<String> = plain.texts().cloned().collect();
    let has_size = from.as_ref().is_some_and(|text| text.get("Size").is_some());
    settings::apply(options, &mut plain)?;
    settings::image(options, repeated.as_ref(), has_size, &mut plain)?;
    let run = steps::asked(options, from.as_ref())?;
    if repeated.as_ref().is_some_and(|said| said.detail_masks)
        && options.detail.detail_mask.is_empty()
    {
        return Err(Failure::user(
            "faces were drawn again with masks, which the image does not store",
        )
        .hint("pass these masks with {draw.detail_mask}"));
    }
    for warning in super::detail::apply(&options.detail, &mut plain)? {
        progress.warn(warning);
    }
    checks::places_exist(&options.places)?;
    let mut texts = Texts::new(&options.places, plain.quirks)?;
    let warn = |warning: Warning| progress.warn(warning);
    texts.notes().into_iter().map(Warning::new).for_each(warn);
    texts.combinatorial = options.combinatorial;
    texts.limit = options.count;
    if from.is_some() {
        // What a picture says of itself was drawn already; only what is new is a template.
        texts.literal = literal;
    }
    let jobs = jobs::all(options, &plain, &mut texts)?;
    let count = jobs.iter().map(|job| job.settings.count).sum();
    let place = OutputLocation::new(options, count)?;
    let mut model = options.base.clone();
    if let (Some(text), None) = (&from, model.prediction) {
        model.prediction = settings::prediction(text)?;
    }
    let loading = base::for_drawing(&model, &options.machine, context)?;
    // A whole picture to begin with brings its size; a part of one is drawn at the base's own.
    let whole = |image: &ImageSettings| !image.mask.as_ref().is_some_and(|mask| mask.only_masked);
    let own_size =
        options.settings.size.is_none() && !has_size && !plain.image.as_ref().is_some_and(whole);
    let sizes = SizedBase::load(&loading.options)?;
    let largest = jobs.iter().map(|job| &job.settings).max_by_key(|s| pixels(s));
    let memory = largest.map(|settings| sizes.memory(settings, own_size)).transpose()?;
    if let (false, Some(memory)) = (options.memory.force, memory) {
        fits(&loading, memory, options.batch, context)?;
    }
    let base = context.base(&loading)?;
    let size = own_size.then_some(base.info.resolution);
    let called: Vec<&str> =
        jobs.iter().flat_map(|job| job.settings.texts().map(String::as_str)).collect();
    let mut words = words(&base, &options.places.embeddings, &called, context)?;
    let said = match &run {
        Some(run) => run.add(&mut words, warn)?,
        None => Vec::new(),
    };
    let words = Arc::new(words);
    let loras = loras(&options.places.loras, progress)?;
    texts.notes().into_iter().map(Warning::new).for_each(warn);
    let mut plans = Vec::new();
    for mut job in jobs {
        let s = &mut job.settings;
        if let (Some(text), Some(loras), None) = (&from, &loras, &options.prompt) {
            repeat::rename_loras(text, loras, s)?.into_iter().for_each(warn);
        }
        if let Some((width, height)) = size {
            s.width = if job.sized.0 { s.width } else { width };
            s.height = if job.sized.1 { s.height } else { height };
        }
        let (embeddings, loras) = (Some(Arc::clone(&words)), loras.clone());
        let preview_every = options.preview_every;
        let said = said.clone();
        let settings = DrawSettings { embeddings, loras, preview_every, said, ..job.settings };
        let plan = DrawPlan::new(&base, settings).map_err(Failure::from);
        plans.push(plan.map_err(|failure| match &job.place {
            Some(place) => failure.at(place),
            None => failure,
        })?);
    }
    if let (Some(text), Some(repeated), Some(plan)) = (&from, repeated, plans.first()) {
        repeated.warnings.into_iter().for_each(warn);
        repeat::compare(text, &base, plan)?.into_iter().for_each(warn);
    }
    let mut work = DrawWork::default();
    plans.iter().for_each(|plan| work.add(plan));
    tell_forecast(&base, &sizes, (count, &work), memory, progress)?;
    if let Some(plan) = plans.first() {
        super::detail::told(plan.settings()).iter().for_each(|line| progress.note(line));
    }
    let (failed, files) = (RefCell::new(None), RefCell::new(Vec::new()));
    let warned = Mutex::new(Vec::new());
    let mut first = 0;
    for plan in &plans {
        let events = OneOfMany { progress, first, pictures: count, warned: &warned };
        let model = ModelAccess::Queue(&base, context.size);
        let done = draw_each(model, plan, &events, stop, &mut |index, picture| {
            let saved = place.save(&picture, first + index).map(|path| {
                progress.saved(path.clone(), false);
                files.borrow_mut().push(path);
            });
            if let Err(failure) = saved {
                // There is no place for the next one either.
                stop.request();
                failed.borrow_mut().get_or_insert(failure);
            }
        })?;
        first += done;
        if stop.is_requested() {
            break;
        }
    }
    if let Some(failure) = failed.into_inner() {
        return Err(failure);
    }
    if stop.is_requested() && first < count {
        return Err(Failure::stopped("before all images were drawn"));
    }
    Ok(files.into_inner())
}

/// Pixels that are drawn at once.
pub(crate) fn pixels(s: &DrawSettings) -> u64 {
    u64::from(s.width) * u64::from(s.height) * s.batch.min(s.count) as u64
}

/// Tells how long the work on so many images will take, and the memory that the largest needs.
pub(crate) fn tell_forecast(
    base: &Base,
    sizes: &SizedBase,
    (pictures, work): (usize, &DrawWork),
    largest: Option<DrawForecast>,
    progress: &Progress<'_>,
) -> Result<(), Failure> {
    progress.phase("measuring a step");
    let seconds = DrawSpeed::of(base, sizes)?.seconds(work, sizes)?;
    let memory = largest.map_or(0, |forecast| forecast.peak);
    (progress.tell)(crate::Event::Forecast { pictures, seconds, memory });
    Ok(())
}

/// Whether a drawing of `batch` images at once fits into the memory that is free, as far as the
/// system tells.
///
/// # Errors
/// If it does not.
pub(crate) fn fits(
    loading: &base::BaseLocation,
    forecast: DrawForecast,
    batch: usize,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let Some(free) = loading.options.device.device_memory().map(|memory| memory.free) else {
        return Ok(());
    };
    let kept = if context.core.is_loaded(loading) { forecast.weights } else { 0 };
    let need = forecast.peak.saturating_sub(kept) as u64;
    if need <= free {
        return Ok(());
    }
    let (need, free) = (crate::numbers::bytes(need), crate::numbers::bytes(free));
    let smaller = if batch > 1 { "{any.size} or {draw.batch}" } else { "{any.size}" };
    Err(Failure::memory(format!("drawing would take {need} of memory, and {free} are free"))
        .hint(format!("use a smaller {smaller}, end other programs, or try with {{any.force}}")))
}

/// The LoRAs in folders; `None` where none was named.
pub(crate) fn loras(
    folders: &[PathBuf],
    events: &dyn Events<Event>,
) -> Result<Option<Arc<Loras>>, Failure> {
    if folders.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Loras::open(folders, events)?)))
}

/// The words in folders and files. Of the session's folders, which may have thousands, only the words
/// that stand in one of `texts` are read and told of.
pub(crate) fn words(
    base: &Base,
    places: &[PathBuf],
    texts: &[&str],
    context: &Context<'_>,
) -> Result<Embeddings, Failure> {
    let events = &context.progress;
    let session = context.core.folders().embeddings;
    let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) =
        places.iter().cloned().partition(|p| p.is_file());
    let (shared, chosen): (Vec<PathBuf>, Vec<PathBuf>) =
        folders.into_iter().partition(|folder| session.contains(folder));
    let mut words = Embeddings::new(base);
    words.load(&chosen, events)?;
    words.load_called(&shared, texts.iter().copied(), events)?;
    for file in files {
        let word = embedding::read(&file)?;
        word.fits(base.info.token_width).map_err(|fault| Failure::from(fault.at(&file)))?;
        let name = word.trigger(&file);
        if let Some(other) = words.loaded().iter().find(|word| word.name == name) {
            let other = other.path.as_deref().unwrap_or(Path::new("")).display();
            let text = format!("the word `{name}` is that of {}, not of {other}", file.display());
            events.event(Event::Warned(Warning::new(text)));
        }
        words.add(&name, word.vectors.clone(), Some(file))?;
    }
    Ok(words)
}

/// The events of some of several pictures, told as of all.
struct OneOfMany<'a> {
    progress: &'a Progress<'a>,
    first: usize,
    pictures: usize,
    /// Warnings that were given already.
    warned: &'a Mutex<Vec<Warning>>,
}

impl Events<Event> for OneOfMany<'_> {
    fn event(&self, event: Event) {
        let pictures = self.pictures;
        let event = match event {
            Event::Step { step, of, first, .. } => {
                Event::Step { step, of, first: self.first + first, pictures }
            }
            Event::Preview { index, step, picture } => {
                Event::Preview { index: self.first + index, step, picture }
            }
            Event::Picture { index, seed, .. } => {
                Event::Picture { index: self.first + index, of: pictures, seed }
            }
            Event::Finished { pictures: done, .. } if self.first + done < pictures => return,
            Event::Finished { seconds, .. } => Event::Finished { pictures, seconds },
            Event::Warned(warning) => {
                let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                if warned.contains(&warning) {
                    return;
                }
                warned.push(warning.clone());
                Event::Warned(warning)
            }
            other => other,
        };
        Events::event(self.progress, event);
    }
}
