//! The run on one page: `report.html`, which needs nothing else, not even a network.
mod chart;
mod html;
mod page;
mod pick;
mod pictures;

pub use html::escape;
pub use pick::write as write_pick;

use crate::Result;
use crate::plan::{PlannedPicture, TrainPlan};
use crate::run_folder::curves::Curves;
use crate::state::Counters;
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
    let path = run.join("report.html");
    let html = page::html(run, plan, counters, &curves);
    atomic::write_bytes(&path, html.as_bytes()).map_err(|e| Fault::Io(e).at(&path))?;
    Ok(path)
}
