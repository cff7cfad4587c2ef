//! Events of the libraries to the terminal: a bar where somebody watches, lines where output is
//! kept, JSON where a program reads.
mod bar;
mod lines;

use crate::failure::Failure;
use bar::Bar;
use lines::Lines;
use std::io::{self, IsTerminal as _};
use wayword_interface::{Warning, counted, render_fields};
use wayword_session::numbers::{bytes, estimated};
use wayword_session::{Event, JobProgress};

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
    fn data(&self, line: &str) -> Result<(), Failure> {
        let Progress::Bar(bar) = self else { return super::data(line) };
        let mut result = Ok(());
        bar.aside(|| result = super::data(line));
        result
    }

    /// Where the job is.
    pub(crate) fn at(&self, job: &JobProgress) {
        if let Progress::Bar(bar) = self {
            bar.show(job);
        }
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
            Progress::Json => {
                let shown = warning.render(&super::Flags);
                let object = serde_json::json!({
                    "event": "warned",
                    "text": shown.message,
                    "hint": shown.hint,
                });
                let _ = super::data(&object.to_string());
            }
        }
    }

    /// Shows an event; files that are results go to standard output.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn event(&self, event: &Event) -> Result<(), Failure> {
        match (self, event) {
            (_, Event::Warned(warning)) => self.warn(warning),
            (Progress::Json, Event::Note { .. }) => {}
            (Progress::Json, event) => return super::data(&super::json(event)),
            (_, Event::Note { text }) => self.note(&render_fields(text, &super::Flags)),
            (_, Event::Saved { part: true, .. }) => {}
            (_, Event::Saved { path, step: None, .. }) => {
                return self.data(&path.display().to_string());
            }
            (Progress::Bar(bar), event) => bar.event(event),
            (Progress::Lines(lines), event) => lines.event(event),
        }
        Ok(())
    }
}

/// What a drawing will take, in a line.
fn forecast(pictures: usize, seconds: f64, memory: usize) -> String {
    let (pictures, memory) = (counted(pictures, "image"), bytes(memory as u64));
    format!("estimate: {} for {pictures}, {memory} of memory", estimated(seconds))
}

/// What of a file was not used, in a line; `None` where all was. What is left out on purpose is
/// told by `inspect`.
fn unused(unused: &[String]) -> Option<String> {
    if unused.is_empty() {
        return None;
    }
    let names: Vec<&str> = unused.iter().take(3).map(String::as_str).collect();
    let more = if unused.len() > names.len() { ", …" } else { "" };
    Some(format!("  {} tensors not used: {}{more}", unused.len(), names.join(", ")))
}
