//! The terminal: what goes to standard output (data) and to standard error (everything else).
mod flags;
pub(crate) mod pick;
pub(crate) mod plan;
mod progress;
mod wrap;

pub(crate) use flags::Flags;
pub(crate) use progress::Progress;

use crate::failure::{Failure, FailureKind};
use serde_json::Value;
use std::io::{self, IsTerminal as _, Write as _};
use wayword_interface::{Warning, render_fields};

/// Writes a line of data to standard output.
///
/// # Errors
/// If it cannot be written; a reader that went away is told apart by the failure's kind.
pub(crate) fn data(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(Failure::from)
}

/// Writes a line for people to standard output: on a terminal, broken between words.
///
/// # Errors
/// As [`data`].
pub(crate) fn text(line: &str) -> Result<(), Failure> {
    wrap::wrapped(line, wrap::data_width()).iter().try_for_each(|line| data(line))
}

/// A value as JSON in one line; fields in its texts are flags.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    // Only maps with keys that are no texts fail, and there are none.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    name_flags(&mut value);
    value.to_string()
}

fn name_flags(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('{') => *text = render_fields(text, &Flags),
        Value::Array(list) => list.iter_mut().for_each(name_flags),
        Value::Object(map) => map.values_mut().for_each(name_flags),
        _ => {}
    }
}

/// Writes a line about the work to standard error. If that is closed, nobody wants to know.
pub(crate) fn note(line: &str) {
    let mut stderr = io::stderr().lock();
    for line in wrap::wrapped(line, wrap::width()) {
        let _ = writeln!(stderr, "{line}");
    }
}

/// Writes a warning and what to do about it.
pub(crate) fn warning(warning: &Warning) {
    let shown = warning.render(&Flags);
    note(&format!("{} {}", head("warning:", YELLOW), shown.message));
    for cause in shown.causes {
        note(&format!("  caused by: {cause}"));
    }
    if let Some(hint) = shown.hint {
        note(&format!("{} {hint}", head("hint:", CYAN)));
    }
}

/// Writes why a command failed.
pub(crate) fn failure(failure: &Failure) {
    if matches!(failure.kind, FailureKind::CommandLine(_) | FailureKind::BrokenPipe) {
        return;
    }
    let title = if failure.kind == FailureKind::Stopped {
        head("stopped:", YELLOW)
    } else {
        head("error:", RED)
    };
    note(&format!("{title} {}", failure.shown.message));
    for cause in &failure.shown.causes {
        note(&format!("  caused by: {cause}"));
    }
    if let Some(hint) = &failure.shown.hint {
        note("");
        note(&format!("{} {hint}", head("hint:", CYAN)));
    }
}

const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// A heading, in color where somebody can see it and nobody said no (<https://no-color.org>).
fn head(text: &str, colour: &str) -> String {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if refused || !io::stderr().is_terminal() {
        return text.to_owned();
    }
    format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
}
