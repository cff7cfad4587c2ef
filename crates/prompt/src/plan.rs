//! A whole prompt for one job: networks, parts with weights, and for each part what is encoded when.
use crate::Quirks;
use crate::and;
use crate::attention::{Attention, Emphasis, items};
use crate::error::{PromptError, did_you_mean};
use crate::extra_networks::{self, ExtraNetworkTag, LORA_KINDS};
use crate::schedule::{self, Node, Pass, Tree, Unread, entry_at_call};

/// How prompts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Language {
    /// Whether A1111's accidents are kept.
    pub quirks: Quirks,
    /// What is done with weights.
    pub emphasis: Emphasis,
}

/// A prompt, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptPlan {
    /// The prompt as given.
    pub prompt: String,
    /// Its network tags, in order.
    pub extra_networks: Vec<ExtraNetworkTag>,
    /// Its parts; one, unless `AND` divides it.
    pub parts: Vec<PartPlan>,
    /// What a user may not expect: not wrong, but worth a line.
    pub notes: Vec<PromptError>,
}

/// One part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PartPlan {
    /// Its weight in the guidance.
    pub weight: f64,
    /// Its text as a tree; spans count in `tree.text`.
    pub tree: Tree,
    /// What is encoded, in the order of the last steps. Never empty.
    pub entries: Vec<EntryPlan>,
}

/// What is encoded for a stretch of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryPlan {
    /// The last step (counted from 1) that it holds for.
    pub until: i64,
    /// Its text, weights and escapes still in it.
    pub text: String,
    /// Its text in weighted pieces.
    pub items: Attention,
}

impl PartPlan {
    /// The index of the entry used at a call of the model, counted from 0.
    #[must_use]
    pub fn index_at_call(&self, call: i64) -> usize {
        entry_at_call(self.entries.iter().map(|entry| entry.until), call)
    }
}

impl PromptPlan {
    /// Reads a positive prompt: tags, then `AND`, then schedules, then weights.
    ///
    /// # Errors
    /// A weight that is no number, brackets that nest too deep, and, without
    /// [`Quirks::A1111`], a network tag of an unknown kind.
    pub fn positive(prompt: &str, pass: Pass, language: Language) -> Result<Self, PromptError> {
        let (text, tags) = extra_networks::extract(prompt);
        if language.quirks == Quirks::Sane {
            tags.iter().try_for_each(|tag| known(prompt, tag))?;
        }
        let parts = and::split(&text);
        let mut notes = Vec::new();
        if let ([part], Some(span)) = (parts.as_slice(), parts[0].weight_span.clone()) {
            let message = format!("{} weights the whole prompt", part.weight);
            notes.push(
                PromptError::new(message, &text, span)
                    .hint("a part of a prompt is weighted in brackets: (word:1.2)"),
            );
        }
        let parts: Result<_, _> = parts
            .iter()
            .map(|part| PartPlan::new(&part.text, part.weight, pass, language, &mut notes))
            .collect();
        Ok(Self { prompt: prompt.to_owned(), extra_networks: tags, parts: parts?, notes })
    }

    /// Reads a negative prompt, in which `AND` and network tags are text.
    ///
    /// # Errors
    /// As [`PromptPlan::positive`], but for tags.
    pub fn negative(prompt: &str, pass: Pass, language: Language) -> Result<Self, PromptError> {
        let mut notes = Vec::new();
        for tag in extra_networks::extract(prompt).1 {
            let message = "a network tag in the negative prompt is text";
            notes.push(
                PromptError::new(message, prompt, tag.span).hint("write it in the positive prompt"),
            );
        }
        let part = PartPlan::new(prompt, 1.0, pass, language, &mut notes)?;
        Ok(Self { prompt: prompt.to_owned(), extra_networks: Vec::new(), parts: vec![part], notes })
    }
}

impl PartPlan {
    fn new(
        text: &str,
        weight: f64,
        pass: Pass,
        language: Language,
        notes: &mut Vec<PromptError>,
    ) -> Result<Self, PromptError> {
        let tree = schedule::parse(text)?;
        notes.extend(unread_remark(&tree, language.quirks));
        comma_remarks(text, notes);
        time_remarks(&tree, &tree.nodes, notes);
        let entries = tree.unroll(pass, language.quirks)?.into_iter().map(|entry| {
            let items = items(&entry.text, language.emphasis, language.quirks)?;
            Ok(EntryPlan { until: entry.until, text: entry.text, items })
        });
        let entries = entries.collect::<Result<_, PromptError>>()?;
        Ok(Self { weight, tree, entries })
    }
}

/// Refuses a network tag of a kind that nobody has heard of, which A1111 would drop.
fn known(prompt: &str, tag: &ExtraNetworkTag) -> Result<(), PromptError> {
    if tag.is_lora() {
        return Ok(());
    }
    if tag.kind == "hypernet" {
        let message = "hypernetworks are not supported";
        return Err(PromptError::new(message, prompt, tag.span.clone()));
    }
    let kind = tag.span.start + 1..tag.span.start + 1 + tag.kind.len();
    let message = format!("unknown kind of network `{}`", tag.kind);
    let hint = match did_you_mean(&tag.kind, LORA_KINDS) {
        Some(meant) => format!("did you mean `<{meant}:{}>`?", tag.items.join(":")),
        None => "known kinds are `lora` and `lyco`".into(),
    };
    Err(PromptError::new(message, prompt, kind).hint(hint))
}

/// Notes what the grammar has no place for, where that matters to a schedule.
fn unread_remark(tree: &Tree, quirks: Quirks) -> Option<PromptError> {
    let unread = tree.unread.first().filter(|_| tree.changes())?;
    let (message, hint) = match (quirks, unread) {
        (Quirks::A1111, _) => {
            ("because of this nothing in the prompt is scheduled", "leave {any.a1111_quirks} out")
        }
        (Quirks::Sane, Unread::Bar(_)) => {
            ("`|` is text here", "it alternates directly inside square brackets: [a|b]")
        }
        (Quirks::Sane, Unread::Backslash(_)) => {
            ("this backslash protects nothing", "it goes before a bracket: \\(")
        }
    };
    let at = unread.at();
    Some(PromptError::new(message, &tree.text, at..at + 1).hint(hint))
}

/// Notes weights with a decimal comma, which are text.
fn comma_remarks(text: &str, notes: &mut Vec<PromptError>) {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    for (colon, _) in text.match_indices(':') {
        let rest = &text[colon + 1..];
        let whole = digits(rest);
        let Some(behind) = rest[whole..].strip_prefix(',') else { continue };
        let part = digits(behind);
        let end = colon + 1 + whole + 1 + part;
        if whole == 0 || part == 0 || !text[end..].starts_with([')', '>']) {
            continue;
        }
        let (written, meant) = (&text[colon + 1..end], text[colon + 1..end].replace(',', "."));
        let message = format!("`{written}` is not a number: the weight is ignored");
        notes.push(
            PromptError::new(message, text, colon..end).hint(format!("write {meant} with a point")),
        );
    }
}

/// Notes brackets that look like a weight and are a time.
fn time_remarks(tree: &Tree, nodes: &[Node], notes: &mut Vec<PromptError>) {
    for node in nodes {
        if let Node::Scheduled { span, from: None, when, .. } = node {
            let written = &tree.text[when.clone()];
            if written.contains('.') && written.parse().is_ok_and(|v: f64| v > 0.0 && v < 2.0) {
                let message = format!("`:{written}` in square brackets is a time, not a weight");
                notes.push(
                    PromptError::new(message, &tree.text, span.clone())
                        .hint("a weight is written in round brackets: (word:0.8)"),
                );
            }
        }
        node.children().for_each(|list| time_remarks(tree, list, notes));
    }
}
