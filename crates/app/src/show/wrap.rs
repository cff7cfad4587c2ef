//! Long lines on a terminal: broken between words, and what belongs to a label below its value.
use std::io;
use terminal_size::{Height, Width, terminal_size_of};

/// A narrower terminal breaks lines itself.
const LEAST: usize = 40;

/// The columns of the terminal that standard error is; `None` where it is none.
pub(super) fn width() -> Option<usize> {
    usable(terminal_size_of(io::stderr()))
}

/// The same of standard output.
pub(super) fn data_width() -> Option<usize> {
    usable(terminal_size_of(io::stdout()))
}

fn usable(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(width), _)| usize::from(width)).filter(|width| *width >= LEAST)
}

/// Lines as lines of at most `width` columns; those of a text that has several stay apart.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    text.split('\n').flat_map(|line| broken(line, width)).collect()
}

/// A line as lines of at most `width` columns, as far as words allow. What stands in backticks is one
/// word, and a line with a command outside of them stays whole: it is there to be copied.
fn broken(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| columns(line) > *width) else {
        return vec![line.to_owned()];
    };
    if line.split('`').step_by(2).any(|text| text.contains("wayword ")) {
        return vec![line.to_owned()];
    }
    let indent = indent(line).min(width / 2);
    let (head, rest) = line.split_at(line.char_indices().nth(indent).map_or(0, |(at, _)| at));
    let mut lines = Vec::new();
    let mut current = head.to_owned();
    let mut is_begun = false;
    for word in words(rest) {
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

/// The words of a text; what stands in backticks is one.
fn words(text: &str) -> Vec<&str> {
    let has_pairs = text.matches('`').count().is_multiple_of(2);
    let mut is_code = false;
    let divides = |c: char| {
        is_code ^= c == '`';
        c == ' ' && !(has_pairs && is_code)
    };
    text.split(divides).collect()
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
        assert_eq!(
            wrap("hint: crop them around the face with `wayword prepare`, or by hand"),
            ["hint: crop them around the face with", "`wayword prepare`, or by hand"]
        );
        assert_eq!(wrap("a lone ` in a line that is longer than forty")[0].len(), 38);
        let caret = "prompt: unknown\n  a cat <lora:nix:0.5> in the rain\n        ^^^^^^^^^^^^^^";
        assert_eq!(wrap(caret), caret.split('\n').collect::<Vec<_>>(), "marks stay below words");
        let word = "x".repeat(60);
        assert_eq!(wrap(&word), [word]);
    }
}
