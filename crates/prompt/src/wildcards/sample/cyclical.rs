//! One after the other, and from the start again.
use super::combinatorial::Orders;
use super::{Choices, Context, Gen, Text, Variant, World, join, repeated};
use crate::error::PromptError;
use crate::wildcards::command::{Command, Method};
use std::rc::Rc;

/// One choice of options, filled again and again.
struct Filled {
    order: Rc<[Rc<Command>]>,
    sources: Option<Vec<Gen>>,
    /// Whether an option has run out of texts.
    ended: bool,
}

impl Filled {
    fn next(&mut self, context: &Context, separator: &str, world: &mut World) -> Text {
        if self.sources.is_none() {
            let sources: Result<_, _> =
                self.order.iter().map(|command| world.source(command, context)).collect();
            self.sources = Some(sources?);
        }
        let Some(sources) = &mut self.sources else { return Ok(None) };
        let mut texts = Vec::new();
        if self.ended {
            return Err(world.error("a cycle has nothing to choose from"));
        }
        // The peer asks the last first; one that has run out takes those after it along.
        for source in sources.iter_mut().rev() {
            match world.next(source)? {
                Some(text) => texts.push(text),
                None => {
                    texts.clear();
                    self.ended = true;
                }
            }
        }
        texts.reverse();
        Ok(Some(join(texts, separator)))
    }
}

/// `{@a|b}`.
pub(super) struct Choice {
    variant: Variant,
    context: Context,
    started: bool,
    count: i64,
    most: i64,
    orders: Option<Orders>,
    filled: Vec<Filled>,
    turn: usize,
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
            filled: Vec::new(),
            turn: 0,
        }
    }

    /// The next choice of options not yet used, if there is one.
    fn fresh(&mut self, world: &mut World) -> Result<Option<Rc<[Rc<Command>]>>, PromptError> {
        while self.count <= self.most {
            let values = || self.variant.values();
            let orders = self.orders.get_or_insert_with(|| Orders::new(values(), self.count));
            if let Some(order) = orders.next(world)? {
                return Ok(Some(order));
            }
            self.orders = None;
            self.count += 1;
        }
        Ok(None)
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
        if let Some(order) = self.fresh(world)? {
            self.turn = self.filled.len();
            self.filled.push(Filled { order, sources: None, ended: false });
        }
        if self.filled.is_empty() {
            return Err(world.error("a cycle has nothing to choose from"));
        }
        let turn = self.turn;
        self.turn = (turn + 1) % self.filled.len();
        self.filled[turn].next(&self.context, &self.variant.separator, world)
    }
}

/// `__@name__`.
pub(super) struct Wildcard {
    command: Rc<Command>,
    context: Context,
    sources: Option<Vec<Gen>>,
    turn: usize,
}

impl Wildcard {
    pub(super) fn new(command: Rc<Command>, context: Context) -> Self {
        Self { command, context, sources: None, turn: 0 }
    }

    fn start(&mut self, world: &mut World) -> Result<Vec<Gen>, PromptError> {
        let Command::Wildcard { path, variables, .. } = &*self.command else {
            return Ok(Vec::new());
        };
        let name = world.path(path, &self.context)?;
        let context = self.context.with_given(variables).with_method(Method::Cyclical);
        let values = world.values(&name);
        if values.is_empty() {
            return Ok(vec![world.unknown(&self.command, &name, &context)?]);
        }
        repeated(&values).map(|text| world.template(text, &context)).collect()
    }
}

impl Choices for Wildcard {
    fn next(&mut self, world: &mut World) -> Text {
        if self.sources.is_none() {
            self.sources = Some(self.start(world)?);
        }
        let Some(sources) = self.sources.as_mut().filter(|sources| !sources.is_empty()) else {
            return Ok(None);
        };
        let turn = self.turn;
        self.turn = (turn + 1) % sources.len();
        world.must(&mut sources[turn]).map(Some)
    }
}
