//! `<lora:NAME:te:unet:dyn>` read: a name, two multipliers and a cut of the rank.
use std::ops::Range;
use wayword_prompt::PromptError;
use wayword_prompt::extra_networks::{self, ExtraNetworkTag};

/// What a tag asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraTag {
    /// The name as written.
    pub name: String,
    /// Multiplier of the text encoder's modules.
    pub text: f64,
    /// Multiplier of the UNet's modules.
    pub unet: f64,
    /// How many ranks count.
    pub ranks: Option<usize>,
    /// Named arguments that mean nothing.
    pub unknown: Vec<String>,
    /// The tag in the prompt.
    pub span: Range<usize>,
}

impl LoraTag {
    /// What a reader of the tag should know: arguments that are ignored.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let name = &self.name;
        let text =
            move |key| format!("LoRA `{name}`: the argument `{key}=` is unknown and is ignored");
        self.unknown.iter().map(text)
    }
}

/// The LoRAs that a prompt asks for, in its order.
///
/// # Errors
/// At an argument that is no number.
pub fn lora_tags(prompt: &str) -> Result<Vec<LoraTag>, PromptError> {
    let (_, tags) = extra_networks::extract(prompt);
    read_all(prompt, &tags)
}

/// The same of a prompt whose tags were found already.
///
/// # Errors
/// At an argument that is no number.
pub(super) fn read_all(
    prompt: &str,
    tags: &[ExtraNetworkTag],
) -> Result<Vec<LoraTag>, PromptError> {
    tags.iter().filter(|tag| tag.is_lora()).map(|tag| read(prompt, tag)).collect()
}

/// Reads a tag. Without numbers both multipliers are 1; the UNet's is the text encoder's unless
/// given. Named arguments (`te=`, `unet=`, `dyn=`) win over places.
///
/// # Errors
/// At an argument that is no number.
fn read(prompt: &str, tag: &ExtraNetworkTag) -> Result<LoraTag, PromptError> {
    let mut at = tag.span.start + 1 + tag.kind.len() + 1;
    let mut places: Vec<(&str, Range<usize>)> = Vec::new();
    let mut named: Vec<(&str, &str, Range<usize>)> = Vec::new();
    for item in &tag.items {
        let span = at..at + item.len();
        at = span.end + 1;
        match item.split_once('=').filter(|(_, value)| !value.contains('=')) {
            Some((key, value)) => named.push((key, value, span.end - value.len()..span.end)),
            None => places.push((item, span)),
        }
    }
    let find = |place: usize, key: &str| {
        let by_name = named.iter().rev().find(|(k, ..)| *k == key).map(|(_, v, s)| (*v, s));
        by_name.or_else(|| places.get(place).map(|(v, s)| (*v, s)))
    };
    let number = |place, key, otherwise| match find(place, key) {
        Some((text, span)) => finite(prompt, text, span),
        None => Ok(otherwise),
    };
    let text = number(1, "te", 1.0)?;
    let unet = number(2, "unet", text)?;
    let ranks = find(3, "dyn").map(|(text, span)| rank(prompt, text, span)).transpose()?;
    let known = ["te", "unet", "dyn"];
    Ok(LoraTag {
        name: places.first().map_or(tag.name(), |(name, _)| name).to_owned(),
        text,
        unet,
        ranks,
        unknown: named
            .iter()
            .filter(|(k, ..)| !known.contains(k))
            .map(|(k, ..)| (*k).to_owned())
            .collect(),
        span: tag.span.clone(),
    })
}

fn finite(prompt: &str, text: &str, span: &Range<usize>) -> Result<f64, PromptError> {
    let parsed = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    parsed.ok_or_else(|| wrong(prompt, text, span, "a number", "0.8"))
}

fn rank(prompt: &str, text: &str, span: &Range<usize>) -> Result<usize, PromptError> {
    let parsed = text.trim().parse::<usize>().ok();
    parsed.ok_or_else(|| wrong(prompt, text, span, "a whole number", "4"))
}

fn wrong(prompt: &str, text: &str, span: &Range<usize>, what: &str, such: &str) -> PromptError {
    let message = if text.is_empty() {
        format!("{what} is missing")
    } else {
        format!("`{text}` is not {what}")
    };
    // An empty argument is shown at the colon before it.
    let span = if span.is_empty() { span.start - 1..span.start } else { span.clone() };
    PromptError::new(message, prompt, span)
        .hint(format!("a weight is written <lora:name:{such}>; the text encoder's and UNet's weights and the rank follow in this order, or as te=, unet=, dyn="))
}

#[cfg(test)]
mod tests {
    use super::read;
    use wayword_prompt::extra_networks::extract;

    fn of(prompt: &str) -> Result<(String, f64, f64, Option<usize>), String> {
        let (_, tags) = extract(prompt);
        let wanted = read(prompt, &tags[0]).map_err(|e| e.to_string())?;
        Ok((wanted.name, wanted.text, wanted.unet, wanted.ranks))
    }

    #[test]
    fn places_and_names() {
        let name = || "a b".to_owned();
        for (prompt, expected) in [
            ("x <lora:a b>", (name(), 1.0, 1.0, None)),
            ("<lora:a b:0.5>", (name(), 0.5, 0.5, None)),
            ("<lyco:a b:-0.5:2>", (name(), -0.5, 2.0, None)),
            ("<lora:a b:1:1:3>", (name(), 1.0, 1.0, Some(3))),
            ("<lora:a b:te=0.2:unet=0.9>", (name(), 0.2, 0.9, None)),
            ("<lora:a b:0.2:unet=0.9:dyn=2>", (name(), 0.2, 0.9, Some(2))),
            ("<lora:a b:te=1:te=2>", (name(), 2.0, 2.0, None)),
        ] {
            assert_eq!(of(prompt).unwrap(), expected, "{prompt}");
        }
    }

    #[test]
    fn what_is_no_number_is_shown() {
        for (prompt, word) in [
            ("a <lora:x:abc>", "`abc` is not a number"),
            ("a <lora:x:>", "a number is missing"),
            ("a <lora:x:1:nan>", "`nan` is not a number"),
            ("a <lora:x:1:1:1.5>", "`1.5` is not a whole number"),
        ] {
            let error = of(prompt).unwrap_err();
            assert!(error.contains(word) && error.contains('^'), "{error}");
        }
    }
}
