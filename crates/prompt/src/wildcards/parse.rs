//! The grammar of dynamic prompts, read as sd-dynamic-prompts reads it.
//!
//! Each `fn` reads one form at a byte offset and returns what it found and where it ends, or `None`
//! if the form does not stand there. Comments are skipped where a form may begin, with the spaces
//! before them; all other spaces count.
use super::command::{Command, CommandSite, Method, Variant};
use crate::Quirks;
use crate::attention::number;
use crate::error::PromptError;
use crate::unicode::digit;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

/// How deep forms may nest.
const MAX_DEPTH: usize = 60;
/// How many forms are tried before a template is given up.
const MAX_TRIES: usize = 200_000;

/// What was read, and where it ends.
type Found<T> = Result<Option<(T, usize)>, PromptError>;

/// Which characters end a text, beside `#`, `{`, `$`, `%` and `__`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Template,
    Braces,
    Path,
    /// A path where it goes on with a round bracket.
    PathTail,
}

/// What the peer's parser takes for a space.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

struct Parser {
    text: Rc<str>,
    quirks: Quirks,
    depth: usize,
    tries: usize,
    /// Where `__` is known to begin no wildcard.
    stray: BTreeSet<usize>,
}

/// Reads a template.
///
/// # Errors
/// A form that is never closed, and with [`Quirks::A1111`] also a lone `$`, `%` or `__`.
pub(super) fn parse(text: &str, quirks: Quirks) -> Result<Rc<Command>, PromptError> {
    let text: Rc<str> = expand_tabs(text).into();
    let mut parser =
        Parser { text: text.clone(), quirks, depth: 0, tries: 0, stray: BTreeSet::new() };
    let (command, end) = parser.prompt(0, Inside::Template)?;
    let end = parser.skip(end);
    if text[end..].chars().all(|c| SPACES.contains(&c)) {
        return Ok(command);
    }
    Err(parser.unreadable(end))
}

/// Spaces for tabs, to the next multiple of eight, as the peer's parser does it.
fn expand_tabs(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let width = 8 - column % 8;
            out.push_str(&" ".repeat(width));
            column += width;
        } else {
            column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
            out.push(c);
        }
    }
    out
}

impl Parser {
    fn rest(&self, at: usize) -> &str {
        &self.text[at..]
    }

    fn place(&self, span: Range<usize>) -> CommandSite {
        CommandSite { text: self.text.clone(), span }
    }

    /// The end of `sign` at `at`, comments before it skipped.
    fn sign(&self, at: usize, sign: &str) -> Option<usize> {
        let at = self.skip(at);
        self.rest(at).starts_with(sign).then_some(at + sign.len())
    }

    /// The end of spaces, comments before them skipped.
    fn spaces(&self, at: usize) -> usize {
        let start = self.skip(at);
        let rest = self.rest(start).trim_start_matches(SPACES);
        let end = self.text.len() - rest.len();
        if end > start { end } else { at }
    }

    /// The end of all comments that begin here, spaces before each skipped.
    fn skip(&self, mut at: usize) -> usize {
        loop {
            let rest = self.rest(at);
            let comment = rest.trim_start_matches(SPACES);
            let start = self.text.len() - comment.len();
            let length = if comment.starts_with("//") || self.is_comment(start) {
                comment.find('\n').unwrap_or(comment.len())
            } else if let Some(inside) = comment.strip_prefix("/*") {
                match inside.find("*/") {
                    Some(length) => length + 4,
                    None => return at,
                }
            } else {
                return at;
            };
            at = start + length;
        }
    }

    /// Whether a comment begins with the `#` at `at`. The sane reading leaves `a#b` alone.
    fn is_comment(&self, at: usize) -> bool {
        let free = |c: char| c.is_whitespace() || "{|$".contains(c);
        self.rest(at).starts_with('#')
            && (self.quirks == Quirks::A1111
                || self.text[..at].chars().next_back().is_none_or(free))
    }

    /// Counts a try and a level of nesting.
    fn enter(&mut self, at: usize) -> Result<(), PromptError> {
        self.depth += 1;
        self.tries += 1;
        let message = if self.depth > MAX_DEPTH {
            format!("braces and wildcards nest deeper than {MAX_DEPTH}")
        } else if self.tries > MAX_TRIES {
            "template is too tangled to be read".into()
        } else {
            return Ok(());
        };
        Err(PromptError::new(message, &self.text, at..at))
    }

    /// A run of forms, perhaps none.
    fn prompt(&mut self, at: usize, inside: Inside) -> Result<(Rc<Command>, usize), PromptError> {
        self.enter(at)?;
        let mut list = Vec::new();
        let mut end = at;
        while let Some((command, next)) = self.chunk(end, inside)? {
            list.push(Rc::new(command));
            end = next;
        }
        self.depth -= 1;
        let single = if list.len() == 1 { list.pop() } else { None };
        Ok((single.unwrap_or_else(|| Rc::new(Command::Sequence(list))), end))
    }

    /// One form.
    fn chunk(&mut self, at: usize, inside: Inside) -> Found<Command> {
        let start = self.skip(at);
        if inside == Inside::Path && self.rest(at).trim_start_matches(SPACES).starts_with('(') {
            return Ok(None);
        }
        let rest = self.rest(start);
        if rest.starts_with("${") {
            if inside == Inside::Template
                && let Some(found) = self.assignment(start)?
            {
                return Ok(Some(found));
            }
            return self.access(start, inside);
        }
        if rest.starts_with("%{") && inside != Inside::Path {
            return self.wrap(start);
        }
        if rest.starts_with('{') {
            return self.variant(start);
        }
        if rest.starts_with("__")
            && inside != Inside::Path
            && let Some(found) = self.wildcard(start)?
        {
            return Ok(Some(found));
        }
        let found = self.literal(at, inside)?;
        if found.is_none() && inside == Inside::Path {
            return self.literal(at, Inside::PathTail);
        }
        Ok(found)
    }

    /// Text up to the next form; comments in it become a space.
    fn literal(&mut self, at: usize, inside: Inside) -> Found<Command> {
        let mut runs = Vec::new();
        let mut end = at;
        loop {
            let start = self.skip(end);
            let stop = self.run(start, inside)?;
            if stop == start {
                break;
            }
            runs.push(start..stop);
            end = stop;
        }
        let pieces: Vec<&str> = runs.iter().map(|run| &self.text[run.clone()]).collect();
        Ok((!pieces.is_empty()).then(|| (Command::Literal(pieces.join(" ")), end)))
    }

    /// The end of a run of plain characters.
    fn run(&mut self, start: usize, inside: Inside) -> Result<usize, PromptError> {
        let mut at = start;
        while let Some(c) = self.rest(at).chars().next() {
            let next = self.rest(at)[c.len_utf8()..].chars().next();
            let sane =
                self.quirks == Quirks::Sane && matches!(inside, Inside::Template | Inside::Braces);
            let text = match c {
                '#' => sane && !self.is_comment(at),
                '{' => false,
                '$' => {
                    sane && next != Some('{') && (inside == Inside::Template || next != Some('$'))
                }
                '%' => sane && next != Some('{'),
                '|' | '}' => matches!(inside, Inside::Template | Inside::Path),
                '(' | ')' => inside != Inside::Path,
                '_' if next == Some('_') => {
                    if sane && self.wildcard(at)?.is_none() {
                        at += 2;
                        continue;
                    }
                    false
                }
                _ => true,
            };
            if !text {
                break;
            }
            at += c.len_utf8();
        }
        Ok(at)
    }

    /// `~`, `!` or `@`.
    fn method(&self, at: usize) -> (Option<Method>, usize) {
        let start = self.skip(at);
        let method = match self.rest(start).chars().next() {
            Some('~') => Method::Random,
            Some('!') => Method::Combinatorial,
            Some('@') => Method::Cyclical,
            _ => return (None, at),
        };
        (Some(method), start + 1)
    }

    /// `__~name(x=a)__`.
    fn wildcard(&mut self, start: usize) -> Found<Command> {
        if self.stray.contains(&start) {
            return Ok(None);
        }
        let found = self.wildcard_here(start)?;
        if found.is_none() {
            self.stray.insert(start);
        }
        Ok(found)
    }

    fn wildcard_here(&mut self, start: usize) -> Found<Command> {
        let Some(at) = self.sign(start, "__") else { return Ok(None) };
        let (method, at) = self.method(at);
        let (path, end) = self.prompt(at, Inside::Path)?;
        if path.is_nothing() {
            return Ok(None);
        }
        let (variables, end) = match self.variables(end)? {
            Some(found) => found,
            None => (Vec::new(), end),
        };
        let Some(end) = self.sign(end, "__") else { return Ok(None) };
        let place = self.place(start..end);
        Ok(Some((Command::Wildcard { path, method, variables, place }, end)))
    }

    /// `(x=a, y=b)`.
    fn variables(&mut self, at: usize) -> Found<Vec<(String, Rc<Command>)>> {
        let Some(open) = self.sign(self.spaces(at), "(") else { return Ok(None) };
        let from = self.skip(open);
        let Some(length) = self.rest(from).find(')').filter(|&length| length > 0) else {
            return Ok(None);
        };
        let mut list: Vec<(String, Rc<Command>)> = Vec::new();
        let given = self.text.clone();
        for pair in given[from..from + length].split(',') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = crate::unicode::strip(key).to_owned();
            let command = parse(crate::unicode::strip(value), self.quirks)?;
            match list.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = command,
                None => list.push((key, command)),
            }
        }
        Ok(Some((list, from + length + 1)))
    }

    /// `{@2$$ and $$1::a|b}`.
    fn variant(&mut self, start: usize) -> Found<Command> {
        let Some(at) = self.sign(start, "{") else { return Ok(None) };
        let (method, at) = self.method(self.spaces(at));
        let (bounds, at) = match self.bounds(at) {
            Some((bounds, end)) => (Some(bounds), end),
            None => (None, at),
        };
        let mut options = Vec::new();
        let mut at = self.spaces(at);
        loop {
            at = self.spaces(at);
            let (weight, from) = self.weight(at).unwrap_or((1.0, at));
            let (value, end) = self.prompt(from, Inside::Braces)?;
            options.push((value, weight));
            at = self.spaces(end);
            match self.sign(at, "|") {
                Some(next) => at = next,
                None => break,
            }
        }
        let Some(end) = self.sign(at, "}") else { return Ok(None) };
        let bounds =
            bounds.unwrap_or(Bounds { low: Some(1), high: Some(1), separator: ",".into() });
        let count = i64::try_from(options.len()).unwrap_or(i64::MAX);
        let (low, high) = (bounds.low.unwrap_or(1), bounds.high.unwrap_or(count));
        let variant = Variant {
            options,
            least: low.min(high),
            most: low.max(high),
            separator: bounds.separator,
            method,
            place: self.place(start..end),
        };
        Ok(Some((Command::Variant(variant), end)))
    }

    /// `2$$`, `1-2$$`, `-2$$`, `2-$$`, and a separator with another `$$`.
    fn bounds(&self, at: usize) -> Option<(Bounds, usize)> {
        let low = self.integer(at);
        let dash = self.sign(low.map_or(at, |(_, end)| end), "-");
        let (low, high, end) = match (low, dash, dash.and_then(|end| self.integer(end))) {
            (low, Some(_), Some((high, end))) => (low.map(|(low, _)| low), Some(high), end),
            (Some((low, _)), Some(end), None) => (Some(low), None, end),
            (Some((low, end)), None, _) => (Some(low), Some(low), end),
            (None, _, _) => return None,
        };
        let end = self.sign(end, "$$")?;
        let from = self.skip(end);
        let allowed = |c: char| (' '..='~').contains(&c) && !"${}".contains(c);
        let length = self.rest(from).find(|c| !allowed(c)).unwrap_or(self.rest(from).len());
        if length > 0
            && let Some(end) = self.sign(from + length, "$$")
        {
            let separator = self.text[from..from + length].to_owned();
            return Some((Bounds { low, high, separator }, end));
        }
        Some((Bounds { low, high, separator: ",".into() }, end))
    }

    fn integer(&self, at: usize) -> Option<(i64, usize)> {
        let start = self.skip(at);
        let rest = self.rest(start);
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let value = rest[..length].bytes().fold(0i64, |value, byte| {
            value.saturating_mul(10).saturating_add(i64::from(byte - b'0'))
        });
        (length > 0).then_some((value, start + length))
    }

    /// `1.5::` or `2::`.
    fn weight(&self, at: usize) -> Option<(f64, usize)> {
        let start = self.skip(at);
        let rest = self.rest(start);
        let length = rest
            .char_indices()
            .find(|&(i, c)| !(c == '.' || digit(c).is_some() || (i == 0 && "+-".contains(c))))
            .map_or(rest.len(), |(i, _)| i);
        let written = &rest[..length];
        // A sign only before a number with a point; a whole number only in ASCII.
        let whole = written.bytes().all(|byte| byte.is_ascii_digit());
        let value = number(written).filter(|_| whole || written.contains('.'))?;
        Some((value, self.sign(start + length, "::")?))
    }

    /// A variable's name.
    fn name(&self, at: usize) -> Option<(String, usize)> {
        let start = self.skip(at);
        let rest = self.rest(start);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let name = &rest[..length];
        (length > 0 && !name.starts_with(|c: char| c.is_ascii_digit()))
            .then(|| (name.to_owned(), start + length))
    }

    /// `${x=a}`, `${x=!a}`, `${x?=a}`.
    fn assignment(&mut self, start: usize) -> Found<Command> {
        let Some(at) = self.sign(start, "${").map(|at| self.spaces(at)) else { return Ok(None) };
        let Some((name, at)) = self.name(at) else { return Ok(None) };
        let at = self.spaces(at);
        let (overwrite, at) = self.sign(at, "?").map_or((true, at), |at| (false, at));
        let Some(at) = self.sign(at, "=") else { return Ok(None) };
        let (immediate, at) = self.sign(at, "!").map_or((false, at), |at| (true, at));
        let (value, at) = self.prompt(self.spaces(at), Inside::Braces)?;
        let Some(end) = self.sign(self.spaces(at), "}") else { return Ok(None) };
        Ok(Some((Command::Assign { name, value, immediate, overwrite }, end)))
    }

    /// `${x}` or `${x:a}`. In a wildcard's path an unset variable means its default or its name.
    fn access(&mut self, start: usize, inside: Inside) -> Found<Command> {
        let Some(at) = self.sign(start, "${").map(|at| self.spaces(at)) else { return Ok(None) };
        let Some((name, at)) = self.name(at) else { return Ok(None) };
        let mut at = self.spaces(at);
        let mut default = None;
        if let Some(colon) = self.sign(at, ":") {
            let (value, end) = self.prompt(self.spaces(colon), Inside::Braces)?;
            default = Some(value).filter(|value| !value.is_nothing());
            at = end;
        }
        let Some(end) = self.sign(self.spaces(at), "}") else { return Ok(None) };
        if inside == Inside::Path {
            let text = match default.as_deref() {
                None => name.as_str(),
                Some(Command::Literal(text)) => crate::unicode::strip(text),
                Some(_) => {
                    let message = "a default inside a wildcard's name can only be text";
                    return Err(PromptError::new(message, &self.text, start..end));
                }
            };
            default = Some(Rc::new(Command::Literal(text.to_owned())));
        }
        let place = self.place(start..end);
        Ok(Some((Command::Access { name, default, place }, end)))
    }

    /// `%{a ... b$$c}`.
    fn wrap(&mut self, start: usize) -> Found<Command> {
        let Some(at) = self.sign(start, "%{").map(|at| self.spaces(at)) else { return Ok(None) };
        let (wrapper, at) = self.prompt(at, Inside::Braces)?;
        let Some(at) = self.sign(self.spaces(at), "$$") else { return Ok(None) };
        let (inner, at) = self.prompt(self.spaces(at), Inside::Braces)?;
        let Some(end) = self.sign(at, "}") else { return Ok(None) };
        Ok(Some((Command::Wrap { wrapper, inner }, end)))
    }

    /// The error for what stands at `at`.
    fn unreadable(&self, at: usize) -> PromptError {
        let rest = self.rest(at);
        let (message, length, hint) = if rest.starts_with("${") {
            (
                "this variable cannot be read",
                2,
                "write `${name}`, `${name:default}` or `${name=value}`",
            )
        } else if rest.starts_with("%{") {
            ("this wrapper cannot be read", 2, "write `%{before ... after$$inside}`")
        } else if rest.starts_with('{') {
            ("this brace is never closed", 1, "write `{a|b}`")
        } else if rest.starts_with("__") {
            ("this begins no wildcard", 2, "write `__name__`")
        } else {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            (
                "this cannot stand alone in a template",
                length,
                "`$` and `%` begin a variable or a wrapper",
            )
        };
        PromptError::new(message, &self.text, at..at + length).hint(hint)
    }
}

/// How many options are taken, and what stands between them.
struct Bounds {
    low: Option<i64>,
    high: Option<i64>,
    separator: String,
}
