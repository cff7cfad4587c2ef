//! Names of options in texts: libraries write `{train.resume}`, each face shows its own name for it.
use std::borrow::Cow;

/// How a face names the fields of requests.
pub trait FieldNames {
    /// The face's name of a field such as `train.learning_rate`: a flag (`--lr`), a label of a
    /// form. `None` where no field has this path; the text then stays as it is.
    fn name(&self, path: &str) -> Option<Cow<'_, str>>;
}

/// Closures are field names.
impl<F: Fn(&str) -> Option<String>> FieldNames for F {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        self(path).map(Cow::Owned)
    }
}

/// Field paths as they are, for logs and for callers of the library.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainNames;

impl FieldNames for PlainNames {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(path.to_owned()))
    }
}

/// Fields by the labels that forms give them, for pages: `train.save_every` is “Save every”.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabelNames;

impl FieldNames for LabelNames {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        let words = path.rsplit('.').next()?.replace('_', " ");
        let mut letters = words.chars();
        let first = letters.next()?.to_uppercase();
        Some(Cow::Owned(format!("“{first}{}”", letters.as_str())))
    }
}

/// `text` with each `{request.option}` replaced by the face's name. All other braces stay.
#[must_use]
pub fn render_fields(text: &str, names: &dyn FieldNames) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        rendered.push_str(&rest[..open]);
        rest = &rest[open..];
        let path = rest.find('}').map(|close| &rest[1..close]).filter(|path| is_path(path));
        match path.and_then(|path| Some((path, names.name(path)?))) {
            Some((path, name)) => {
                rendered.push_str(&name);
                rest = &rest[path.len() + 2..];
            }
            None => {
                rendered.push('{');
                rest = &rest[1..];
            }
        }
    }
    rendered + rest
}

/// Whether a text is a field's path: two or more snake_case words with dots between them.
fn is_path(text: &str) -> bool {
    let word = |w: &str| {
        !w.is_empty()
            && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.contains('.') && text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_paths_in_braces_are_replaced() {
        let flags = |path: &str| {
            let (request, option) = path.split_once('.')?;
            (request == "train").then(|| format!("--{}", option.replace('_', "-")))
        };
        let text = "{a|b} {train.save_every} 200, {2$$ {train.resume}, {other.x}, {train} {é.ü} {";
        assert_eq!(
            render_fields(text, &flags),
            "{a|b} --save-every 200, {2$$ --resume, {other.x}, {train} {é.ü} {"
        );
        assert_eq!(render_fields("{train.resume}", &PlainNames), "train.resume");
        assert_eq!(render_fields("give {train.save_every} 5", &LabelNames), "give “Save every” 5");
    }
}
