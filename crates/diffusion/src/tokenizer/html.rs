//! Character references of HTML in a prompt, such as `&amp;` and `&#39;`.
use super::mojibake::windows_1252;
use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: &str = include_str!("../../data/html_entities.txt");

/// Names that a browser accepts without a semicolon in capitals: names that begin so are not
/// taken for a name in capitals.
const BARE_CAPITALS: [&str; 8] = ["AMP", "COPY", "ETH", "GT", "LT", "QUOT", "REG", "THORN"];

static NAMES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    let rows = TABLE.lines().filter_map(|line| {
        let (name, codes) = line.split_once(' ')?;
        let codes = codes.split(' ').map(|c| u32::from_str_radix(c, 16).ok());
        let text: Option<String> = codes.map(|c| c.and_then(char::from_u32)).collect();
        Some((name.to_owned(), text?))
    });
    let rows: Vec<(String, String)> = rows.collect();
    // The names themselves go last, so that they win over a capitalised other name.
    for (name, text) in &rows {
        let upper = name.to_uppercase();
        let bare = BARE_CAPITALS.iter().any(|b| upper.starts_with(b));
        if *name == name.to_lowercase() && !bare {
            names.insert(upper, text.to_uppercase());
        }
    }
    names.extend(rows);
    names
});

/// Replaces references that end in a semicolon; whatever is none stays.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = reference(rest);
        match found.and_then(|name| Some((name, resolve(name)?))) {
            Some((name, text)) => {
                out.push_str(&text);
                rest = &rest[name.len() + 2..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// What stands between `&` and `;`: an optional `#`, then 1 to 24 letters or digits.
fn reference(text: &str) -> Option<&str> {
    let name = &text[1..text.find(';')?];
    let body = name.strip_prefix('#').unwrap_or(name);
    let plain = body.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && (1..=24).contains(&body.len())).then_some(name)
}

fn resolve(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return NAMES.get(name).cloned();
    };
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    let text = match code {
        0 => "\u{fffd}".into(),
        0x80..=0x9f => windows_1252(code as u8).to_string(),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        _ if code & 0xfffe == 0xfffe && code < 0x11_0000 => String::new(),
        _ => char::from_u32(code).unwrap_or('\u{fffd}').to_string(),
    };
    Some(text)
}
