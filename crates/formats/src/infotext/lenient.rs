//! Texts that are nearly A1111's: settings on the prompt's own line, a line break within a setting,
//! few settings or none.

use super::{Infotext, python};

const NEGATIVE: &str = "Negative prompt:";

impl Infotext {
    /// Takes a text apart as [`Infotext::parse`] does, but finds the settings wherever they are, and
    /// gives a sentence for each thing that is not as A1111 writes it.
    #[must_use]
    pub fn read(text: &str) -> (Self, Vec<String>) {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let text = python::strip(&text);
        let plain = Self::parse(text);
        let Some(at) = settings(text) else {
            let remark = (plain.pairs.is_empty())
                .then(|| "the text has no settings (no `Steps: ...`), only a prompt".to_owned());
            return (plain, remark.into_iter().collect());
        };
        let (before, line) = text.split_at(at);
        let begins_line = before.is_empty() || before.ends_with('\n');
        let one_line_negative = inner(before, NEGATIVE).filter(|_| !begins_line);
        if begins_line && !line.contains('\n') && !plain.pairs.is_empty() {
            return (plain, Vec::new());
        }
        let mut remarks = Vec::new();
        let (prompt, negative) = match one_line_negative {
            Some(at) => (&before[..at], &before[at + NEGATIVE.len()..]),
            None => (before, ""),
        };
        let mut out = Self::parse(prompt);
        // What stands before the settings holds none, whatever it looks like.
        if !out.pairs.is_empty() {
            out = Self { prompt: python::strip(prompt).to_owned(), ..Self::default() };
        }
        if one_line_negative.is_some() {
            out.negative = python::strip(negative).to_owned();
        }
        if !begins_line {
            remarks.push(format!(
                "prompt and settings are on one line; it is split at `{NEGATIVE}` and `Steps:`"
            ));
        }
        if line.contains('\n') {
            remarks
                .push("the settings span several lines; one of them contains a line break".into());
        }
        for (key, value) in python::pairs(line) {
            if !value.is_empty() {
                out.set(key, loose(value));
            }
        }
        (out, remarks)
    }

    /// Whether a text of unknown origin has settings or a negative prompt.
    #[must_use]
    pub fn is_likely(text: &str) -> bool {
        settings(text).is_some() || text.contains(NEGATIVE) || !Self::parse(text).pairs.is_empty()
    }
}

/// Where the settings begin: the last `Steps: NUMBER`, as a word of its own, that is followed by a
/// comma or ends the text.
fn settings(text: &str) -> Option<usize> {
    let is_start = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + "Steps:".len()..].trim_start_matches(' ');
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let end = after[digits..].trim_start_matches(' ');
        before.is_none_or(|c| c.is_whitespace() || c == ',')
            && digits > 0
            && (end.is_empty() || end.starts_with([',', '\n']))
    };
    let all: Vec<usize> = text.match_indices("Steps:").map(|(at, _)| at).filter(is_start).collect();
    // A line of its own first: a field of the settings may repeat the words.
    let begins_line = |at: &&usize| **at == 0 || text[..**at].ends_with('\n');
    all.iter().rfind(begins_line).or(all.last()).copied()
}

/// The first place of `word` behind a blank or a comma or at the start.
fn inner(text: &str, word: &str) -> Option<usize> {
    let is_word = |at: &usize| {
        text[..*at].chars().next_back().is_none_or(|c| c.is_whitespace() || ",.".contains(c))
    };
    text.match_indices(word).map(|(at, _)| at).find(is_word)
}

/// A value without its quotes, also where a line break makes it no JSON.
fn loose(value: &str) -> String {
    let found = python::unquote(value);
    if found != value {
        return found;
    }
    let escaped = value.replace('\n', "\\n");
    python::unquote(&escaped).replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::Infotext;

    const LINE: &str = "Steps: 3, Sampler: Euler a, CFG scale: 5, Seed: 77, Size: 64x64";

    #[test]
    fn what_a1111_writes_is_read_without_a_remark() {
        for text in [
            format!("a cat\nNegative prompt: blurry\n{LINE}"),
            format!("a cat, Steps: many\n{LINE}"),
            LINE.to_owned(),
            format!("two\nlines\nNegative prompt: a\nb\n{LINE}, Notes: \"Steps: 4, x\""),
        ] {
            assert_eq!(Infotext::read(&text), (Infotext::parse(&text), vec![]), "{text}");
        }
    }

    #[test]
    fn one_line_is_split() {
        let text = format!("a woman, red Negative prompt: blurry, bad hands {LINE}");
        let (found, remarks) = Infotext::read(&text);
        assert_eq!((&*found.prompt, &*found.negative), ("a woman, red", "blurry, bad hands"));
        assert_eq!((found.get("Steps"), found.get("Size")), (Some("3"), Some("64x64")));
        assert!(remarks[0].contains("one line"), "{remarks:?}");
        let (found, _) = Infotext::read(&format!("a woman, red {LINE}"));
        assert_eq!((&*found.prompt, &*found.negative), ("a woman, red", ""));
        // Only the settings on the prompt's line.
        let (found, _) = Infotext::read(&format!("a woman\nNegative prompt: blurry {LINE}"));
        assert_eq!((&*found.prompt, &*found.negative), ("a woman", "blurry"));
    }

    #[test]
    fn a_line_break_within_a_setting() {
        let fields = r#", Template: "a {man|woman},
 red", Negative Template: "blurry
,bad", Version: v1.6.0"#;
        let text = format!("a woman, red\nNegative prompt: blurry\n{LINE}{fields}");
        let (found, remarks) = Infotext::read(&text);
        assert_eq!((&*found.prompt, &*found.negative), ("a woman, red", "blurry"));
        assert_eq!(found.get("Seed"), Some("77"));
        assert_eq!(found.get("Template"), Some("a {man|woman},\n red"));
        assert_eq!(found.get("Version"), Some("v1.6.0"));
        assert!(remarks[0].contains("line break"), "{remarks:?}");
    }

    #[test]
    fn few_settings_or_none() {
        let (found, remarks) = Infotext::read("a woman\nNegative prompt: blurry");
        assert_eq!((&*found.prompt, &*found.negative), ("a woman", "blurry"));
        assert!(remarks[0].contains("no settings"), "{remarks:?}");
        let (found, _) = Infotext::read("\u{feff}a woman\r\nSteps: 20, Seed: 5");
        assert_eq!((&*found.prompt, found.get("Seed")), ("a woman", Some("5")));
        assert!(!Infotext::is_likely("Created with GIMP"));
        assert!(Infotext::is_likely("a cat Negative prompt: x"));
    }
}
