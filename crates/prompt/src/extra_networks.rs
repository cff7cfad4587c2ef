//! Network tags: `<lora:name:0.8>`, taken out of the prompt.
use crate::unicode::is_word;
use std::ops::Range;

/// A tag: which kind of network, its name and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraNetworkTag {
    /// The kind as written: `lora`, `lyco`, `hypernet`, or anything else.
    pub kind: String,
    /// Everything after the kind, split at `:`. Never empty; the first is the name.
    pub items: Vec<String>,
    /// Where the tag stands in the prompt, in bytes.
    pub span: Range<usize>,
}

/// The kinds that name a network of the LoRA family.
pub const LORA_KINDS: [&str; 2] = ["lora", "lyco"];

impl ExtraNetworkTag {
    /// The network's name: its file or alias.
    #[must_use]
    pub fn name(&self) -> &str {
        self.items.first().map_or("", String::as_str)
    }

    /// Whether the network is of the LoRA family.
    #[must_use]
    pub fn is_lora(&self) -> bool {
        LORA_KINDS.contains(&self.kind.as_str())
    }

    /// The arguments without `=`, the name among them.
    pub fn positional(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(String::as_str).filter(|item| split_named(item).is_none())
    }

    /// The arguments with exactly one `=`; a key given twice means its last value.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| split_named(item))
    }

    /// The value of a named argument.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.named().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }
}

fn split_named(item: &str) -> Option<(&str, &str)> {
    item.split_once('=').filter(|(_, value)| !value.contains('='))
}

/// Takes all tags `<kind:arguments>` out of a prompt. Nothing is put in their place.
#[must_use]
pub fn extract(prompt: &str) -> (String, Vec<ExtraNetworkTag>) {
    let mut text = String::new();
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(found) = prompt[at..].find('<') {
        let start = at + found;
        text.push_str(&prompt[at..start]);
        if let Some(tag) = tag(prompt, start) {
            at = tag.span.end;
            tags.push(tag);
        } else {
            text.push('<');
            at = start + 1;
        }
    }
    text.push_str(&prompt[at..]);
    (text, tags)
}

fn tag(prompt: &str, start: usize) -> Option<ExtraNetworkTag> {
    let kind_start = start + 1;
    let rest = prompt[kind_start..].trim_start_matches(is_word);
    let kind_end = prompt.len() - rest.len();
    let arguments = rest.strip_prefix(':')?;
    let length = arguments.find('>')?;
    if kind_end == kind_start || length == 0 {
        return None;
    }
    let from = kind_end + 1;
    Some(ExtraNetworkTag {
        kind: prompt[kind_start..kind_end].to_owned(),
        items: prompt[from..from + length].split(':').map(str::to_owned).collect(),
        span: start..from + length + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_leave_the_text() {
        let (text, tags) = extract("a <lora:foo:0.5:te=1:te=2> b <<x> <lyco:a=b=c>");
        assert_eq!(text, "a  b <<x> ");
        assert_eq!(tags[0].name(), "foo");
        assert_eq!(tags[0].positional().collect::<Vec<_>>(), ["foo", "0.5"]);
        assert_eq!(tags[0].value("te"), Some("2"));
        assert_eq!(tags[1].name(), "a=b=c");
        assert!(tags[1].is_lora() && tags[1].named().next().is_none());
    }
}
