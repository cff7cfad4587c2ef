//! The run on one page: `report.html`, which needs nothing else, not even a network.
mod chart;
mod html;
mod lanes;
mod learned;
mod page;
mod pick;
mod pictures;

pub use html::escape;

use crate::Result;
use crate::pick::{DrawnSteps, Pick};
use crate::plan::{PlannedPicture, TrainPlan};
use crate::run_folder::curves::Curves;
use crate::run_folder::read_plan;
use crate::state::{Counters, SavedState};
use std::path::{Path, PathBuf};
use wayword_formats::{Fault, atomic};

/// The pictures of a plan that its page shows.
pub(crate) fn shown(plan: &TrainPlan) -> impl Iterator<Item = &PlannedPicture> {
    let learned = (0..plan.pictures.len()).filter(|place| !plan.is_regular(*place));
    learned.take(page::MOST_SHOWN).map(|place| &plan.pictures[place])
}

/// Writes the page of a run in its folder; gives its path.
///
/// # Errors
/// If the run's log cannot be read or the page cannot be written.
pub fn write(run: &Path, plan: &TrainPlan, counters: &Counters) -> Result<PathBuf> {
    let curves = Curves::read(&run.join("log.jsonl"))?;
    let html = page::html((run, plan, counters), &curves, None);
    save(run.join("report.html"), &html)
}

/// Writes the page of a pick in its run's folder, and the run's own page anew with what the pick found;
/// gives the path of the pick's.
///
/// # Errors
/// If the run cannot be read or a page cannot be written.
pub fn write_pick(run: &Path, pick: &Pick, drawn: &[DrawnSteps]) -> Result<PathBuf> {
    let log = run.join("log.jsonl");
    let curves = if log.is_file() { Curves::read(&log)? } else { Curves::default() };
    let state = run.join("state.safetensors");
    if state.is_file() {
        let (plan, counters) = (read_plan(run)?, SavedState::load(&state)?.counters);
        let html = page::html((run, &plan, &counters), &curves, Some((pick, drawn)));
        save(run.join("report.html"), &html)?;
    }
    save(run.join("pick.html"), &pick::html(pick, drawn, &curves))
}

fn save(path: PathBuf, html: &str) -> Result<PathBuf> {
    atomic::write_bytes(&path, html.as_bytes()).map_err(|e| Fault::Io(e).at(&path))?;
    Ok(path)
}
