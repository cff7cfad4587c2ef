//! Facts about a thing: one list that becomes aligned lines for people or a JSON object.
use serde_json::{Map, Value};

/// Named facts in the order in which they are told.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    json: Map<String, Value>,
    lines: Vec<(String, String)>,
}

impl Facts {
    /// A fact: its key in JSON, and how people read it. The label is the key with blanks.
    pub fn add(&mut self, key: &str, value: impl Into<Value>, shown: impl Into<String>) {
        self.json.insert(key.into(), value.into());
        self.lines.push((key.replace('_', " "), shown.into()));
    }

    /// A fact that reads the same both ways.
    pub fn text(&mut self, key: &str, value: impl ToString) {
        let value = value.to_string();
        self.add(key, value.clone(), value);
    }

    /// A fact that may be missing: then nothing is told.
    pub fn maybe(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A fact for JSON only.
    pub fn silent(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.into(), value.into());
    }

    /// A warning; in JSON all of them are a list.
    pub fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.lines.push(("warning".into(), text.clone()));
        let list = self.json.entry("warnings").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(text.into());
        }
    }

    /// A line for people only.
    pub fn line(&mut self, label: &str, shown: impl Into<String>) {
        self.lines.push((label.into(), shown.into()));
    }

    /// The lines, values aligned; further lines of a value stand below its first.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        let width = self.lines.iter().map(|(l, _)| l.chars().count()).max().unwrap_or(0);
        let mut out = Vec::new();
        for (label, shown) in &self.lines {
            for (i, line) in shown.lines().enumerate() {
                let label = if i == 0 { label.as_str() } else { "" };
                out.push(format!("{label:width$}  {line}").trim_end().to_owned());
            }
        }
        out
    }

    /// The JSON object, in the same order.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.json.clone())
    }
}

impl serde::Serialize for Facts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_two_readers() {
        let mut facts = Facts::default();
        facts.add("size", 3217, "3.2 kB");
        facts.text("layout", "kohya");
        facts.maybe("name", None::<String>);
        facts.line("row 0", "norm 0.4\nnear woman");
        assert_eq!(
            facts.to_lines(),
            ["size    3.2 kB", "layout  kohya", "row 0   norm 0.4", "        near woman"]
        );
        assert_eq!(facts.to_json().to_string(), r#"{"size":3217,"layout":"kohya"}"#);
    }
}
