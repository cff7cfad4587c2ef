//! Commands to texts: for each command a source that hands out one text after the other.
//!
//! sd-dynamic-prompts samples with Python generators; whoever wants its results for a seed must draw
//! in the same order. Each struct below is one of its generators, started at its first `next`.
mod combinatorial;
mod cyclical;
mod random;

use super::command::{Command, CommandSite, Method, Variant};
use super::parse::parse;
use super::store::{Value, Wildcards};
use crate::Quirks;
use crate::error::{PromptError, did_you_mean};
use crate::python_random::PythonRandom;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How deep sources may ask each other, and how many texts a job may ask for inwardly.
const MAX_DEPTH: usize = 400;
const MAX_WORK: usize = 2_000_000;

/// A source of texts; `None` when it has no more.
pub(super) trait Choices {
    fn next(&mut self, world: &mut World) -> Text;
}

pub(super) type Text = Result<Option<String>, PromptError>;
pub(super) type Gen = Box<dyn Choices>;

/// What all sources share.
pub(super) struct World<'a> {
    pub(super) random: PythonRandom,
    pub(super) wildcards: &'a Wildcards,
    pub(super) quirks: Quirks,
    /// What a user should hear of.
    pub(super) notes: BTreeSet<String>,
    /// For errors that have no place of their own.
    pub(super) template: Rc<str>,
    parsed: BTreeMap<String, Rc<Command>>,
    found: BTreeMap<String, Rc<Vec<Value>>>,
    depth: usize,
    work: usize,
}

/// What holds where a command stands.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) method: Method,
    pub(super) variables: Rc<BTreeMap<String, Bound>>,
    /// Variables whose values are being sampled.
    sampling: Rc<BTreeSet<String>>,
}

/// What a variable stands for.
#[derive(Clone)]
pub(super) enum Bound {
    Command(Rc<Command>),
    /// The text of an immediate variable, renewed by the sequence that sets it.
    Text(Rc<RefCell<String>>),
}

impl Context {
    pub(super) fn new(method: Method) -> Self {
        Self { method, variables: Rc::default(), sampling: Rc::default() }
    }

    fn with_method(&self, method: Method) -> Self {
        Self { method, ..self.clone() }
    }

    fn with_variables(&self, new: impl IntoIterator<Item = (String, Bound)>) -> Self {
        let mut context = self.clone();
        let mut new = new.into_iter().peekable();
        if new.peek().is_some() {
            Rc::make_mut(&mut context.variables).extend(new);
        }
        context
    }

    fn with_given(&self, variables: &[(String, Rc<Command>)]) -> Self {
        let bind =
            |(name, value): &(String, Rc<Command>)| (name.clone(), Bound::Command(value.clone()));
        self.with_variables(variables.iter().map(bind))
    }

    fn effective(&self, command: &Command) -> Method {
        command.method().unwrap_or(self.method)
    }
}

impl<'a> World<'a> {
    pub(super) fn new(template: &str, wildcards: &'a Wildcards, seed: u64, quirks: Quirks) -> Self {
        Self {
            random: PythonRandom::new(seed),
            wildcards,
            quirks,
            notes: BTreeSet::new(),
            template: template.into(),
            parsed: BTreeMap::new(),
            found: BTreeMap::new(),
            depth: 0,
            work: 0,
        }
    }

    /// An error about the whole template.
    fn error(&self, message: &str) -> PromptError {
        PromptError::new(message, &self.template, 0..self.template.len())
    }

    /// Counts a piece of work, so that no template runs for ever.
    fn count(&mut self) -> Result<(), PromptError> {
        self.work += 1;
        if self.work > MAX_WORK {
            return Err(self.error("template has too many possibilities"));
        }
        Ok(())
    }

    /// The next text of a source.
    pub(super) fn next(&mut self, source: &mut Gen) -> Text {
        self.count()?;
        if self.depth >= MAX_DEPTH {
            return Err(self.endless());
        }
        self.depth += 1;
        let text = source.next(self);
        self.depth -= 1;
        text
    }

    /// The next text of a source that must have one.
    pub(super) fn must(&mut self, source: &mut Gen) -> Result<String, PromptError> {
        self.next(source)?
            .ok_or_else(|| self.error("a part of the template has nothing to choose from"))
    }

    fn parse(&mut self, text: &str) -> Result<Rc<Command>, PromptError> {
        if let Some(known) = self.parsed.get(text) {
            return Ok(known.clone());
        }
        let command = parse(text, self.quirks)?;
        self.parsed.insert(text.to_owned(), command.clone());
        Ok(command)
    }

    /// A source for a text that is a template itself.
    fn template(&mut self, text: &str, context: &Context) -> Result<Gen, PromptError> {
        if text.is_empty() {
            return Ok(Box::new(Nothing));
        }
        let command = self.parse(text)?;
        self.part(&command, context)
    }

    /// A source for a command, or for nothing if the command is an empty sequence.
    fn part(&mut self, command: &Rc<Command>, context: &Context) -> Result<Gen, PromptError> {
        if command.is_nothing() && self.quirks == Quirks::A1111 {
            return Ok(Box::new(Nothing));
        }
        self.source(command, context)
    }

    /// A source for a command.
    pub(super) fn source(
        &mut self,
        command: &Rc<Command>,
        context: &Context,
    ) -> Result<Gen, PromptError> {
        let mut method = context.effective(command);
        if context.method.is_endless() && !method.is_endless() {
            self.notes.insert("`!` inside a random prompt is drawn by chance".into());
            method = context.method;
        }
        let context = context.with_method(method);
        let endless = method.is_endless();
        Ok(match &**command {
            Command::Literal(text) => {
                Box::new(Literal { text: text.clone(), left: !endless, endless })
            }
            Command::Sequence(list) if endless => Box::new(Sequence::new(list.clone(), context)),
            Command::Sequence(list) => {
                Box::new(combinatorial::Sequence::new(list.clone(), context))
            }
            Command::Variant(variant) => self.variant(variant.clone(), context),
            Command::Wildcard { .. } => match method {
                Method::Random => Box::new(random::Wildcard::new(command.clone(), context)),
                Method::Cyclical => Box::new(cyclical::Wildcard::new(command.clone(), context)),
                Method::Combinatorial => {
                    Box::new(combinatorial::Wildcard::new(command.clone(), context))
                }
            },
            Command::Assign { .. } if self.quirks == Quirks::A1111 => {
                return Err(self.error("a template that only sets a variable cannot be sampled"));
            }
            Command::Assign { .. } => {
                Box::new(Literal { text: String::new(), left: !endless, endless })
            }
            Command::Access { name, default, place } => {
                self.variable(name, default.as_ref(), place, &context)?
            }
            Command::Wrap { wrapper, inner } => match method {
                Method::Combinatorial => {
                    Box::new(combinatorial::Wrap::new(wrapper, inner, context))
                }
                Method::Cyclical if self.quirks == Quirks::A1111 => {
                    return Err(self.error("a wrapper cannot be cyclical"));
                }
                _ => Box::new(random::Wrap::new(wrapper, inner, context)),
            },
        })
    }

    fn variant(&mut self, variant: Variant, context: Context) -> Gen {
        match context.method {
            Method::Random => Box::new(random::Choice::new(variant, context)),
            Method::Cyclical => Box::new(cyclical::Choice::new(variant, context)),
            Method::Combinatorial => Box::new(combinatorial::Choice::new(variant, context)),
        }
    }

    fn variable(
        &mut self,
        name: &str,
        default: Option<&Rc<Command>>,
        place: &CommandSite,
        context: &Context,
    ) -> Result<Gen, PromptError> {
        let unset = |bound: &Bound| {
            matches!(bound, Bound::Command(c) if c.is_nothing()) && self.quirks == Quirks::A1111
        };
        let bound = match context.variables.get(name).cloned() {
            None => default.cloned().map(Bound::Command),
            bound => bound,
        };
        let Some(bound) = bound.filter(|bound| !unset(bound)) else {
            let message = format!("variable `{name}` is not set here");
            let error = PromptError::new(message, &place.text, place.span.clone());
            let known = context.variables.keys().map(String::as_str);
            return Err(match did_you_mean(name, known) {
                Some(meant) => error.hint(format!("did you mean `${{{meant}}}`?")),
                None => error
                    .hint(format!("write `${{{name}:default}}`, or `${{{name}=value}}` before it")),
            });
        };
        if context.sampling.contains(name) {
            let message = format!("variable `{name}` is set to itself");
            return Err(PromptError::new(message, &place.text, place.span.clone()));
        }
        match bound {
            Bound::Text(text) => {
                Ok(Box::new(Cell { text, endless: context.method.is_endless(), left: true }))
            }
            Bound::Command(command) => {
                let mut inner = context.clone();
                Rc::make_mut(&mut inner.sampling).insert(name.to_owned());
                self.source(&command, &inner)
            }
        }
    }

    /// The name that a wildcard's path comes to.
    fn path(&mut self, path: &Rc<Command>, context: &Context) -> Result<String, PromptError> {
        let mut source = self.part(path, context)?;
        self.must(&mut source)
    }

    fn values(&mut self, name: &str) -> Rc<Vec<Value>> {
        if let Some(known) = self.found.get(name) {
            return known.clone();
        }
        let values = Rc::new(self.wildcards.values(name));
        self.found.insert(name.to_owned(), values.clone());
        values
    }

    /// What stands for a wildcard without values: in the sane reading, an error.
    fn unknown(
        &mut self,
        command: &Command,
        name: &str,
        context: &Context,
    ) -> Result<Gen, PromptError> {
        let message = if self.wildcards.names().any(|known| known == name) {
            format!("the wildcard `{name}` has no values")
        } else {
            format!("no wildcard called `{name}`")
        };
        if let (Quirks::Sane, Command::Wildcard { place, .. }) = (self.quirks, command) {
            let error = PromptError::new(message, &place.text, place.span.clone());
            let others = self.wildcards.names().filter(|known| *known != name);
            return Err(match did_you_mean(name, others) {
                Some(meant) => error.hint(format!("did you mean `__{meant}__`?")),
                None => error.hint(known(self.wildcards)),
            });
        }
        self.notes.insert(message);
        // The peer draws the name once more, which another choice in it can change.
        let name = match command {
            Command::Wildcard { path, .. } => self.path(path, context)?,
            _ => name.to_owned(),
        };
        let open = if name.starts_with("__") { "" } else { "__" };
        let close = if name.ends_with("__") { "" } else { "__" };
        Ok(Box::new(Literal { text: format!("{open}{name}{close}"), left: true, endless: true }))
    }

    /// [`World::wildcard_options`] until the options are no longer a single wildcard.
    fn resolve(&mut self, variant: &Variant, context: &Context) -> Result<Variant, PromptError> {
        let mut variant = variant.clone();
        for _ in 0..MAX_DEPTH {
            match self.wildcard_options(&variant, context)? {
                Some(options) => variant = options,
                None => return Ok(variant),
            }
        }
        Err(self.endless())
    }

    /// The error for wildcards that never end.
    fn endless(&self) -> PromptError {
        self.error("wildcards lead into each other without end")
            .hint("a wildcard whose value names itself needs another value to end with")
    }

    /// Starts a new picture.
    pub(super) fn begin(&mut self, seed: u64) {
        self.random.seed(seed);
        self.work = 0;
    }

    /// `{2$$__name__}`: the values of the wildcard become the options.
    fn wildcard_options(
        &mut self,
        variant: &Variant,
        context: &Context,
    ) -> Result<Option<Variant>, PromptError> {
        let [(only, _)] = variant.options.as_slice() else { return Ok(None) };
        let Command::Wildcard { path, method, .. } = &**only else { return Ok(None) };
        let name = self.path(path, context)?;
        let values = self.values(&name);
        if values.is_empty() && self.quirks == Quirks::Sane {
            self.unknown(only, &name, context)?;
        }
        let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
        let mut options = Vec::new();
        for text in repeated(&values) {
            options.push((self.parse(text)?, 1.0));
        }
        Ok(Some(Variant {
            options,
            least: variant.least.min(count),
            most: variant.most.min(count),
            separator: variant.separator.clone(),
            method: *method,
            place: variant.place.clone(),
        }))
    }
}

/// Each value's text as often as its weight says, cut to a whole number.
fn repeated(values: &[Value]) -> impl Iterator<Item = &str> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cut as the peer does"
    )]
    let times = |value: &Value| value.weight.clamp(0.0, 1e6) as usize;
    values.iter().flat_map(move |value| std::iter::repeat_n(value.text.as_str(), times(value)))
}

/// Joins texts; a separator at the very ends is cut off once, unless there is only one text.
fn join(mut texts: Vec<String>, separator: &str) -> String {
    if texts.len() == 1 {
        return texts.pop().unwrap_or_default();
    }
    let joined = texts.join(separator);
    if separator.is_empty() {
        return joined;
    }
    let joined = joined.strip_prefix(separator).unwrap_or(&joined);
    joined.strip_suffix(separator).unwrap_or(joined).to_owned()
}

/// The texts before and after the first mark `...` or `…` of a wrapper.
fn wrapper_sides(text: &str) -> (&str, &str) {
    const MARKS: &str = "\u{1801}\u{2026}\u{22ee}\u{22ef}\u{22f0}\u{22f1}\u{fe19}";
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let length = if MARKS.contains(c) {
            rest.len() - rest.trim_start_matches(|c| MARKS.contains(c)).len()
        } else if rest.starts_with("...") {
            rest.len() - rest.trim_start_matches('.').len()
        } else {
            continue;
        };
        return (&text[..at], &text[at + length..]);
    }
    (text, "")
}

/// No text at all.
struct Nothing;

impl Choices for Nothing {
    fn next(&mut self, _: &mut World) -> Text {
        Ok(None)
    }
}

/// The same text, once or for ever.
struct Literal {
    text: String,
    left: bool,
    endless: bool,
}

impl Choices for Literal {
    fn next(&mut self, _: &mut World) -> Text {
        let given = self.endless || std::mem::take(&mut self.left);
        Ok(given.then(|| self.text.clone()))
    }
}

/// The text of an immediate variable.
struct Cell {
    text: Rc<RefCell<String>>,
    left: bool,
    endless: bool,
}

impl Choices for Cell {
    fn next(&mut self, _: &mut World) -> Text {
        let given = self.endless || std::mem::take(&mut self.left);
        Ok(given.then(|| self.text.borrow().clone()))
    }
}

/// Variables that a sequence sets at once, and where their texts come from.
struct Immediate {
    text: Rc<RefCell<String>>,
    source: Gen,
}

/// A sequence apart: what is sampled, in which context, and which variables are renewed.
struct Split {
    tokens: Vec<Rc<Command>>,
    context: Context,
    immediates: Vec<Immediate>,
}

/// Which wildcards there are, the first of them by name.
fn known(wildcards: &Wildcards) -> String {
    let mut names = wildcards.names();
    let first: Vec<String> = names.by_ref().take(12).map(|name| format!("`__{name}__`")).collect();
    match (first.len(), names.count()) {
        (0, _) => "no wildcards were found: name their folder by {any.wildcards} DIR".into(),
        (_, 0) => format!("known are {}", first.join(", ")),
        (_, more) => format!("known are {} and {more} more", first.join(", ")),
    }
}

/// Takes a sequence apart; its variables are set in the context around it.
fn split(list: &[Rc<Command>], context: &Context, world: &mut World) -> Result<Split, PromptError> {
    let mut tokens = Vec::new();
    let mut new = Vec::new();
    let mut immediates = Vec::new();
    for command in list {
        let Command::Assign { name, value, immediate, overwrite } = &**command else {
            tokens.push(command.clone());
            continue;
        };
        let outer = context.variables.get(name).filter(|_| !overwrite);
        let bound = match outer {
            Some(bound) => bound.clone(),
            None if *immediate && !matches!(**value, Command::Literal(_)) => {
                let mut source = world.source(value, context)?;
                let text = Rc::new(RefCell::new(world.must(&mut source)?));
                immediates.push(Immediate { text: text.clone(), source });
                Bound::Text(text)
            }
            None => Bound::Command(value.clone()),
        };
        new.push((name.clone(), bound));
    }
    Ok(Split { tokens, context: context.with_variables(new), immediates })
}

/// Parts one after the other, without end.
struct Sequence {
    list: Vec<Rc<Command>>,
    context: Context,
    started: Option<(Vec<Gen>, Vec<Immediate>)>,
}

impl Sequence {
    fn new(list: Vec<Rc<Command>>, context: Context) -> Self {
        Self { list, context, started: None }
    }
}

impl Choices for Sequence {
    fn next(&mut self, world: &mut World) -> Text {
        if let Some((_, immediates)) = &mut self.started {
            // The peer keeps the first picture's values for the whole job.
            if world.quirks == Quirks::Sane {
                for Immediate { text, source } in immediates {
                    *text.borrow_mut() = world.must(source)?;
                }
            }
        } else {
            let split = split(&self.list, &self.context, world)?;
            let sources: Result<_, _> =
                split.tokens.iter().map(|token| world.source(token, &split.context)).collect();
            self.started = Some((sources?, split.immediates));
        }
        let Some((sources, _)) = &mut self.started else { return Ok(None) };
        let texts: Result<Vec<_>, _> =
            sources.iter_mut().map(|source| world.must(source)).collect();
        Ok(Some(texts?.concat()))
    }
}
