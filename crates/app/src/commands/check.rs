//! `wayword check`: what a training would do and take, and what is wrong with its pictures.
use super::train::{layers, ready};
use crate::failure::Failure;
use crate::options::Train as Options;
use crate::show::{self, Progress};
use wayword_interface::Events as _;
use wayword_interface::options::Layer;
use wayword_train::estimate;
use wayword_train::event::Event;

/// Captions shown at most.
const CAPTIONS: usize = 20;

/// Runs the command. Nothing is written.
///
/// # Errors
/// As a training that cannot begin.
pub(crate) fn run(flags: &Layer) -> Result<(), Failure> {
    let progress = Progress::new(flags.read::<Options>()?.machine.json);
    let options = layers::gather(flags, &progress)?;
    let (base, plan, memory) = ready::ready(&options, &progress)?;
    let estimate = estimate::estimate(&base, &plan, memory)?;
    let summary = plan.summary(Some(estimate));
    progress.end();
    if progress.is_json() {
        progress.event(Event::Planned(Box::new(summary)));
        return Ok(());
    }
    show::plan::lines(&summary, CAPTIONS).iter().try_for_each(|line| show::data(line))?;
    show::data(&match summary.warnings.len() {
        0 => "nothing is wrong".into(),
        1 => "1 warning".into(),
        n => format!("{n} warnings"),
    })
}
