//! Cleans a text as the `ftfy` library does before CLIP's tokenizer reads it: character
//! references, mojibake, ligatures, widths, quotes, line breaks, control characters, NFC.
use super::{html, mojibake};
use unicode_normalization::UnicodeNormalization;

/// The cleaned text. Lines are cleaned one by one, as there.
pub(super) fn clean(text: &str) -> String {
    let mut references = true;
    text.split_inclusive('\n')
        .map(|line| {
            // A `<` says that this is HTML source, whose references are meant.
            references &= !line.contains('<');
            clean_line(line, references)
        })
        .collect()
}

fn clean_line(line: &str, references: bool) -> String {
    let mut text = line.to_owned();
    loop {
        let mut next = if references { html::unescape(&text) } else { text.clone() };
        next = mojibake::repair(&next);
        next = next.chars().map(late_control).collect();
        next = widths(&ligatures(&next)).chars().map(straight_quote).collect();
        next = next.replace("\r\n", "\n");
        next = next.replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
        next = without_terminal_codes(&next);
        next.retain(|c| !is_control(c));
        next = next.nfc().collect();
        if next == text {
            return text;
        }
        text = next;
    }
}

/// C1 controls stand for what Windows-1252 has at their place.
fn late_control(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' => mojibake::windows_1252(c as u8),
        _ => c,
    }
}

fn straight_quote(c: char) -> char {
    match c {
        '\u{201c}'..='\u{201f}' => '"',
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        _ => c,
    }
}

fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}')
        || matches!(c, '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

/// Latin ligatures and digraphs taken apart. Their compatibility form is what is wanted, but for
/// the n with apostrophe, whose apostrophe becomes a modifier letter.
fn ligatures(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{fb05}' => out.push_str("\u{17f}t"),
            'ĳ' | 'Ĳ' | 'ŉ' | 'Ǆ'..='ǌ' | 'Ǳ'..='ǳ' | '\u{fb00}'..='\u{fb06}' => {
                out.extend(std::iter::once(c).nfkd().nfc());
            }
            _ => out.push(c),
        }
    }
    out
}

/// Full-width and half-width forms in their usual width.
fn widths(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{3000}' => out.push(' '),
            '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
            _ => out.push(c),
        }
    }
    out
}

/// Without the color codes of terminals: escape, `[`, digits and semicolons, one letter.
fn without_terminal_codes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let end = body.find(|c: char| !c.is_numeric() && c != ';').unwrap_or(body.len());
        let letter = body[end..].chars().next().filter(char::is_ascii_alphabetic);
        if letter.is_some() {
            rest = &body[end + 1..];
        } else {
            out.push_str("\u{1b}[");
            rest = body;
        }
    }
    out.push_str(rest);
    out
}
