//! Every possibility once, the leftmost changing slowest.
use super::{Choices, Context, Gen, Text, Variant, World, join, repeated, split, wrapper_sides};
use crate::error::PromptError;
use crate::wildcards::command::{Command, Method};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Texts one for each command.
type Texts = Result<Option<Vec<String>>, PromptError>;

/// All ways to fill a list of commands. Endless commands (`~`, `@`) give one text for each way that
/// the rest is filled.
struct Product {
    list: Rc<[Rc<Command>]>,
    at: usize,
    started: bool,
    source: Option<Gen>,
    text: Option<String>,
    rest: Option<Box<Product>>,
}

impl Product {
    fn new(list: Rc<[Rc<Command>]>, at: usize) -> Self {
        Self { list, at, started: false, source: None, text: None, rest: None }
    }

    fn next(&mut self, context: &Context, shared: Option<&mut Shared>, world: &mut World) -> Texts {
        world.count()?;
        let fresh = !std::mem::replace(&mut self.started, true);
        if self.at == self.list.len() {
            return Ok(fresh.then(Vec::new));
        }
        let first = self.list[self.at].clone();
        if context.effective(&first).is_endless() {
            return self.endless(&first, context, shared, world);
        }
        let mut shared = shared;
        if fresh {
            self.source = Some(world.source(&first, context)?);
        }
        loop {
            if let (Some(text), Some(rest)) = (&self.text, &mut self.rest)
                && let Some(mut texts) = rest.next(context, shared.as_deref_mut(), world)?
            {
                texts.insert(0, text.clone());
                return Ok(Some(texts));
            }
            let Some(source) = &mut self.source else { return Ok(None) };
            self.text = world.next(source)?;
            if self.text.is_none() {
                self.source = None;
                self.rest = None;
                return Ok(None);
            }
            self.rest = Some(Box::new(Self::new(self.list.clone(), self.at + 1)));
        }
    }

    fn endless(
        &mut self,
        first: &Rc<Command>,
        context: &Context,
        mut shared: Option<&mut Shared>,
        world: &mut World,
    ) -> Texts {
        if self.rest.is_none() {
            if shared.is_none() {
                self.source = Some(world.source(first, context)?);
            }
            self.rest = Some(Box::new(Self::new(self.list.clone(), self.at + 1)));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let Some(mut texts) = rest.next(context, shared.as_deref_mut(), world)? else {
            return Ok(None);
        };
        let text = match (shared, &mut self.source) {
            (Some(shared), _) => shared.take(first, world)?,
            (None, Some(source)) => Some(world.must(source)?),
            (None, None) => None,
        };
        texts.splice(0..0, text);
        Ok(Some(texts))
    }
}

/// The endless parts of a sequence: each is asked once ahead, and equal parts share one source.
struct Shared {
    commands: Vec<Rc<Command>>,
    sources: Vec<Gen>,
    ahead: Vec<Option<String>>,
}

impl Shared {
    fn new(
        commands: Vec<Rc<Command>>,
        context: &Context,
        world: &mut World,
    ) -> Result<Self, PromptError> {
        let sources: Result<Vec<Gen>, _> =
            commands.iter().map(|command| world.source(command, context)).collect();
        let mut sources = sources?;
        let mut ahead = Vec::new();
        for source in &mut sources {
            ahead.push(Some(world.must(source)?));
        }
        Ok(Self { commands, sources, ahead })
    }

    fn take(&mut self, command: &Rc<Command>, world: &mut World) -> Text {
        let Some(index) = self.commands.iter().position(|known| known == command) else {
            return Ok(None);
        };
        let next = world.next(&mut self.sources[index])?;
        Ok(std::mem::replace(&mut self.ahead[index], next))
    }
}

/// Parts one after the other.
pub(super) struct Sequence {
    list: Vec<Rc<Command>>,
    context: Context,
    started: Option<(Product, Shared)>,
}

impl Sequence {
    pub(super) fn new(list: Vec<Rc<Command>>, context: Context) -> Self {
        Self { list, context, started: None }
    }
}

impl Choices for Sequence {
    fn next(&mut self, world: &mut World) -> Text {
        if self.started.is_none() {
            let split = split(&self.list, &self.context, world)?;
            self.context = split.context;
            let tokens = split.tokens;
            let own = |c: &&Rc<Command>| c.method() != Some(Method::Combinatorial);
            let endless = tokens.iter().filter(own).cloned().collect();
            let shared = Shared::new(endless, &self.context, world)?;
            self.started = Some((Product::new(tokens.into(), 0), shared));
        }
        let Some((product, shared)) = &mut self.started else { return Ok(None) };
        let texts = product.next(&self.context, Some(shared), world)?;
        Ok(texts.map(|texts| texts.concat()))
    }
}

/// All ordered choices of `count` options; options that equal a chosen one are not chosen again.
pub(super) struct Orders {
    count: usize,
    /// For each place the options left for it and which of them comes next.
    stack: Vec<(Vec<Rc<Command>>, usize)>,
    chosen: Vec<Rc<Command>>,
    empty: bool,
}

impl Orders {
    pub(super) fn new(values: Vec<Rc<Command>>, count: i64) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        let stack = if count == 0 { Vec::new() } else { vec![(values, 0)] };
        Self { count, stack, chosen: Vec::new(), empty: count == 0 }
    }

    pub(super) fn next(
        &mut self,
        world: &mut World,
    ) -> Result<Option<Rc<[Rc<Command>]>>, PromptError> {
        if std::mem::take(&mut self.empty) {
            return Ok(Some(Vec::new().into()));
        }
        loop {
            world.count()?;
            let place = self.stack.len();
            let Some((values, next)) = self.stack.last_mut() else { return Ok(None) };
            let Some(value) = values.get(*next).cloned() else {
                self.stack.pop();
                continue;
            };
            *next += 1;
            self.chosen.truncate(place - 1);
            self.chosen.push(value.clone());
            if place == self.count {
                return Ok(Some(self.chosen.clone().into()));
            }
            let left = values.iter().filter(|other| **other != value).cloned().collect();
            self.stack.push((left, 0));
        }
    }
}

/// `{a|b}`.
pub(super) struct Choice {
    variant: Variant,
    context: Context,
    started: bool,
    /// How many are chosen, and how many at most.
    count: i64,
    most: i64,
    orders: Option<Orders>,
    product: Option<Product>,
    seen: BTreeSet<Vec<String>>,
}

impl Choice {
    pub(super) fn new(variant: Variant, context: Context) -> Self {
        Self {
            variant,
            context,
            started: false,
            count: 0,
            most: -1,
            orders: None,
            product: None,
            seen: BTreeSet::new(),
        }
    }

    /// The next choice of options to fill.
    fn advance(&mut self, world: &mut World) -> Result<bool, PromptError> {
        while self.count <= self.most {
            let values = || self.variant.values();
            let orders = self.orders.get_or_insert_with(|| Orders::new(values(), self.count));
            if let Some(order) = orders.next(world)? {
                self.product = Some(Product::new(order, 0));
                return Ok(true);
            }
            self.orders = None;
            self.count += 1;
        }
        Ok(false)
    }
}

impl Choices for Choice {
    fn next(&mut self, world: &mut World) -> Text {
        if !self.started {
            self.variant = world.resolve(&self.variant, &self.context)?;
            self.started = true;
            if self.variant.options.is_empty() {
                return Ok(None);
            }
            (self.count, self.most) = self.variant.bounds();
        }
        loop {
            if let Some(product) = &mut self.product
                && let Some(texts) = product.next(&self.context, None, world)?
            {
                let distinct: BTreeSet<&String> = texts.iter().collect();
                // Options that come to the same text count once, which leaves too few.
                if distinct.len() == texts.len() && self.seen.insert(texts.clone()) {
                    return Ok(Some(join(texts, &self.variant.separator)));
                }
                continue;
            }
            if !self.advance(world)? {
                return Ok(None);
            }
        }
    }
}

/// `__name__`.
pub(super) struct Wildcard {
    command: Rc<Command>,
    context: Context,
    /// The texts left, last first.
    texts: Option<Vec<String>>,
    source: Option<Gen>,
}

impl Wildcard {
    pub(super) fn new(command: Rc<Command>, context: Context) -> Self {
        Self { command, context, texts: None, source: None }
    }
}

impl Choices for Wildcard {
    fn next(&mut self, world: &mut World) -> Text {
        if self.texts.is_none() {
            let Command::Wildcard { path, variables, .. } = &*self.command else { return Ok(None) };
            let name = world.path(path, &self.context)?;
            self.context = self.context.with_given(variables);
            let values = world.values(&name);
            if values.is_empty() {
                self.source = Some(world.unknown(&self.command, &name, &self.context)?);
            }
            let mut texts: Vec<String> = repeated(&values).map(str::to_owned).collect();
            texts.reverse();
            self.texts = Some(texts);
        }
        loop {
            if let Some(source) = &mut self.source
                && let Some(text) = world.next(source)?
            {
                return Ok(Some(text));
            }
            let Some(text) = self.texts.as_mut().and_then(Vec::pop) else { return Ok(None) };
            self.source = Some(world.template(&text, &self.context)?);
        }
    }
}

/// `%{a ... b$$c}`.
pub(super) struct Wrap {
    wrapper: Rc<Command>,
    inner: Rc<Command>,
    context: Context,
    outer: Option<Gen>,
    around: String,
    inside: Option<Gen>,
}

impl Wrap {
    pub(super) fn new(wrapper: &Rc<Command>, inner: &Rc<Command>, context: Context) -> Self {
        Self {
            wrapper: wrapper.clone(),
            inner: inner.clone(),
            context,
            outer: None,
            around: String::new(),
            inside: None,
        }
    }
}

impl Choices for Wrap {
    fn next(&mut self, world: &mut World) -> Text {
        if self.outer.is_none() {
            self.outer = Some(world.part(&self.wrapper, &self.context)?);
        }
        loop {
            if let Some(inside) = &mut self.inside
                && let Some(text) = world.next(inside)?
            {
                let (before, after) = wrapper_sides(&self.around);
                return Ok(Some(format!("{before}{text}{after}")));
            }
            let Some(outer) = &mut self.outer else { return Ok(None) };
            let Some(around) = world.next(outer)? else { return Ok(None) };
            self.around = around;
            self.inside = Some(world.part(&self.inner, &self.context)?);
        }
    }
}
