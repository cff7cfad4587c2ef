//! Caption templates: the 27 for objects, the 19 for styles, and files of one's own.
use crate::error::{PromptError, did_you_mean};
use crate::random::{RandomSource, choose};
use crate::unicode::strip;

/// The object templates of the textual-inversion paper's code; `{}` is the word.
pub const OBJECT: [&str; 27] = [
    "a photo of a {}",
    "a rendering of a {}",
    "a cropped photo of the {}",
    "the photo of a {}",
    "a photo of a clean {}",
    "a photo of a dirty {}",
    "a dark photo of the {}",
    "a photo of my {}",
    "a photo of the cool {}",
    "a close-up photo of a {}",
    "a bright photo of the {}",
    "a cropped photo of a {}",
    "a photo of the {}",
    "a good photo of the {}",
    "a photo of one {}",
    "a close-up photo of the {}",
    "a rendition of the {}",
    "a photo of the clean {}",
    "a rendition of a {}",
    "a photo of a nice {}",
    "a good photo of a {}",
    "a photo of the nice {}",
    "a photo of the small {}",
    "a photo of the weird {}",
    "a photo of the large {}",
    "a photo of a cool {}",
    "a photo of a small {}",
];

/// The style templates; `close-up` stands twice, so it is drawn twice as often, as in the original.
pub const STYLE: [&str; 19] = [
    "a painting in the style of {}",
    "a rendering in the style of {}",
    "a cropped painting in the style of {}",
    "the painting in the style of {}",
    "a clean painting in the style of {}",
    "a dirty painting in the style of {}",
    "a dark painting in the style of {}",
    "a picture in the style of {}",
    "a cool painting in the style of {}",
    "a close-up painting in the style of {}",
    "a bright painting in the style of {}",
    "a cropped painting in the style of {}",
    "a good painting in the style of {}",
    "a close-up painting in the style of {}",
    "a rendition in the style of {}",
    "a nice painting in the style of {}",
    "a small painting in the style of {}",
    "a weird painting in the style of {}",
    "a large painting in the style of {}",
];

/// The fields of a template file, as A1111 calls them; `{}` stands for `[name]`.
const FIELDS: [&str; 2] = ["name", "filewords"];

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name,
    FileWords,
}

/// One template: a caption with places for the word and for the picture's own caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads one line of a template file: `[name]` or `{}` is the word, `[filewords]` the
    /// picture's own caption. Other brackets are text.
    ///
    /// # Errors
    /// A field that is a slip of the hand for one of the two.
    pub fn parse(line: &str) -> Result<Self, PromptError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            let (piece, length) = if rest.starts_with("{}") {
                (Piece::Name, 2)
            } else if rest.starts_with("[name]") {
                (Piece::Name, "[name]".len())
            } else if rest.starts_with("[filewords]") {
                (Piece::FileWords, "[filewords]".len())
            } else {
                refuse_slip(line, at)?;
                let c = rest.chars().next().map_or(1, char::len_utf8);
                text.push_str(&rest[..c]);
                at += c;
                continue;
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(piece);
            at += length;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { pieces })
    }

    /// The caption for a word and a picture's own caption.
    #[must_use]
    pub fn fill(&self, name: &str, filewords: &str) -> String {
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name => name.to_owned(),
            Piece::FileWords => filewords.to_owned(),
        };
        self.pieces.iter().map(part).collect()
    }

    /// Whether the word has a place in it.
    #[must_use]
    pub fn has_name(&self) -> bool {
        self.pieces.contains(&Piece::Name)
    }

    /// Whether the picture's own caption has a place in it.
    #[must_use]
    pub fn has_filewords(&self) -> bool {
        self.pieces.contains(&Piece::FileWords)
    }
}

/// Refuses `[nmae]` and `{name}` at the byte offset `at`.
fn refuse_slip(line: &str, at: usize) -> Result<(), PromptError> {
    let close = match line.as_bytes()[at] {
        b'[' => ']',
        b'{' => '}',
        _ => return Ok(()),
    };
    let Some(length) = line[at..].find(close) else { return Ok(()) };
    let field = &line[at + 1..at + length];
    let Some(meant) = did_you_mean(strip(field), FIELDS) else { return Ok(()) };
    let error =
        PromptError::new("caption template has an unknown field", line, at..at + length + 1);
    Err(error
        .hint(format!("known fields are `[name]` and `[filewords]`; did you mean `[{meant}]`?")))
}

/// A non-empty list of templates, one of which is drawn for each sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates(Vec<Template>);

impl Templates {
    /// The 27 object templates.
    #[must_use]
    pub fn object() -> Self {
        Self::built_in(&OBJECT)
    }

    /// The 19 style templates.
    #[must_use]
    pub fn style() -> Self {
        Self::built_in(&STYLE)
    }

    fn built_in(list: &[&str]) -> Self {
        Self(list.iter().filter_map(|line| Template::parse(line).ok()).collect())
    }

    /// Reads a template file: one template a line, blank lines left out.
    ///
    /// # Errors
    /// A misspelt field, or a file without any template.
    pub fn parse(text: &str) -> Result<Self, PromptError> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(strip);
        let list: Vec<Template> =
            lines.filter(|line| !line.is_empty()).map(Template::parse).collect::<Result<_, _>>()?;
        if list.is_empty() {
            return Err(PromptError::new("template file holds no template", text, 0..0)
                .hint("write one caption a line, with [name] where the word stands"));
        }
        Ok(Self(list))
    }

    /// All templates, in order.
    #[must_use]
    pub fn list(&self) -> &[Template] {
        &self.0
    }

    /// Draws a template and fills it.
    #[must_use]
    pub fn draw(&self, name: &str, filewords: &str, random: &mut dyn RandomSource) -> String {
        choose(&self.0, random).map(|t| t.fill(name, filewords)).unwrap_or_default()
    }

    /// Every template filled with the word alone, in order: kohya's list of replacements.
    #[must_use]
    pub fn filled(&self, name: &str) -> Vec<String> {
        self.0.iter().map(|template| template.fill(name, "")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayword_interface::{Diagnostic, PlainNames};

    #[test]
    fn built_in_lists_are_whole() {
        assert_eq!(Templates::object().list().len(), 27);
        assert_eq!(Templates::style().list().len(), 19);
        assert!(Templates::object().list().iter().all(Template::has_name));
        assert_eq!(Templates::style().filled("tok tok1")[0], "a painting in the style of tok tok1");
    }

    #[test]
    fn own_files() {
        let templates =
            Templates::parse("\n photo of [name], [filewords]\n\n[name] [x]\n").unwrap();
        assert_eq!(templates.list().len(), 2);
        assert_eq!(
            templates.list()[0].fill("zarva", "at the beach"),
            "photo of zarva, at the beach"
        );
        assert_eq!(templates.list()[1].fill("zarva", ""), "zarva [x]");
        assert!(templates.list()[0].has_filewords() && !templates.list()[1].has_filewords());
    }

    #[test]
    fn a_slip_is_refused() {
        let error = Templates::parse("photo of [nmae] in red").unwrap_err();
        let shown = Diagnostic::from(error).render(&PlainNames);
        insta::assert_snapshot!(shown.to_string(), @r"
        caption template has an unknown field
          photo of [nmae] in red
                   ^^^^^^
        hint: known fields are `[name]` and `[filewords]`; did you mean `[name]`?
        ");
        assert!(Templates::parse(" \n").is_err());
    }
}
