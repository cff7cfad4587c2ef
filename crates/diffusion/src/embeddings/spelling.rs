//! Words called as other programs call them: ComfyUI's `embedding:name` and diffusers' `<name>`.
use super::Embeddings;
use std::borrow::Cow;
use std::ops::Range;
use wayword_prompt::Attention;
use wayword_prompt::edit::prefix;

/// The endings of files that ComfyUI's users may write behind a name.
const ENDINGS: [&str; 4] = [".safetensors", ".pt", ".bin", ".ckpt"];

/// A call in another program's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
    /// The name as written, without its marks.
    pub name: String,
    /// The place of the word that it means; `None` where no word has the name.
    pub word: Option<usize>,
}

impl Embeddings {
    /// The calls in a text that are spelled as in ComfyUI or diffusers, in order. What stands in
    /// angle brackets counts only if it is one word without blanks; a word whose own name has the
    /// brackets, as those that LoRAs bring, needs no other spelling and is no call.
    #[must_use]
    pub fn calls(&self, text: &str) -> Vec<Call> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            match self.comfy(text, at).or_else(|| self.bracketed(text, at)) {
                Some(call) => {
                    at = call.span.end;
                    out.push(call);
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        out
    }

    /// A text with the plain names of words in the place of such calls.
    #[must_use]
    pub fn plain<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains(['<', ':']) {
            return Cow::Borrowed(text);
        }
        let (mut out, mut at) = (String::new(), 0);
        for call in self.calls(text) {
            let Some(word) = call.word else { continue };
            out.push_str(&text[at..call.span.start]);
            out.push_str(&self.embedding(word).name);
            at = call.span.end;
        }
        if at == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[at..]);
        Cow::Owned(out)
    }

    /// Weighted pieces of a prompt, with plain names that stand apart.
    #[must_use]
    pub fn spelled(&self, items: &Attention) -> Attention {
        let spelled = |text: &str| self.apart(&self.plain(text)).into_owned();
        items.iter().map(|(text, weight)| (spelled(text), *weight)).collect()
    }

    /// A text with a blank between a name that begins or ends with a mark and the mark beside it, as
    /// in `<cat-toy>, red`: the tokenizer joins marks, and the name's own tokens would not be there.
    fn apart<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mark = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric() && !c.is_whitespace());
        let marked = |name: &str| mark(name.chars().next()) || mark(name.chars().next_back());
        // Few names are marked; without one nothing is looked for.
        if !self.words.iter().any(|word| marked(&word.name)) {
            return Cow::Borrowed(text);
        }
        let (mut out, mut at) = (String::new(), 0);
        for name in self.names(text) {
            let (before, rest) = text.split_at(name.start);
            let (name, after) = rest.split_at(name.len());
            out.push_str(&before[at..]);
            if mark(name.chars().next()) && mark(before.chars().next_back()) {
                out.push(' ');
            }
            out.push_str(name);
            if mark(name.chars().next_back()) && mark(after.chars().next()) {
                out.push(' ');
            }
            at = text.len() - after.len();
        }
        if at == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[at..]);
        Cow::Owned(out)
    }

    /// Where the names of words stand in a text, in bytes, the longest at each place; not inside of
    /// other words.
    pub(super) fn names(&self, text: &str) -> Vec<Range<usize>> {
        let inside = |a: Option<char>, b: Option<char>| {
            a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
        };
        let (mut out, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let (before, rest) = text.split_at(at);
            let starts = !inside(before.chars().next_back(), rest.chars().next());
            let length = |name: &str| {
                let length = prefix(rest, name).filter(|length| *length > 0)?;
                let (name, after) = rest.split_at(length);
                (!inside(name.chars().next_back(), after.chars().next())).then_some(length)
            };
            let longest = self.words.iter().filter_map(|word| length(&word.name)).max();
            match longest.filter(|_| starts) {
                Some(length) => {
                    out.push(at..at + length);
                    at += length;
                }
                None => at += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        out
    }

    /// `embedding:name`, with or without an ending; the longest name counts.
    fn comfy(&self, text: &str, at: usize) -> Option<Call> {
        const MARK: &str = "embedding:";
        let length = prefix(&text[at..], MARK)?;
        if text[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
            return None;
        }
        let start = at + length;
        let rest = &text[start..];
        let end_of = |from: usize, name: &str| {
            let length = from + prefix(&rest[from..], name)?;
            let ending = ENDINGS.iter().find_map(|ending| prefix(&rest[length..], ending));
            let end = length + ending.unwrap_or(0);
            let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            (!rest[end..].starts_with(goes_on)).then_some(end)
        };
        let stops = |c: char| c.is_whitespace() || [',', '(', ')', '[', ']', ':'].contains(&c);
        let stop = rest.find(stops).unwrap_or(rest.len());
        // A name may have its folder in front.
        let folder = rest[..stop].rfind(['/', '\\']).map_or(0, |slash| slash + 1);
        let fitting = self.words.iter().enumerate();
        let found = fitting.filter_map(|(i, word)| {
            Some((end_of(0, &word.name).or_else(|| end_of(folder, &word.name))?, i))
        });
        let best = found.max_by_key(|(end, i)| (*end, std::cmp::Reverse(*i)));
        let end = best.map_or(stop, |(end, _)| end);
        (end > 0).then(|| Call {
            span: at..start + end,
            name: rest[..end].to_owned(),
            word: best.map(|(_, i)| i),
        })
    }

    /// `<name>`.
    fn bracketed(&self, text: &str, at: usize) -> Option<Call> {
        let inside = text[at..].strip_prefix('<')?;
        let end = inside.find('>')?;
        let name = &inside[..end];
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '<');
        let named = |name: &str| {
            let alike = |word: &str| prefix(name, word) == Some(name.len());
            self.words.iter().position(|word| alike(&word.name))
        };
        let span = at..at + end + 2;
        if !is_name || name.contains(':') || named(&text[span.clone()]).is_some() {
            return None;
        }
        Some(Call { span, name: name.to_owned(), word: named(name) })
    }
}

#[cfg(test)]
mod tests {
    use crate::Embeddings;
    use crate::tokenizer::Tokenizer;

    fn words() -> Embeddings {
        let mut words = Embeddings::for_width(1, &Tokenizer::new());
        for name in ["eva", "eva-ti", "<s1>"] {
            words.add(name, vec![1.0], None).unwrap();
        }
        words
    }

    #[test]
    fn names_with_marks_stand_apart() {
        let mut words = Embeddings::for_width(1, &Tokenizer::new());
        for name in ["<cat-toy>", "wow!", "Easy (1)", "eva"] {
            words.add(name, vec![1.0], None).unwrap();
        }
        for (text, apart) in [
            ("photo of <cat-toy>, red", "photo of <cat-toy> , red"),
            ("(<Cat-Toy>)", "( <Cat-Toy> )"),
            ("wow!!, wow, wow! x", "wow! !, wow, wow! x"),
            ("an Easy (1), eva, evan, beeva", "an Easy (1) , eva, evan, beeva"),
            ("é wow!é", "é wow!é"),
        ] {
            assert_eq!(words.apart(text), apart);
        }
        let find = |text: &str| {
            let ids = words.tokenizer.encode(&words.apart(text));
            (0..ids.len()).filter_map(|i| words.find(&ids[i..])).collect::<Vec<_>>()
        };
        assert_eq!(find("photo of <cat-toy>, red"), [0]);
        assert_eq!(find("wow!, Easy (1), eva"), [1, 2, 3]);
    }

    #[test]
    fn other_programs_spellings_are_read() {
        let words = words();
        for (text, plain) in [
            ("photo of embedding:eva-ti, red", "photo of eva-ti, red"),
            ("Embedding:EVA (embedding:eva.pt:1.2)", "eva (eva:1.2)"),
            ("a <eva-ti>, b", "a eva-ti, b"),
            ("a <s1> b <Eva>", "a <s1> b eva"),
            ("embedding:<s1>, x", "<s1>, x"),
            ("embedding:people/old/eva-ti.pt, x", "eva-ti, x"),
        ] {
            assert_eq!(words.plain(text), plain, "{text}");
        }
    }

    #[test]
    fn other_text_stays() {
        let words = words();
        for text in ["a < b > c", "<3 eva", "an embedding: eva", "embedding:evan", "<a b>", "<"] {
            assert_eq!(words.plain(text), text);
        }
        let calls = words.calls("embedding:evan, <zarva>");
        assert_eq!(calls.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["evan", "zarva"]);
        assert!(calls.iter().all(|c| c.word.is_none()));
    }
}
