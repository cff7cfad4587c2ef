//! Long lines on a terminal: broken between words, and what belongs to a label below its value.
use std::io;
use terminal_size::{Width, terminal_size_of};

/// A narrower terminal breaks lines itself.
const LEAST: usize = 40;

/// The columns of the terminal that standard error is; `None` where it is none.
pub(super) fn width() -> Option<usize> {
    let (Width(width), _) = terminal_size_of(io::stderr())?;
    Some(usize::from(width)).filter(|width| *width >= LEAST)
}

/// A line as lines of at most `width` columns, as far as words allow. One with a command stays whole:
/// it is there to be copied.
pub(super) fn wrapped(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| columns(line) > *width) else {
        return vec![line.to_owned()];
    };
    if line.contains("wayword ") {
        return vec![line.to_owned()];
    }
    let indent = indent(line).min(width / 2);
    let (head, rest) = line.split_at(line.char_indices().nth(indent).map_or(0, |(at, _)| at));
    let mut lines = Vec::new();
    let mut current = head.to_owned();
    let mut is_begun = false;
    for word in rest.split(' ') {
        if is_begun && columns(&current) + 1 + columns(word) > width {
            lines.push(std::mem::replace(&mut current, " ".repeat(indent)));
        } else if is_begun {
            current.push(' ');
        }
        current.push_str(word);
        is_begun = true;
    }
    lines.push(current);
    lines
}

/// Where the text of a line begins: behind its blanks, or behind a label and the blanks after it.
fn indent(line: &str) -> usize {
    /// Labels are shorter.
    const LABEL: usize = 36;
    let blanks = line.chars().take_while(|c| *c == ' ').count();
    if blanks > 0 {
        return blanks;
    }
    let Some((label, value)) = line.split_once("  ") else { return 0 };
    let label = label.chars().count();
    let gap = 2 + value.chars().take_while(|c| *c == ' ').count();
    if label <= LABEL { label + gap } else { 0 }
}

/// Columns that a text takes, without the sequences that color it.
fn columns(text: &str) -> usize {
    let mut is_color = false;
    text.chars()
        .filter(|c| {
            let was_color = is_color;
            is_color = if is_color { *c != 'm' } else { *c == '\u{1b}' };
            !was_color && !is_color
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_values_below_each_other() {
        let wrap = |line: &str| wrapped(line, Some(40));
        assert_eq!(wrap("short"), ["short"]);
        assert_eq!(wrapped(&"long ".repeat(30), None).len(), 1);
        assert_eq!(
            wrap("files      a-step00000200.safetensors, … 5 step files, a.safetensors"),
            ["files      a-step00000200.safetensors, …", "           5 step files, a.safetensors"]
        );
        assert_eq!(
            wrap("\u{1b}[1;33mwarning:\u{1b}[0m 6 images are few for a person, and more"),
            ["\u{1b}[1;33mwarning:\u{1b}[0m 6 images are few for a person,", "and more"]
        );
        let command = "draw with it: wayword draw \"photo of rex-ti\" --base x.safetensors";
        assert_eq!(wrap(command), [command]);
        let word = "x".repeat(60);
        assert_eq!(wrap(&word), [word]);
    }
}
