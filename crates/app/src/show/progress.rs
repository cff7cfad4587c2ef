//! Events of the libraries to the terminal: a bar where somebody watches, lines where output is
//! kept, JSON where a program reads.
mod bar;
mod json;
mod lines;

use crate::failure::Failure;
use bar::Bar;
use lines::Lines;
use std::io::{self, IsTerminal as _};
use wayword_diffusion as diffusion;
use wayword_interface::{Events, Warning};
use wayword_train as train;

/// Takes events and shows them.
pub(crate) enum Progress {
    /// A line that is drawn again and again.
    Bar(Bar),
    /// A line now and then.
    Lines(Lines),
    /// An object a line, on standard output.
    Json,
}

impl Progress {
    /// For a command whose output is JSON or not.
    pub(crate) fn new(json: bool) -> Progress {
        if json {
            Progress::Json
        } else if io::stderr().is_terminal() {
            Progress::Bar(Bar::default())
        } else {
            Progress::Lines(Lines::default())
        }
    }

    /// Whether a program reads the output.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Progress::Json)
    }

    /// A sentence about the work, for people only.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Progress::Bar(bar) => bar.note(text),
            Progress::Lines(_) => super::note(text),
            Progress::Json => {}
        }
    }

    /// A line of data on standard output, with no bar in its way.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn data(&self, line: &str) -> Result<(), Failure> {
        let Progress::Bar(bar) = self else { return super::data(line) };
        let mut result = Ok(());
        bar.aside(|| result = super::data(line));
        result
    }

    /// Nothing more will come: the bar goes away.
    pub(crate) fn end(&self) {
        if let Progress::Bar(bar) = self {
            bar.clear();
        }
    }

    /// A warning and what to do about it.
    fn warn(&self, warning: &Warning) {
        match self {
            Progress::Bar(bar) => bar.aside(|| super::warning(warning)),
            Progress::Lines(_) => super::warning(warning),
            Progress::Json => json::warned(warning),
        }
    }

    fn draw_event(&self, event: &diffusion::Event) {
        match (self, event) {
            (_, diffusion::Event::Warned(warning)) => self.warn(warning),
            (Progress::Bar(bar), event) => bar.draw_event(event),
            (Progress::Lines(lines), event) => lines.draw_event(event),
            (Progress::Json, event) => json::draw_event(event),
        }
    }
}

impl Events<diffusion::Event> for Progress {
    fn event(&self, event: diffusion::Event) {
        self.draw_event(&event);
    }
}

impl Events<train::event::Event> for Progress {
    fn event(&self, event: train::event::Event) {
        match (self, &event) {
            (_, train::event::Event::Draw(event)) => self.draw_event(event),
            (_, train::event::Event::Warned(warning)) => self.warn(warning),
            (Progress::Bar(bar), event) => bar.train_event(event),
            (Progress::Lines(lines), event) => lines.train_event(event),
            (Progress::Json, event) => json::train_event(event),
        }
    }
}

/// What of a file was not used, in a line; `None` where all was. What is left out on purpose is
/// told by `inspect`.
fn loaded(report: &diffusion::LoadReport) -> Option<String> {
    if report.unused.is_empty() {
        return None;
    }
    let names: Vec<&str> = report.unused.iter().take(3).map(String::as_str).collect();
    let more = if report.unused.len() > names.len() { ", …" } else { "" };
    Some(format!("  {} tensors not used: {}{more}", report.unused.len(), names.join(", ")))
}
