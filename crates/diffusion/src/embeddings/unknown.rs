//! What a prompt seems to call and nobody knows: such a word is drawn as ordinary text, and the
//! picture does not tell.
use super::{Embeddings, LoadedEmbedding};
use wayword_interface::Warning;
use wayword_prompt::PromptPlan;
use wayword_prompt::error::did_you_mean;

/// Text that looks like a learned word and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// As it is written.
    pub text: String,
    /// The word that was probably meant, as it is typed in a prompt.
    pub meant: Option<String>,
}

impl Unknown {
    /// What the user should be told; `none` says that no embeddings are loaded.
    pub(crate) fn warning(&self, none: bool) -> Warning {
        let text = format!("`{}` is not a known embedding and is read as ordinary text", self.text);
        let hint = match &self.meant {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None => none.then(|| {
                "no embeddings are loaded: pass their folder with {any.embeddings}".into()
            }),
        };
        Warning::new(text).with_hint_if(hint)
    }
}

impl Embeddings {
    /// Calls of words that do not exist, in another program's spelling or by a name that ends as
    /// embeddings' often do (`-ti`); and words that the vocabulary has to spell out in pieces and
    /// that are nearly the name of a learned word.
    #[must_use]
    pub fn unknown(&self, plan: &PromptPlan) -> Vec<Unknown> {
        let mut out: Vec<Unknown> = Vec::new();
        let mut add = |text: &str, name: &str, is_call: bool| {
            let meant = did_you_mean(name, self.names_known());
            let unknown = Unknown { text: text.into(), meant: meant.map(typed) };
            if (is_call || meant.is_some()) && !out.contains(&unknown) {
                out.push(unknown);
            }
        };
        let entries = plan.parts.iter().flat_map(|part| &part.entries);
        for (text, _) in entries.flat_map(|entry| entry.items.iter()) {
            let calls = self.calls(text);
            for call in calls.iter().filter(|call| call.word.is_none()) {
                add(&text[call.span.clone()], &call.name, true);
            }
            // Names that are there say nothing of their parts.
            let mut others = text.clone();
            for name in self.names(text) {
                let blank = " ".repeat(name.len());
                others.replace_range(name, &blank);
            }
            let divides =
                |c: char| c.is_whitespace() || [',', '(', ')', '[', ']', ':'].contains(&c);
            for word in others.split(divides).map(|w| w.trim_matches(['.', '!', '?', ';', '"'])) {
                let ids = self.tokenizer.encode(word);
                let of_call = calls.iter().any(|call| text[call.span.clone()].contains(word));
                let lower = word.to_lowercase();
                let inside = |w: &LoadedEmbedding| ids.windows(w.ids.len()).any(|ids| ids == w.ids);
                let known = of_call || self.words.iter().any(inside);
                let called = |name: &str| {
                    let name = name.to_lowercase();
                    name.strip_suffix("-ti").or(name.strip_suffix("_ti")) == Some(lower.as_str())
                };
                if ids.len() == 1 && !known && self.names_known().any(called) {
                    add(word, &format!("{word}-ti"), false);
                }
                if ids.len() > 1 && word.len() > 2 && !known {
                    add(word, word, lower.ends_with("-ti") || lower.ends_with("_ti"));
                }
            }
        }
        out
    }
}

/// A name as it is typed: brackets would be read as weights.
fn typed(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if "()[]\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;
    use wayword_prompt::schedule::Pass;
    use wayword_prompt::{Language, PromptPlan};

    fn unknown(names: &[&str], prompt: &str) -> Vec<(String, Option<String>)> {
        let mut words = Embeddings::for_width(1, &Tokenizer::new());
        names.iter().for_each(|name| words.add(name, vec![1.0], None).unwrap());
        let plan = PromptPlan::positive(prompt, Pass::first(20), Language::default()).unwrap();
        words.unknown(&plan).into_iter().map(|u| (u.text, u.meant)).collect()
    }

    #[test]
    fn slips_and_words_that_are_not_loaded_are_found() {
        let one = |text: &str, meant: Option<&str>| vec![(text.into(), meant.map(str::to_owned))];
        let found = unknown(&["edvard2-ti"], "photo of (edvrd2-ti:0.8), a t-shirt at the beach");
        assert_eq!(found, one("edvrd2-ti", Some("edvard2-ti")));
        assert_eq!(unknown(&[], "a photo of Evagreen-TI."), one("Evagreen-TI", None));
        assert_eq!(unknown(&["EasyNegative (1)"], "a EasyNegative \\(1\\), b"), []);
        let bare = unknown(&["EasyNegative (1)"], "a EasyNegative (1), b");
        assert_eq!(bare, one("EasyNegative", Some("EasyNegative \\(1\\)")));
        assert_eq!(unknown(&["cat-ti"], "a cat in a hat"), one("cat", Some("cat-ti")));
        let comfy = unknown(&["eva"], "embedding:evb, eva");
        assert_eq!(comfy, one("embedding:evb", Some("eva")));
        let read = "EDVARD2-TI in a hat, x-edvard2-ti, 8k-uhd, tri-color";
        assert_eq!(unknown(&["edvard2-ti"], read), []);
    }
}
