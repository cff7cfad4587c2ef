//! The texts of an XMP packet that programs use for settings.

use super::Note;

/// The description and the user comment of a packet.
pub(super) fn notes(xml: &str) -> Vec<Note> {
    ["exif:UserComment", "dc:description", "tiff:ImageDescription"]
        .into_iter()
        .filter_map(|tag| Some(Note { place: tag.to_owned(), text: element(xml, tag)? }))
        .collect()
}

/// The text of an element, or of the first item of its list.
fn element(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}"))?;
    let (_, rest) = rest.split_once('>')?;
    let (body, _) = rest.split_once(&format!("</{tag}>"))?;
    let item = body.split_once("<rdf:li").and_then(|(_, item)| {
        let (_, item) = item.split_once('>')?;
        item.split_once("</rdf:li>").map(|(text, _)| text)
    });
    Some(unescape(item.unwrap_or(body).trim()))
}

/// XML's five names and its numbers.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once(';') else {
            out.push('&');
            rest = after;
            continue;
        };
        let number = |n: &str| match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => n.parse().ok(),
        };
        let found = match name {
            "quot" => Some('"'),
            "apos" => Some('\''),
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            _ => name.strip_prefix('#').and_then(number).and_then(char::from_u32),
        };
        match found {
            Some(c) => {
                out.push(c);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
