//! From a caption file to the caption of one sample: kohya's pipeline, in kohya's order.
use crate::random::{RandomSource, choose, shuffle};
use crate::unicode::{is_space, strip};
use wayword_interface::text_file::{self, NotText};

/// Why a caption file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptionFileError {
    /// The file holds no byte.
    #[error("caption file is empty")]
    Empty,
    /// The file is no UTF-8 text.
    #[error("caption file is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// The file is no text at all.
    #[error("caption file is {0}")]
    NotText(NotText),
}

impl CaptionFileError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "delete it or write a caption",
            Self::NotUtf8(_) | Self::NotText(_) => "save it as UTF-8",
        }
    }
}

impl From<NotText> for CaptionFileError {
    fn from(why: NotText) -> Self {
        match why {
            NotText::OtherEncoding(at) => Self::NotUtf8(at),
            other => Self::NotText(other),
        }
    }
}

/// Reads the bytes of a caption file. Without wildcards its first line counts, stripped; with them
/// all lines that are not blank, joined by `\n`, one of which is drawn for each sample. A byte
/// order mark stays, as in kohya; the tokenizer drops it.
///
/// # Errors
/// An empty file, or one that is neither UTF-8 nor UTF-16.
pub fn read_caption_file(bytes: &[u8], wildcards: bool) -> Result<String, CaptionFileError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text.into(),
        _ => text_file::decode(bytes)?,
    };
    if text.is_empty() {
        return Err(CaptionFileError::Empty);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').map(strip);
    if !wildcards {
        return Ok(lines.next().unwrap_or_default().to_owned());
    }
    let kept: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    Ok(kept.join("\n"))
}

/// The caption files of a picture, the first that exists counts: its name with `extension` for its
/// own, then the same without the last four `_` pieces (the tail that face-cutting scripts add).
/// `image` is the picture's path; `extension` may lack its dot.
#[must_use]
pub fn caption_file_candidates(image: &str, extension: &str) -> Vec<String> {
    let dot = if extension.is_empty() || extension.starts_with('.') { "" } else { "." };
    let name = image.rfind(['/', '\\']).map_or(0, |at| at + 1);
    // A leading dot belongs to the name.
    let stem = match image[name..].trim_start_matches('.').rfind('.') {
        Some(at) => &image[..at + image.len() - image[name..].trim_start_matches('.').len()],
        None => image,
    };
    let mut list = vec![format!("{stem}{dot}{extension}")];
    let pieces: Vec<&str> = stem.split('_').collect();
    if pieces.len() > 4 {
        list.push(format!("{}{dot}{extension}", pieces[..pieces.len() - 4].join("_")));
    }
    list
}

/// The words a token of `vectors` rows is written as: `tok`, `tok1`, `tok2`, …
#[must_use]
pub fn token_words(token: &str, vectors: usize) -> Vec<String> {
    (0..vectors.max(1)).map(|i| if i == 0 { token.into() } else { format!("{token}{i}") }).collect()
}

/// The same words joined by spaces: what stands for the token in a caption.
#[must_use]
pub fn expand_token(token: &str, vectors: usize) -> String {
    token_words(token, vectors).join(" ")
}

/// What is done to a data set's captions. The default leaves a caption as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionOptions {
    /// Put before the caption, with a space between. `None` and `""` do nothing.
    pub prefix: Option<String>,
    /// Put after the caption, with a space between.
    pub suffix: Option<String>,
    /// How often a caption is left empty, 0 to 1.
    pub dropout_rate: f64,
    /// Captions are left empty in every epoch that this number divides; 0 for never.
    pub dropout_every_n_epochs: u32,
    /// How often a tag is left out, 0 to 1.
    pub tag_dropout_rate: f64,
    /// Whether one of several lines and one of `{a|b}` is drawn.
    pub wildcards: bool,
    /// Whether the flexible tags are put into a random order.
    pub shuffle: bool,
    /// How many tags at the front stay where they are.
    pub keep_tokens: usize,
    /// Text that divides fixed, flexible and fixed tags, instead of `keep_tokens`.
    pub keep_tokens_separator: Option<String>,
    /// What divides tags.
    pub separator: String,
    /// Replaced by `separator` at the end: joins tags that stay together.
    pub secondary_separator: Option<String>,
    /// Over how many steps the number of tags grows; below 1 a fraction of all steps, 0 for none.
    pub warmup_steps: f64,
    /// With how many flexible tags the warm-up begins.
    pub warmup_min: usize,
}

impl Default for CaptionOptions {
    fn default() -> Self {
        Self {
            prefix: None,
            suffix: None,
            dropout_rate: 0.0,
            dropout_every_n_epochs: 0,
            tag_dropout_rate: 0.0,
            wildcards: false,
            shuffle: false,
            keep_tokens: 0,
            keep_tokens_separator: None,
            separator: ",".into(),
            secondary_separator: None,
            warmup_steps: 0.0,
            warmup_min: 1,
        }
    }
}

/// When in the training a caption is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Steps done.
    pub step: u64,
    /// Epoch, counted from 1.
    pub epoch: u64,
    /// Steps of the whole training.
    pub steps: u64,
}

/// The last change to a caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// The whole caption becomes one of these.
    Whole(Vec<String>),
    /// Every occurrence of a text, also inside words, becomes another.
    Part {
        /// What is looked for; not empty.
        from: String,
        /// What stands there afterwards.
        to: String,
    },
}

impl Replacement {
    /// A token becomes the words of its rows.
    #[must_use]
    pub fn token(token: &str, vectors: usize) -> Self {
        Self::Part { from: token.into(), to: expand_token(token, vectors) }
    }
}

/// The caption of one sample, in kohya's order: prefix and suffix, drop-out (which ends it), line
/// and `{a|b}`, tags, secondary separator, replacements in their order.
#[must_use]
pub fn caption(
    text: &str,
    options: &CaptionOptions,
    moment: Moment,
    replacements: &[Replacement],
    random: &mut dyn RandomSource,
) -> String {
    let mut caption = text.to_owned();
    if let Some(prefix) = given(options.prefix.as_deref()) {
        caption = format!("{prefix} {caption}");
    }
    if let Some(suffix) = given(options.suffix.as_deref()) {
        caption = format!("{caption} {suffix}");
    }
    if dropped(options, moment, random) {
        return String::new();
    }
    caption = if options.wildcards {
        draw_braces(&draw_line(&caption, random), random)
    } else {
        caption.split('\n').next().unwrap_or_default().to_owned()
    };
    if options.shuffle || options.warmup_steps > 0.0 || options.tag_dropout_rate > 0.0 {
        caption = tags(&caption, options, moment, random);
    }
    if let Some(secondary) = given(options.secondary_separator.as_deref()) {
        caption = caption.replace(secondary, &options.separator);
    }
    for replacement in replacements {
        caption = match replacement {
            Replacement::Whole(list) => choose(list, random).cloned().unwrap_or_default(),
            Replacement::Part { from, .. } if from.is_empty() => caption,
            Replacement::Part { from, to } => caption.replace(from.as_str(), to),
        };
    }
    caption
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|t| !t.is_empty())
}

fn dropped(options: &CaptionOptions, moment: Moment, random: &mut dyn RandomSource) -> bool {
    let by_chance = options.dropout_rate > 0.0 && random.next_f64() < options.dropout_rate;
    let n = u64::from(options.dropout_every_n_epochs);
    by_chance || (n > 0 && moment.epoch.is_multiple_of(n))
}

fn draw_line(caption: &str, random: &mut dyn RandomSource) -> String {
    if !caption.contains('\n') {
        return caption.to_owned();
    }
    let lines: Vec<&str> = caption.split('\n').collect();
    choose(&lines, random).copied().unwrap_or_default().to_owned()
}

/// Draws one of `{a|b|c}`, from left to right; `{{` and `}}` are braces of the text.
///
/// A choice reaches from a `{` to the next `}`, so choices do not nest, and `{}` is text.
fn draw_braces(caption: &str, random: &mut dyn RandomSource) -> String {
    // Escaped braces are hidden behind two characters that no text has.
    const OPEN: char = '\u{f0000}';
    const CLOSE: char = '\u{f0001}';
    let hidden = caption.replace("{{", &OPEN.to_string()).replace("}}", &CLOSE.to_string());
    let mut out = String::new();
    let mut rest = hidden.as_str();
    while let Some(open) = rest.find('{') {
        let inside = rest[open + 1..].find('}').filter(|&length| length > 0);
        let Some(length) = inside else {
            out.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        };
        out.push_str(&rest[..open]);
        let options: Vec<&str> = rest[open + 1..][..length].split('|').collect();
        out.push_str(choose(&options, random).copied().unwrap_or_default());
        rest = &rest[open + 1 + length + 1..];
    }
    out.push_str(rest);
    out.replace(OPEN, "{").replace(CLOSE, "}")
}

/// Shuffles and drops tags, and holds some back while the warm-up lasts.
fn tags(
    caption: &str,
    options: &CaptionOptions,
    moment: Moment,
    random: &mut dyn RandomSource,
) -> String {
    let (mut list, mut flexible, suffix) = divide(caption, options);
    let count = warmed_up(flexible.len(), options, moment);
    flexible.truncate(count);
    if options.shuffle {
        shuffle(&mut flexible, random);
    }
    if options.tag_dropout_rate > 0.0 {
        flexible.retain(|_| random.next_f64() >= options.tag_dropout_rate);
    }
    list.extend(flexible);
    list.extend(suffix);
    list.join(", ")
}

/// Fixed tags, flexible tags, fixed tags at the end.
fn divide(caption: &str, options: &CaptionOptions) -> (Vec<String>, Vec<String>, Vec<String>) {
    let split = |text: &str| -> Vec<String> {
        if options.separator.is_empty() {
            return vec![strip(text).to_owned()];
        }
        text.split(options.separator.as_str()).map(|tag| strip(tag).to_owned()).collect()
    };
    let filled = |text: &str| -> Vec<String> {
        split(text).into_iter().filter(|tag| !tag.is_empty()).collect()
    };
    let parts = given(options.keep_tokens_separator.as_deref())
        .and_then(|separator| Some((separator, caption.split_once(separator)?)));
    if let Some((separator, (fixed, rest))) = parts {
        let (flexible, suffix) = rest.split_once(separator).unwrap_or((rest, ""));
        return (filled(fixed), filled(flexible), filled(suffix));
    }
    let mut fixed = split(caption.trim_matches(is_space));
    let flexible = fixed.split_off(options.keep_tokens.min(fixed.len()));
    (fixed, flexible, Vec::new())
}

/// How many of `flexible` tags the warm-up allows at this moment.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "step and tag counts are far below 2^53"
)]
fn warmed_up(flexible: usize, options: &CaptionOptions, moment: Moment) -> usize {
    let mut over = options.warmup_steps;
    if over < 1.0 {
        over = (over * moment.steps as f64).floor();
    }
    let step = moment.step as f64;
    if over <= 0.0 || step >= over {
        return flexible;
    }
    let least = options.warmup_min as f64;
    let grown = (step * ((flexible as f64 - least) / over)).floor() + least;
    grown.max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always the same number.
    struct Fixed(f64);
    impl RandomSource for Fixed {
        fn next_f64(&mut self) -> f64 {
            self.0
        }
    }

    #[test]
    fn caption_files_of_a_picture() {
        assert_eq!(caption_file_candidates("a/b.c.png", "txt"), ["a/b.c.txt"]);
        assert_eq!(caption_file_candidates("a/.png", ".txt"), ["a/.png.txt"]);
        assert_eq!(caption_file_candidates("a.b/x", ".txt"), ["a.b/x.txt"]);
        assert_eq!(
            caption_file_candidates("d/x_1_2_3_4.jpg", ".caption"),
            ["d/x_1_2_3_4.caption", "d/x.caption"]
        );
    }

    #[test]
    fn unusable_caption_files() {
        assert_eq!(read_caption_file(b"", false), Err(CaptionFileError::Empty));
        assert_eq!(read_caption_file(b"ab\xff", true), Err(CaptionFileError::NotUtf8(2)));
        assert_eq!(read_caption_file(b"\xff\xfea\0b\0", false).as_deref(), Ok("ab"));
        assert_eq!(read_caption_file(b"\n\n", true).as_deref(), Ok(""));
    }

    #[test]
    fn tokens() {
        assert_eq!(expand_token("tok", 3), "tok tok1 tok2");
        assert_eq!(expand_token("tok", 1), "tok");
    }

    #[test]
    fn braces_of_the_text() {
        let mut last = Fixed(0.999);
        assert_eq!(draw_braces("{a|b} {{x}} {} {c", &mut last), "b {x} {} {c");
        assert_eq!(draw_braces("{a|b|{c|d}}", &mut last), "{a|b|{c|d}");
    }
}
