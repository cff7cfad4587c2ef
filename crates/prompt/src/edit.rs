//! Changes to a prompt's text, for grids: other weights, other words, another order.
use crate::attention::number;
use crate::extra_networks;
use std::ops::Range;

/// The places where a word stands in a prompt: upper and lower case alike, not inside a longer
/// word or a network's tag.
#[must_use]
pub fn places(prompt: &str, word: &str) -> Vec<Range<usize>> {
    let tags: Vec<_> = extra_networks::extract(prompt).1.into_iter().map(|tag| tag.span).collect();
    let inside = |at: usize| tags.iter().any(|span| span.contains(&at));
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut out = Vec::new();
    let mut at = 0;
    while at < prompt.len() && !word.is_empty() {
        let end = prefix(&prompt[at..], word).map(|length| at + length);
        let free = |end: usize| {
            !prompt[..at].ends_with(part_of_word) && !prompt[end..].starts_with(part_of_word)
        };
        match end {
            Some(end) if free(end) && !inside(at) => {
                out.push(at..end);
                at = end;
            }
            _ => at += prompt[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    out
}

/// Bytes at the beginning of `text` that are `start`, upper and lower case alike.
#[must_use]
pub fn prefix(text: &str, start: &str) -> Option<usize> {
    let mut letters = text.char_indices();
    for wanted in start.chars() {
        let (_, found) = letters.next()?;
        if !found.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(letters.next().map_or(text.len(), |(at, _)| at))
}

/// The prompt with a word at another weight: `(word:0.4)` gets another number, a bare word gets
/// brackets. `None` where the word does not stand in it.
#[must_use]
pub fn weigh(prompt: &str, word: &str, weight: f64) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for place in places(prompt, word) {
        let own = own_bracket(prompt, &place);
        out.push_str(&prompt[done..own.start]);
        out.push_str(&format!("({}:{weight})", &prompt[place]));
        done = own.end;
    }
    (done > 0).then(|| out + &prompt[done..])
}

/// The bracket that holds nothing but the word and its weight, else the word itself.
fn own_bracket(prompt: &str, place: &Range<usize>) -> Range<usize> {
    let before = prompt[..place.start].trim_end();
    let opens = before.strip_suffix('(').filter(|before| !before.ends_with('\\'));
    let weight = || {
        let rest = prompt[place.end..].trim_start().strip_prefix(':')?;
        let (given, _) = rest.split_once(')')?;
        number(given.trim())?;
        Some(prompt.len() - rest.len() + given.len() + 1)
    };
    match (opens, weight()) {
        (Some(before), Some(end)) => before.len()..end,
        _ => place.clone(),
    }
}

/// The prompt with other multipliers of its LoRAs, or of the one of this name; one that is named
/// and not there is added at the end. `None` where there is none to change.
#[must_use]
pub fn weigh_lora(prompt: &str, name: Option<&str>, weight: f64) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    let tags = extra_networks::extract(prompt).1;
    let meant = |tag: &&extra_networks::ExtraNetworkTag| {
        tag.is_lora() && name.is_none_or(|n| n == tag.name())
    };
    for tag in tags.iter().filter(meant) {
        out.push_str(&prompt[done..tag.span.start]);
        let rest = tag.named().filter(|(key, _)| *key != "te" && *key != "unet");
        let rest: String = rest.map(|(key, value)| format!(":{key}={value}")).collect();
        out.push_str(&format!("<{}:{}:{weight}{rest}>", tag.kind, tag.name()));
        done = tag.span.end;
    }
    if done > 0 {
        return Some(out + &prompt[done..]);
    }
    name.map(|name| format!("{prompt} <lora:{name}:{weight}>"))
}

/// The prompt with a text in all places of another; `None` where that is nowhere in it.
#[must_use]
pub fn replace(prompt: &str, from: &str, to: &str) -> Option<String> {
    (!from.is_empty() && prompt.contains(from)).then(|| prompt.replace(from, to))
}

/// The prompt with these texts in another order, put where the texts first stand; `None` where one
/// of them is not in it.
#[must_use]
pub fn reorder(prompt: &str, texts: &[String], order: &[usize]) -> Option<String> {
    let mut found = Vec::new();
    for text in texts {
        let at = prompt.find(text.as_str()).filter(|_| !text.is_empty())?;
        found.push(at..at + text.len());
    }
    found.sort_by_key(|place| place.start);
    if found.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return None;
    }
    let mut out = String::new();
    let mut done = 0;
    for (place, which) in found.iter().zip(order) {
        out.push_str(&prompt[done..place.start]);
        out.push_str(texts.get(*which)?);
        done = place.end;
    }
    Some(out + &prompt[done..])
}

/// All orders of `count` things, the given one first, in the order of their numbers.
#[must_use]
pub fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new()];
    for _ in 0..count {
        out = out
            .into_iter()
            .flat_map(|begun: Vec<usize>| {
                let free = (0..count).filter(|n| !begun.contains(n)).collect::<Vec<_>>();
                free.into_iter().map(move |n| [begun.as_slice(), &[n]].concat())
            })
            .collect();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_weighed() {
        let weigh = |prompt: &str| weigh(prompt, "eva-ti", 0.8);
        assert_eq!(weigh("a eva-ti, b").unwrap(), "a (eva-ti:0.8), b");
        assert_eq!(weigh("a ( EVA-ti : 1.2 ) b").unwrap(), "a (EVA-ti:0.8) b");
        assert_eq!(weigh("(red eva-ti:1.2)").unwrap(), "(red (eva-ti:0.8):1.2)");
        assert_eq!(weigh("((eva-ti))").unwrap(), "(((eva-ti:0.8)))");
        assert_eq!(weigh("eva-tie <lora:eva-ti:1>"), None);
    }

    #[test]
    fn loras_are_weighed() {
        let prompt = "a <lora:x:0.5:1:dyn=4> <lyco:y>";
        let both = "a <lora:x:0.8:dyn=4> <lyco:y:0.8>";
        assert_eq!(weigh_lora(prompt, None, 0.8).unwrap(), both);
        assert_eq!(
            weigh_lora(prompt, Some("y"), 2.0).unwrap(),
            "a <lora:x:0.5:1:dyn=4> <lyco:y:2>"
        );
        assert_eq!(weigh_lora("a", Some("z"), 0.8).unwrap(), "a <lora:z:0.8>");
        assert_eq!(weigh_lora("a", None, 0.8), None);
    }

    #[test]
    fn texts_change_places() {
        assert_eq!(replace("a cat, cats", "cat", "dog").unwrap(), "a dog, dogs");
        assert_eq!(replace("a cat", "dog", "cat"), None);
        assert_eq!(orders(3).len(), 6);
        assert_eq!(orders(3)[1], [0, 2, 1]);
        let texts = ["red".to_owned(), "hat".to_owned()];
        assert_eq!(reorder("a red, hat.", &texts, &[1, 0]).unwrap(), "a hat, red.");
        assert_eq!(reorder("a hat", &texts, &[0, 1]), None);
    }
}
