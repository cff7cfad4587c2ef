//! `wayword grid`: one prompt with many settings, as cells, a sheet and a page.
mod axis;
mod bases;
mod cells;
mod draw;
mod page;
mod words;

use super::texts::Texts;
use super::{checks, make_folder, write};
use crate::Failure;
use crate::numbers::{duration, estimated};
use crate::request::Grid as Options;
use crate::session::Context;
use axis::Axis;
use bases::PlannedBase;
use cells::Cell;
use draw::Studio;
use page::{Done, Shown};
use std::path::{Path, PathBuf};
use std::time::Instant;
use wayword_diffusion::embeddings::may_call;
use wayword_formats::{atomic, embedding};
use wayword_interface::Warning;
use wayword_train::run_folder::kept::KeptVectors;
use words::{Names, Words};

/// Runs the command.
///
/// # Errors
/// If an axis or another option cannot be used, no cell could be drawn, or Ctrl-C ended it early.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<GridFiles, Failure> {
    let progress = &context.progress;
    checks::places_exist(&options.places)?;
    let run = options.run.as_deref().map(KeptVectors::open).transpose()?;
    let axes = axes(options, run.as_ref())?;
    let names = Names::new(names(options, context)?, run.as_ref());
    let mut start = cells::start(options)?;
    for warning in super::detail::apply(&options.detail, &mut start.settings)? {
        progress.warn(warning);
    }
    let mut texts = Texts::new(&options.places, start.settings.quirks)?;
    let cells = cells::cells(&start, &axes, &names, &mut texts)?;
    for note in texts.notes() {
        progress.warn(Warning::new(note));
    }
    let job = GridJob { options, run: run.as_ref(), context };
    job.refuse_another()?;
    let bases = bases::planned(options, &cells, context)?;
    job.prepare()?;
    let (done, failed) = job.draw(&cells, &bases)?;
    if done.is_empty() {
        return Err(
            failed.map_or_else(|| Failure::stopped("before the first cell was drawn"), |f| f.1)
        );
    }
    let shown = Shown { prompt: &options.prompt, axes: &axes, done: &done };
    job.write(&shown)?;
    match failed {
        _ if progress.stop.is_requested() && done.len() < cells.len() => {
            let (done, all) = (done.len(), cells.len());
            Err(Failure::stopped(format!("after {done} of {all} cells; they are kept and shown")))
        }
        Some((count, first)) => Err(Failure::user(format!(
            "{count} of {} cells could not be drawn: {}",
            cells.len(),
            first.message()
        ))),
        None => Ok(GridFiles {
            sheet: job.file("grid.png"),
            page: job.file("index.html"),
            cells: done.iter().map(|cell| job.file(&cell.file)).collect(),
        }),
    }
}

/// The files of a grid.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GridFiles {
    /// All cells in one picture.
    pub sheet: PathBuf,
    /// A page with all cells.
    pub page: PathBuf,
    /// The cells' pictures.
    pub cells: Vec<PathBuf>,
}

/// The three axes, read and checked.
fn axes(options: &Options, run: Option<&KeptVectors>) -> Result<[Option<Axis>; 3], Failure> {
    let read = |text: &Option<String>| text.as_deref().map(Axis::read).transpose();
    let mut axes = [read(&options.x)?, read(&options.y)?, read(&options.z)?];
    if !options.travel.is_empty() {
        axes[0] = Some(Axis::travel(&options.travel)?);
    }
    if axes.iter().all(Option::is_none) {
        return Err(Failure::user("a grid needs an axis")
            .hint("add one, such as {grid.x} 'weight: 0.4, 0.8, 1.2'"));
    }
    let of_run = |axis: &Axis| axis.kind == axis::AxisKind::Step;
    if let Some(run) = run.filter(|_| !axes.iter().flatten().any(of_run)) {
        let meant = axes.iter().flatten().any(|axis| axis.kind == axis::AxisKind::Steps);
        let last = run.last();
        let hint = if meant {
            format!("`steps` are those of the sampler; `step: 200, {last}` are those of the run")
        } else {
            format!("add an axis such as 'step: 200, {last}', or leave {{grid.run}} out")
        };
        return Err(Failure::user("{grid.run} without an axis `step` changes nothing").hint(hint));
    }
    let named = |a: &Axis| (a.kind, a.target.clone());
    let kinds: Vec<_> = axes.iter().flatten().map(named).collect();
    if let Some((i, _)) = kinds.iter().enumerate().find(|(i, a)| kinds[..*i].contains(a)) {
        return Err(Failure::user(format!("two axes are {}", kinds[i].0.title())));
    }
    axes.iter_mut().flatten().try_for_each(|axis| words::fill(axis, run))?;
    Ok(axes)
}

/// The names of the words in folders and files; whether they fit is seen at each base. Of the
/// session's folders only those that the prompt or an axis may call.
fn names(options: &Options, context: &Context<'_>) -> Result<Vec<String>, Failure> {
    let axes = [&options.x, &options.y, &options.z].into_iter().flatten();
    let texts = axes.chain([&options.prompt]).chain(&options.settings.negative);
    let is_called = may_call(texts.map(String::as_str));
    let shared = context.core.folders().embeddings;
    let mut out = Vec::new();
    for place in &options.places.embeddings {
        if place.is_file() {
            out.push(embedding::read(place)?.trigger(place));
            continue;
        }
        let is_shared = shared.contains(place);
        let found = embedding::scan_called(place, None, &|name| !is_shared || is_called(name))?;
        out.extend(found.loaded.into_iter().map(|word| word.name));
    }
    Ok(out)
}

/// How many cells could not be drawn, and why the first could not.
type Failed = Option<(usize, Failure)>;

/// A grid that is drawn.
struct GridJob<'a> {
    options: &'a Options,
    run: Option<&'a KeptVectors>,
    context: &'a Context<'a>,
}

impl GridJob<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.options.out.join(name)
    }

    /// Whether the folder is free.
    fn refuse_another(&self) -> Result<(), Failure> {
        let out = &self.options.out;
        if self.file("grid.json").exists() && !self.options.overwrite {
            return Err(Failure::user(format!("there is a grid in {}", out.display()))
                .hint("choose another folder with {grid.out}, or pass {grid.overwrite}"));
        }
        Ok(())
    }

    /// Makes the folder.
    fn prepare(&self) -> Result<(), Failure> {
        let out = &self.options.out;
        make_folder(&self.file("cells"))?;
        atomic::probe(out).map_err(|e| Failure::io("cannot write into", out, &e))
    }

    /// Loads a checkpoint with the words of all cells; with the first, tells how long they will take.
    fn studio(
        &self,
        planned: &PlannedBase<'_>,
        cells: &[Cell],
        is_first: bool,
    ) -> Result<Studio<'_>, Failure> {
        let base = self.context.base(&planned.location)?;
        let (places, progress) = (&self.options.places, &self.context.progress);
        let texts: Vec<&str> =
            cells.iter().flat_map(|cell| cell.settings.texts().map(String::as_str)).collect();
        let words = super::draw::words(&base, &places.embeddings, &texts, self.context)?;
        let loras = super::draw::loras(&places.loras, progress)?;
        let mut studio = Studio::new(base, Words::new(words, self.run), loras);
        if is_first {
            studio.tell_forecast(cells, planned, progress)?;
        }
        Ok(studio)
    }

    /// Draws and saves cells until the end or until asked to stop; a cell that fails is left blank.
    /// Gives the cells, and how many failed with the first failure.
    fn draw(
        &self,
        cells: &[Cell],
        bases: &[PlannedBase<'_>],
    ) -> Result<(Vec<Done>, Failed), Failure> {
        let total: usize = cells.iter().map(|cell| cell.settings.steps as usize).sum();
        let (start, mut steps) = (Instant::now(), 0);
        let mut loading = 0.0;
        let mut done: Vec<Done> = Vec::new();
        let mut failed: Failed = None;
        let mut studio: Option<(Option<&Path>, Studio<'_>)> = None;
        for (index, cell) in cells.iter().enumerate() {
            if self.context.progress.stop.is_requested() {
                break;
            }
            let path = cell.base.as_deref();
            if studio.as_ref().is_none_or(|(loaded, _)| *loaded != path) {
                // The old model goes before the new one comes.
                drop(studio.take());
                let begin = Instant::now();
                let planned = bases.iter().find(|planned| planned.path == path);
                let Some(planned) = planned else { break };
                studio = Some((path, self.studio(planned, cells, index == 0)?));
                loading += begin.elapsed().as_secs_f64();
            }
            let Some((_, studio)) = &mut studio else { break };
            let begin = Instant::now();
            // Nobody asked to skip this one yet.
            self.context.progress.stop.forget_skip();
            let drawn = studio.draw(cell, (index, cells.len()), &self.context.progress);
            steps += cell.settings.steps as usize;
            match drawn {
                Ok(None) => break,
                Ok(Some(picture)) => {
                    let file = name(cell);
                    super::draw::save(&picture, &self.file(&file))?;
                    let spent = start.elapsed().as_secs_f64() - loading;
                    let left = spent / steps.max(1) as f64 * (total - steps) as f64;
                    let left = (steps < total).then(|| format!(", {} left", estimated(left)));
                    self.context.progress.note(&format!(
                        "cell {} of {}: {file} in {}{}",
                        index + 1,
                        cells.len(),
                        duration(begin.elapsed().as_secs_f64()),
                        left.unwrap_or_default()
                    ));
                    self.context.progress.saved(self.file(&file), true);
                    done.push(Done { at: cell.at, file, picture });
                }
                Err(failure) => {
                    let text = format!("{} is left blank: {}", name(cell), failure.message());
                    let hint = failure.diagnostic.hint.clone();
                    self.context.progress.warn(Warning::new(text).with_hint_if(hint));
                    failed = Some(failed.map_or((1, failure), |(n, first)| (n + 1, first)));
                }
            }
        }
        done.sort_by_key(|d| [d.at[2], d.at[1], d.at[0]]);
        Ok((done, failed))
    }

    /// Writes sheet, page and list.
    fn write(&self, shown: &Shown<'_>) -> Result<(), Failure> {
        page::sheet(shown, &self.file("grid.png"))?;
        write(&self.file("index.html"), page::page(shown).as_bytes())?;
        let listing = serde_json::to_string_pretty(&page::listing(shown))?;
        write(&self.file("grid.json"), listing.as_bytes())?;
        for name in ["grid.png", "index.html"] {
            let path = self.file(name);
            self.context.progress.saved(path, false);
        }
        Ok(())
    }
}

/// A cell's file below the grid's folder.
fn name(cell: &Cell) -> String {
    let [x, y, z] = cell.at;
    format!("cells/x{x:02}-y{y:02}-z{z:02}.png")
}
